"""What reads records takes imported ones: compare, scaling, checks, explorer, book, and runs."""

import pytest
from helpers.records import run

from fpcore import load_record
from fpcore.analysis import load_comparison
from fpcore.book import build
from fpcore.book.views import VIEWS, Choice
from fpcore.records.record import RunRecord
from fpcore.reports import comparison, scaling

from .conftest import Import

TABLE = """samples,tokens,val_ppl,val_er,conv,acc
25,11045,912.6,70.0%,71%,10.1%
50,17257,761.2,70.3%,74%,11.2%
100,35900,582.3,70.2%,74%,12.5%
200,87981,487.9,70.8%,74%,13.3%
"""
BARE = "samples,val_ppl\n50,761.2\n"  # all that some people know


@pytest.fixture
def old(take: Import) -> RunRecord:
    run("own").save()
    take("bare.csv", BARE, called="bare")
    return take("old_runs.csv", TABLE)


@pytest.mark.parametrize(
    ("a", "b"), [("own", "old"), ("old", "own"), ("bare", "old"), ("own", "bare")]
)
def test_comparisons(a: str, b: str, old: RunRecord) -> None:
    c = load_comparison(a, b)
    text = comparison.render(c)
    own = c.by_size("val_ppl")[50]
    values = {"own": 750.0, "old": 761.2, "bare": 761.2}
    assert (own.a, own.b) == pytest.approx((values[a], values[b]))
    assert f"{'bare' if 'bare' in (a, b) else 'old_runs'}.csv から取り込み" in text
    assert "選び方の記録がない: " in text
    assert "は印刷された、丸めた値" in text and "検証" in text


def test_scaling_and_views(old: RunRecord) -> None:
    assert "old" in scaling.laws_table([old]) and "487.9" in scaling.held_out_table([old])
    for name in ("old", "bare"):
        record = load_record(name)
        chosen = Choice([record], record.sizes, "Val PPL（トークン）", (50, 50), name, "own")
        for view in VIEWS.values():
            assert view(chosen).text or view(chosen).rows is not None


def test_the_book_shows_where_it_is_from(old: RunRecord) -> None:
    index = build()
    assert "ほかから取り込み" in index.read_text("utf-8")


def test_what_was_called_published_is_read(old: RunRecord) -> None:
    text = old.path.read_text("utf-8")
    old.path.write_text(text.replace('"source": "imported"', '"source": "published"'))
    assert load_record("old") == old
