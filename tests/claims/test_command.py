"""The command: what it prints, its exit codes, and files that it cannot read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpcore.claims import command as room
from fpcore.claims import main
from fpcore.paths import ROOT

GOOD = """# 題

## 結果

| 指標 | 松 | 竹 | 差 |
|---|---|---|---|
| Val PPL | 52.0 | 50.0 | -2.0 |
"""
BAD = GOOD.replace("-2.0", "-3.5")
ENGLISH = "# Report\n\n- The PPL fell from 52.0 to 50.0 (-5.8%).\n"


def run(tmp_path: Path, text: str, *options: str) -> int:
    path = tmp_path / "report.md"
    path.write_text(text, "utf-8")
    return main([str(path), *options])


def test_a_finding_names_its_line_and_operands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, GOOD) == 0
    assert "指摘 0 件（表 1、数値 3 を読み、1 通りの照合をした）" in capsys.readouterr().out
    assert run(tmp_path, BAD) == 1
    first, last = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith(f"{tmp_path / 'report.md'}:7: [算術] ")
    assert all(part in first for part in ("-3.5", "52.0", "50.0", "-2.0"))
    assert last.startswith("指摘 1 件")


def test_findings_are_in_the_language_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, ENGLISH) == 1
    out = capsys.readouterr().out
    assert "does not follow from 52.0 and 50.0" in out and "1 findings" in out


@pytest.mark.parametrize(
    "text", ["", "# 題\n\n数値のない報告である。\n", "# Report\n\nNo numbers.\n"]
)
def test_an_unread_file_does_not_look_like_a_pass(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, text) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "合格ではない" in last or "does not mean that it is right" in last


def test_explain_shows_how_numbers_were_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, GOOD + "\n約3.5%、1.50×10⁵、28分30秒\n", "--explain")
    out = capsys.readouterr().out
    assert "7: 52.0 = 52 ± 0.05  [val_ppl, 松]" in out
    assert "9: 3.5% = 3.5 ± 0.05 % about" in out
    assert "= 150000 ± 500" in out and "28分30秒 = 1710 ± 0.5 s" in out


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "Shift-JIS"), ("euc_jp", "EUC-JP"), ("utf-16", "UTF-16")]
)
def test_another_encoding_is_named(
    encoding: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.md"
    path.write_bytes((GOOD + "\nこれは実験の報告である。\n").encode(encoding))
    assert main([str(path)]) == 2
    assert name in capsys.readouterr().err


def test_a_mark_of_utf_8_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_bytes(b"\xef\xbb\xbf" + BAD.encode())
    assert main([str(path)]) == 1


@pytest.mark.parametrize("arguments", [[], ["missing.md"], ["."], ["a", "b"], ["--what", "a"]])
def test_a_file_that_cannot_be_read_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out = capsys.readouterr()
    assert out.out == "" and len(out.err.splitlines()) == 1


def test_a_crash_is_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(text: str) -> None:
        raise RuntimeError(text[:3])

    monkeypatch.setattr(room, "examine", crash)
    assert run(tmp_path, GOOD) == 2
    assert "RuntimeError" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"#\0 \0r\0\n\0", b"\xff" * 9])
def test_what_is_no_text_is_named(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.md"
    path.write_bytes(data)
    assert main([str(path)]) == 2
    out = capsys.readouterr()
    assert out.out == "" and str(path) in out.err and "UTF-8" in out.err


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert [main([str(p)]) for p in (pipe, tmp_path, "/dev/zero")] == [2, 2, 2]


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0 and "--explain" in capsys.readouterr().out


@pytest.mark.parametrize("text", [GOOD, BAD])
def test_an_output_that_cannot_be_written_is_no_finding(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text(text, "utf-8")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fpcore.claims", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_output_encoding_will_do(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text(BAD, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "fpcore.claims", str(path)],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"-3.5" in done.stdout
