"""Files that do not fit: one sentence for each line, with its number as people count."""

import json
import os
from pathlib import Path

import pytest
from helpers.records import run

from fpcore.importing import main
from fpcore.records import load_record
from fpcore.records.record import record_path

from .conftest import Import, Refuse

# The file, and what its sentences say: the line, and some words of each.
BROKEN: dict[str, tuple[str | bytes, list[tuple[int, str]]]] = {
    "unknown.csv": ("samples,val_perp\n50,598.6\n", [(1, "did you mean val_ppl?")]),
    "short name.csv": ("samples,ppl\n50,598.6\n", [(1, "'ppl' is not known (did you mean val_p")]),
    "odd name.csv": ("samples,val_ppl,qqqq\n50,5,1\n", [(1, "'qqqq' is not known; --column")]),
    "twice.csv": ("samples,val_ppl,V.PPL\n50,5,1\n", [(1, "'V.PPL' both mean val_ppl")]),
    "nan.csv": (
        "samples,val_ppl\n50,598.6\n100,nan\n200,-inf\n",
        [(3, "val_ppl 'nan' is not finite"), (4, "val_ppl '-inf' is not finite")],
    ),
    "negative.csv": ("# a\nsamples,val_ppl\n\n50,-5\n", [(4, "no perplexity: one is at least 1")]),
    "beyond.csv": ("samples,acc\n50,17.8%\n100,241%\n", [(3, "acc '241%' is no share")]),
    "rank.csv": ("samples,val_er\n50,768.2\n", [(2, "val_er '768.2' is no share")]),
    "mixed.csv": ("samples,val_er\n50,0.71\n100,70.8\n", [(3, "val_er '70.8' is no share")]),
    "sign.csv": ("samples,val_er\n50,0.71\n100,70.8%\n", [(2, "'0.71' has no % sign")]),
    "two values.csv": ("samples,val_ppl\n50,5.5\n50,5.7\n", [(3, "5.7 at size 50, where line 2")]),
    "cells.csv": ("samples,val_ppl,val_er\n50,5\n", [(2, "2 cells where the head has 3")]),
    "quote.csv": ('samples,val_ppl\n50,5\n100,"6\n', [(3, "must end in one")]),
    "word.csv": ("samples,val_ppl\n50,about 600\n", [(2, "'about 600' is no number")]),
    "spread.csv": ("samples,val_ppl\n50,5.1 ± 0.2\n", [(2, "is more than one number")]),
    "half.csv": ("samples,val_ppl\n50.5,600\n", [(2, "samples '50.5' is no whole number")]),
    "seed.csv": ("samples,seed,val_ppl\n50,-1,5\n", [(2, "seed '-1' is no whole number of at")]),
    "long.csv": (f"samples,val_ppl\n50,{'9' * 500}\n", [(2, "is too long for a number")]),
    "percent.csv": ("samples,val_ppl\n50,598.6%\n", [(2, "'598.6%' is a percentage")]),
    "note.csv": ("samples,val_ppl\n50,598.6¹\n", [(2, "is more than one number")]),
    "marks.csv": ("samples,val_ppl\n²5,598.6\n50,7①\n", [(2, "no number"), (3, "more than one")]),
    "power.csv": ("samples,val_ppl,seconds\n10³,5,1\n", [(2, "'10^3' is more than one number")]),
    "ages.csv": ("samples,val_ppl,time\n50,5,1e308 h\n", [(2, "no time: one goes from 0")]),
    "broken.csv": ("samples,val_loss\n50,5\n100,709.9\n", [(3, "no loss: one goes from 0 to 700")]),
    "broken.log": ("samples=50\nEpoch 1: val_loss=800\n", [(2, "no loss: one goes from 0 to 700")]),
    "unit.csv": ("samples,val_ppl,time\n50,5,3 apples\n", [(2, "a unit that is not known")]),
    "date.csv": ("samples,val_ppl,date\n50,5,monday\n", [(2, "is no date such as 2025-11-30")]),
    "size.csv": ("val_ppl,val_er\n5,0.7\n6,0.7\n", [(2, "names no size"), (3, "names no size")]),
    "comma.csv": ("samples;val_ppl\n50;1,234\n", [(2, "1,234 may be 1.234 or 1234")]),
    "two knobs.csv": ("samples,val_ppl,epochs\n5,6,60\n9,5,99\n", [(3, "99, where line 2 says 6")]),
    "knob.csv": ("samples,val_ppl,max_iter\n5,6,1\n", [(2, "max_iter '1' must be a whole number")]),
    "comma.json": ('[{"samples": 50,\n "val_ppl": 5,}]', [(2, "it is no JSON")]),
    "nan.json": ('[\n{"samples": 50,\n"val_ppl":\n NaN}]', [(3, "val_ppl 'NaN' is not finite")]),
    "key.json": ('[{"samples": 50,\n "samples": 5}]', [(2, "the key 'samples' a second time")]),
    "list.json": ("[50, 598.6]", [(1, "a list of objects is needed")]),
    "knob.json": ('{"config":\n{"max_iter": true},\n"results": [{"samples": 5, "val_ppl": 9}]}',
                  [(2, "max_iter 'true' must be")]),
    "lines.jsonl": (
        '{"samples": 50, "val_ppl": 5}\n{"samples": 100,\n[3]\n',
        [(2, "it is no JSON object"), (3, "it is no JSON object")],
    ),
    "nan.log": (
        "samples=50\nIter 30: conv=25% loss=nan\nIter 40: conv=1250% loss=-0.4\n",
        [(2, "loss 'nan' is not finite"), (3, "'1250%' is no share")],
    ),
    "word.log": ("samples=50\nIter 30: conv=most loss=-0.4\n", [(2, "'most' is no number")]),
    "again.log": (
        "samples=50\nIter 30: conv=25%\nIter 40: conv=35%\nIter 30: conv=25%\n",
        [(4, "iteration 30 follows 40")],
    ),
    "size.log": ("\nIter 30: conv=25%\nIter 40: conv=35%\n", [(2, "the trace names no size")]),
    "two values.md": (
        "# v7\n\n| Samples | Val PPL |\n|---|---|\n| 50 | 590.1 |\n\n"
        "| Samples | Val PPL |\n|---|---|\n| 50 | 591.1 |\n",
        [(9, "val_ppl 591.1 at size 50, where line 5 says 590.1")],
    ),
    "size.md": ("# v7\n\n| 指標 | 値 |\n|---|---|\n| Val PPL | 5.1 |\n", [(5, "names no size")]),
    "beyond.md": ("# v7\n\n| Samples | Val Acc |\n|---|---|\n| 50 | 590.1% |\n", [(5, "no share")]),
    "date.md": ("# v7\n\n実験日: 2025-02-31\n\n| Samples | Val PPL |\n|---|---|\n| 5 | 9.1 |\n",
                [(3, "'2025-02-31' is no day")]),
    "sjis.csv": ("samples,val_ppl\nサンプル,600\n".encode("shift_jis"), [(2, "no text in UTF-8")]),
}  # fmt: skip
# Files in which no line is to blame.
WHOLE: dict[str, tuple[str | bytes, str]] = {
    "head.csv": ("samples,val_ppl\n", "it has a head, but no rows"),
    "empty.csv": ("\n \n", "it is empty"),
    "letter.txt": ("Dear all,\nit took 3 hours.\n", "it holds no result"),
    "title.md": ("# Title\n\nNothing.\n", "it holds no result"),
    "bytes.csv": (b"\x00\x01", "it is no text"),
    "number.json": ("3", "it holds no object such as"),
    "runs.csv": ("run,samples,val_ppl\nv1,5,9\nv2,5,8\n", "it tells of several runs (v1, v2)"),
    "record.json": (json.dumps(run("own").model_dump()), "it is a record of this book already"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_sentence_for_each_line(name: str, refuse: Refuse) -> None:
    content, due = BROKEN[name]
    said = refuse(name, content)
    assert len(said) == len(due)
    for sentence, (line, words) in zip(said, due, strict=True):
        assert sentence.startswith(f"line {line}: ") and words in sentence
        assert sentence.endswith(".")


@pytest.mark.parametrize("name", WHOLE)
def test_a_sentence_for_a_file(name: str, refuse: Refuse) -> None:
    content, words = WHOLE[name]
    (said,) = refuse(name, content)
    assert said.startswith(words) and said.endswith(".")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--run", "v22"], "no run called 'v22' in it (did you mean v2?), but the runs v1, v2."),
        (["--column", "val_ppl"], "--column must be THEIRS=OURS"),
        (["--column", "x=val_pl"], "'val_pl' is no field of a record (did you mean val_ppl?)"),
        (["--samples", "0"], "'0' is no whole number of at least 1"),
        (["--settings", "none.yaml"], "There is no readable file of settings none.yaml."),
        (["--force"], "unrecognized arguments: --force"),
    ],
)
def test_wrong_options(options: list[str], words: str, refuse: Refuse) -> None:
    said = refuse("r.csv", "run,samples,val_ppl\nv1,50,6\nv2,50,5\n", *options)
    assert len(said) == 1 and words in said[0]


def test_settings_that_the_file_contradicts(refuse: Refuse, tmp_path: Path) -> None:
    known = tmp_path / "known.yaml"
    table = "samples,val_ppl,max_iter\n50,600,60\n"
    for text, words in [
        ("max_iter: 100", "line 2: max_iter 60, where the settings say 100."),
        ("max_itr: 100", "known.yaml: 'max_itr' is not a knob (did you mean max_iter?)."),
        ("max_iter: 1", "known.yaml: max_iter must be a whole number of at least 2"),
    ]:
        known.write_text(text)
        (said,) = refuse("t.csv", table, "--settings", str(known))
        assert words in said


def test_no_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "pipe.csv"):
        assert main([str(path), "--name", "old"]) == 2
        assert capsys.readouterr().err.endswith(".\n")
    assert main([str(tmp_path), "--name", "../old"]) == 2
    assert "cannot be the name of a run" in capsys.readouterr().err


def test_what_was_measured_is_not_replaced(
    home: Path, take: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("own").save()
    path = tmp_path / "t.csv"
    path.write_text("samples,val_ppl\n50,600\n")
    before = record_path("own").read_bytes()
    assert main([str(path), "--name", "own"]) == 2
    assert "is the record of a run that was measured" in capsys.readouterr().err
    assert record_path("own").read_bytes() == before
    take("t.csv", "samples,val_ppl\n50,600\n")
    take("t.csv", "samples,val_ppl\n50,600\n")
    assert "holds just that already" in capsys.readouterr().out
    assert take("t.csv", "samples,val_ppl\n50,500\n").results[0].val_ppl == 500
    other = tmp_path / "other.csv"
    other.write_text("samples,val_ppl\n50,400\n")
    assert main([str(other), "--name", "old"]) == 2
    assert "is the record of another import, of t.csv" in capsys.readouterr().err
    assert load_record("old").results[0].val_ppl == 500
