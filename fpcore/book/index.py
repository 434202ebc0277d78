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
from fpcore.metric import METRICS
from fpcore.paths import together
from fpcore.records.frames import curve, frame, over_seeds
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.reports.opening import HEADING, SAID
from fpcore.stats.scaling import LEAST_SIZES, fit_power_law

ABOUT = (
    "固定点文脈は、ここまでの文が何についてだったかを表すベクトルである。全部の位置で同時に作り直し、"
    "変わらなくなるまで訓練してから（Phase 1）、それを使って次のトークンを当てる（Phase 2）。"
    "初めて読むなら、次の順がよい。"
)
OF_PAIR = ("val_ppl", "val_er", "alpha")
OF_RUN = [m for m in SUMMARY if METRICS[m].headline]


def index(pages: list[Page], records: list[RunRecord]) -> str:
    """Return the body of the index page."""
    parts = ["<h1>fpcore の本</h1>", f"<p>{_lead(pages, records)}</p>", _start(pages)]
    cards = _comparisons(pages, records) | _runs(pages, records)
    number = 0
    for group in GROUPS.values():
        own = [page for page in pages if page.group == group and _stands_alone(page, pages)]
        if own:
            items = "".join(f"<li>{_link(page)}{_card_of(page, cards)}</li>" for page in own)
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


def _start(pages: list[Page]) -> str:
    """Say what the book is about, and what to read in which order."""
    known = {page.path: page for page in pages}
    comparisons = [p for p in pages if p.group == GROUPS["comparison"] and _stands_alone(p, pages)]
    order = {
        "仕組みを、数個の文で初めから終わりまで動かして見る": known.get("tutorial.html"),
        "出てくる言葉を確かめる": known.get("glossary.html"),
        "2 つの実行を比べた報告を 1 つ読む": comparisons[-1] if comparisons else None,
        "1 つの問いに答える study を読む": _first(pages, "studies"),
        "ほかのモデルと比べる": known.get("baselines/report.html"),
    }
    items = "".join(
        f'<li>{text}: <a href="{quote(page.path)}">{escape(page.title)}</a></li>'
        for text, page in order.items()
        if page
    )
    return f'<div class="start"><p>{ABOUT}</p><ol>{items}</ol></div>'


def _first(pages: list[Page], group: str) -> Page | None:
    return next((page for page in pages if page.group == GROUPS[group]), None)


def _stands_alone(page: Page, pages: list[Page]) -> bool:
    """Whether a page has a card of its own: the notebook behind a comparison has none.

    Nor has a report in English: the Japanese one links it.
    """
    folder = page.path.rpartition("/")[0]
    if folder.endswith("/en"):
        return False
    report = f"{folder}/report.html"
    return page.path == report or report not in {other.path for other in pages}


def _link(page: Page) -> str:
    return f'<h3><a href="{quote(page.path)}">{escape(page.title)}</a></h3>'


def _card_of(page: Page, cards: dict[str, str]) -> str:
    """Return the answer of a page, as its 要点 says it, and what else its card holds."""
    answer = _answer(page)
    return answer + cards.get(page.path, "" if answer else _lines(page))


def _answer(page: Page) -> str:
    """Return what can be said, the second of the three lines; empty where a page has none."""
    soup = BeautifulSoup(page.body, "html.parser")
    heading = next((h for h in soup.find_all("h2") if h.get_text(strip=True) == HEADING), None)
    points = heading.find_next("ul") if heading else None
    said = [item.get_text(" ", strip=True) for item in points.find_all("li")] if points else []
    text = next(
        (line.removeprefix(SAID).lstrip(" :") for line in said if line.startswith(SAID)), ""
    )
    return f"<p>{escape(text)}</p>" if text else ""


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
        METRICS[m].label: notation.with_relative(m, c[m].difference, c[m].relative) for m in OF_PAIR
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
    means = over_seeds(last, ["run"], OF_RUN).iloc[0]
    short, points = cut_short(record), curve(record)
    told = [m for m in OF_RUN if not (short and METRICS[m].of_phase2)]
    facts = {METRICS[m].label: notation.metric(m, means[m]) for m in told}
    if not short and points["train_tokens"].nunique() >= LEAST_SIZES:
        fit = fit_power_law(points["train_tokens"].tolist(), points["val_ppl"].tolist())
        facts[METRICS["alpha"].label] = notation.metric("alpha", fit.alpha)
    taken = "原文から転記" if record.document else "ほかから取り込み"
    source = "この本で測定" if record.source == "measured" else taken
    return _card(f"{rows['samples'].max()} サンプル、シード n={record.seeds}、{source}", facts)


def _card(about: str, facts: dict[str, str]) -> str:
    rows: Iterable[str] = (
        f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in facts.items()
    )
    return f"<p>{escape(about)}</p><dl>{''.join(rows)}</dl>"
