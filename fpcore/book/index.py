"""The index of the browsable book: a card for every comparison, study and run."""

from collections.abc import Iterable
from html import escape
from itertools import permutations
from urllib.parse import quote

from bs4 import BeautifulSoup

from fpcore import notation
from fpcore.analysis.checks import run_checks
from fpcore.analysis.comparison import SUMMARY, compare_among
from fpcore.book.pages import GROUPS, Page
from fpcore.paths import together
from fpcore.records.frames import curve, frame
from fpcore.records.record import RunRecord
from fpcore.stats.scaling import fit_power_law

OF_PAIR = ("val_ppl", "val_er", "alpha")
OF_RUN = [m for m in SUMMARY if notation.METRICS[m].headline]


def index(pages: list[Page], records: list[RunRecord]) -> str:
    """Return the body of the index page."""
    parts = ["<h1>fpcore の本</h1>", f"<p>{_lead(pages, records)}</p>"]
    cards = _comparisons(pages, records) | _runs(pages, records)
    number = 0
    for group in GROUPS.values():
        own = [page for page in pages if page.group == group and _stands_alone(page, pages)]
        if own:
            items = "".join(f"<li>{_link(page)}{cards.get(page.path, _lines(page))}</li>"
                            for page in own)  # fmt: skip
            parts.append(f'<h2 id="s{number}">{group}</h2><ul class="cards">{items}</ul>')
            number += 1
    return "\n".join(parts)


def headings(pages: list[Page]) -> list[tuple[str, str]]:
    """Return anchor and text of the groups that the index shows."""
    shown = [group for group in GROUPS.values() if any(page.group == group for page in pages)]
    return [(f"s{number}", group) for number, group in enumerate(shown)]


def _lead(pages: list[Page], records: list[RunRecord]) -> str:
    return (
        f"固定点文脈（fixed-point context）言語モデルの実験の本。実行の記録 {len(records)} 件、"
        f"ページ {len(pages)} 枚。数値はすべて記録から計算した。"
    )


def _stands_alone(page: Page, pages: list[Page]) -> bool:
    """Whether a page has a card of its own: the notebook behind a comparison has none."""
    report = page.path.rpartition("/")[0] + "/report.html"
    return page.path == report or report not in {other.path for other in pages}


def _link(page: Page) -> str:
    return f'<h3><a href="{quote(page.path)}">{escape(page.title)}</a></h3>'


def _lines(page: Page) -> str:
    """Return the first sentences of a page."""
    paragraph = BeautifulSoup(page.body, "html.parser").find("p")
    text = paragraph.get_text(" ", strip=True) if paragraph else ""
    return f"<p>{escape(text[:120])}{'…' if len(text) > 120 else ''}</p>"


def _comparisons(pages: list[Page], records: list[RunRecord]) -> dict[str, str]:
    """Return what the card of each comparison says: differences b − a, and the 検証."""
    paths, found = {page.path for page in pages}, {}
    for a, b in permutations(records, 2):
        path = f"{together([a.name, b.name])}/report.html"
        if path in paths and {*a.sizes} & {*b.sizes}:
            found[path] = _comparison(a, b, records)
    return found


def _comparison(a: RunRecord, b: RunRecord, records: list[RunRecord]) -> str:
    c = compare_among(a, b, records)
    facts = {
        notation.METRICS[m].label: notation.with_relative(m, c[m].difference, c[m].relative)
        for m in OF_PAIR
    }
    about = f"{c.samples[-1]} サンプル、シード n={c.seeds}、差は b − a"
    return _card(about, facts | {"検証": run_checks(c.records).counts()})


def _runs(pages: list[Page], records: list[RunRecord]) -> dict[str, str]:
    """Return what the card of each run says, at its largest size."""
    paths = {page.path for page in pages}
    found = {f"runs/{record.name}.html": record for record in records}
    return {path: _run(record) for path, record in found.items() if path in paths}


def _run(record: RunRecord) -> str:
    rows = frame([record])
    last = rows[rows["samples"] == rows["samples"].max()]
    means = last[OF_RUN].astype(float).mean()
    facts = {notation.METRICS[m].label: notation.metric(m, means[m]) for m in OF_RUN}
    points = curve(record)
    if points["train_tokens"].nunique() > 1:
        fit = fit_power_law(points["train_tokens"].tolist(), points["val_ppl"].tolist())
        facts[notation.METRICS["alpha"].label] = notation.metric("alpha", fit.alpha)
    taken = "原文から転記" if record.document else "ほかから取り込み"
    source = "この本で測定" if record.source == "measured" else taken
    return _card(f"{rows['samples'].max()} サンプル、シード n={record.seeds}、{source}", facts)


def _card(about: str, facts: dict[str, str]) -> str:
    rows: Iterable[str] = (
        f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in facts.items()
    )
    return f"<p>{escape(about)}</p><dl>{''.join(rows)}</dl>"
