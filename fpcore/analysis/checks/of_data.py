"""What a careful reader would check of the data that records were measured on, by rule."""

from fpcore.analysis.checks.check import CARE, OK, WRONG, Check, details, of_records
from fpcore.analysis.checks.of_records import AGAIN
from fpcore.analysis.information import LEVELS, knowledge
from fpcore.language import clauses, listed, said, template
from fpcore.records.frames import frame
from fpcore.records.pairs import different_texts, incomparable, overlaps
from fpcore.records.record import RunRecord


@of_records(100, alone=True)
def same_text(records: list[RunRecord]) -> Check:
    """PPL of different texts or vocabularies cannot be compared; overlap makes it worthless."""
    title, first = said("同じ検証テキストと語彙か"), records[0]
    overlap = [r.name for r in records if overlaps(r)]
    if overlap:
        evidence = said("訓練と検証が重なる: {runs}", runs=listed(overlap))
        return Check(title, WRONG, evidence, said("重ならない分割で"))
    found = [
        said("{a} と {b}: {what}", a=first.name, b=r.name, what=listed(different))
        for r in records[1:]
        if (different := different_texts(first, r))
    ]
    if found:
        different_ones = said("違うもの: {what}", what="; ".join(found))
        evidence = clauses([different_ones, said("PPL は比べられない")])
        bits = all("bits_per_byte" not in incomparable(first, r) for r in records[1:])
        text = template("bits per byte で比べるか、同じデータで実行し直す")
        settle = said(text) if bits else said("同じデータで実行し直す")
        return Check(title, WRONG, evidence, settle)
    if not all(r.digests for r in records):
        evidence = said("digest（中身の指紋）のない記録があり、確かめられない")
        return Check(title, CARE, evidence, said(AGAIN))
    text = template("検証テキストと語彙の digest（中身の指紋）が同じ{repeated}")
    return Check(title, OK, said(text, repeated=_repeated(records)))


@of_records(105, alone=True)
def same_knowledge(records: list[RunRecord]) -> Check:
    """A model that was built from more texts has an advantage that is none of its own."""
    title = said("知っていることは同じか")
    known = {r.name: said(LEVELS[knowledge(r)]) for r in records if "embedding" in r.config}
    if not known:
        return Check(title, OK, said("何から作られたかの記録がない"))
    if len({*known.values()}) > 1:
        settle = said("同じことを知っている実行と比べる（`built_from`、`embedding`）")
        return Check(title, CARE, said("違う"), settle, details(known.items()))
    return Check(title, OK, next(iter(known.values())))


@of_records(110, alone=True)
def same_rows(records: list[RunRecord]) -> Check:
    """Effective rank grows with the number of rows that it is measured on."""
    title = said("ER の行数は同じか")
    whole = frame(records).dropna(subset=["train_er", "val_er"], how="all")
    known = whole.dropna(subset=["train_er_rows", "val_er_rows"])
    rows = sorted({int(n) for n in (*known["train_er_rows"], *known["val_er_rows"])})
    if len(known) < len(whole):
        evidence = said("ER の行数を記録していない実行がある")
        return Check(title, CARE, evidence, said("`er_rows` を揃える"))
    if len(rows) > 1:
        text = template("{low}–{high} 行で測っている")
        measured = said(text, low=f"{rows[0]:,}", high=f"{rows[-1]:,}")
        evidence = clauses([measured, said("行が少ないほど ER は低く出る")])
        return Check(title, CARE, evidence, said("`er_rows` を最も短いテキスト以下に"))
    if not rows:
        return Check(title, OK, said("ER の値がない"))
    return Check(title, OK, said("すべて {n} 行", n=f"{rows[0]:,}"))


def _repeated(records: list[RunRecord]) -> str:
    """Say how many validation conversations are in the training text word for word."""
    known = [record.data.get("repeated") for record in records]
    counts = [found.get("validation", 0) for found in known if isinstance(found, dict)]
    if not counts or not max(counts):
        return ""
    return said("（検証会話のうち、訓練テキストにそのままあるもの: 最大 {n}）", n=max(counts))
