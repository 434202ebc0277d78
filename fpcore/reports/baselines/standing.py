"""How the fixed-point model stands to the baselines: sentences by rule."""

import math

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.information import knowledge
from fpcore.language import clauses, listed, said, template
from fpcore.notation import Markdown
from fpcore.records.by_seed import moments, values
from fpcore.records.pairs import at_an_end, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import controls, opening, sentences
from fpcore.reports.baselines.pairs import main_runs, report_level, variants
from fpcore.reports.sentences import SMALL, UNCLEAR, level

__all__ = ["embeddings", "gist", "standing"]

SIDES = {
    "down": template("{runs!g}より低く（よく）"),
    "up": template("{runs!g}より高く（悪く）"),
    "unclear": template("{runs!g}とは差があるとは言えない"),
}


def gist(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """要点: what stands beside what, how it stands among those that know the same, what next."""
    main, share = main_runs(runs), report_level(runs, baselines)
    sizes = notation.sizes(sorted({n for record in runs for n in record.sizes}))
    names = listed(f"`{run.name}`" for run in main)
    what = said("{names} を、同じ会話で訓練したベースライン {n} 個と並べた（{sizes}）",
                names=names, n=len(baselines), sizes=sizes)  # fmt: skip
    known = clauses(_among_equals(run, baselines, share) for run in main)
    interval = said("[ ] は {level} 区間", level=level(share))
    told = clauses([known, interval]) if known else said("公平に比べられる組がない")
    return opening.three_lines(said("比べたもの"), what, told, _next(runs, baselines))


def standing(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say of every run which baselines it beats at the largest common size, and by how much.

    Runs that are controls of another stand behind it alone: what phase 1 is worth.
    """
    share = report_level(runs, baselines)
    lines: list[str] = []
    for run in main_runs(runs):
        lines += [*_against(run, baselines, share), *_beside_unigram(run)]
        lines += [controls.worth(run, factors.beside(run, runs), share)]
    return Markdown("\n".join(f"- {line}" for line in lines if line))


def embeddings(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the frozen embedding costs a baseline that exists with one of its own, too."""
    share = report_level(runs, baselines)
    lines = [
        _line(c) for pair in variants(baselines) if (c := _compared_at(*pair, share)) is not None
    ] or [said("凍結した埋め込みと自分の埋め込みの両方で訓練したモデルの組はない。")]
    return Markdown("\n".join(f"- {line}" for line in lines))


def _among_equals(run: RunRecord, baselines: list[RunRecord], share: float) -> str:
    """Say how a run's Val PPL stands to those of the baselines that know what it knows."""
    equals = [b for b in baselines if knowledge(b) == knowledge(run)]
    found = {b.name: _compared_at(b, run, share) for b in equals}
    told = listed(
        said("`{run}` に対して{found!b}", run=name,
             found=sentences.per_size(c.by_size("val_ppl"), sentences.verdict))
        for name, c in found.items()
        if c is not None and "val_ppl" not in c.incomparable
    )  # fmt: skip
    text = template("`{run}` の Val PPL は、知っていることが同じ {told}")
    return said(text, run=run.name, told=told) if told else ""


def _next(runs: list[RunRecord], baselines: list[RunRecord]) -> str:
    """Say what would make the comparison fairer or surer."""
    short = [r.name for r in runs + baselines if cut_short(r)]
    if short:
        return said("`epochs` を増やしてやり直す（{runs}）", runs=listed(short))
    if any(at_an_end(record) for record in runs + baselines):
        return said("選ばれた学習率が候補の端にあるモデルの候補を広げる（「この比較の限界」）")
    return said("別のシードと大きさでも確かめる")


def _against(run: RunRecord, baselines: list[RunRecord], share: float) -> list[str]:
    """Return one sentence per baseline, then which ones the run beats and which beat it."""
    told: dict[str, list[str]] = {"down": [], "up": [], "unclear": []}
    each, samples = [], set()
    for baseline in baselines:
        c = _compared_at(baseline, run, share)
        if c is None:
            continue
        each.append(_line(c))
        if "val_ppl" not in c.incomparable:
            certain = c["val_ppl"].certain
            told[certain if certain in told else "unclear"].append(_named(c))
            samples.add(c.samples[-1])
    if not samples:
        return each
    text = (
        template("**{sizes}で `{run}` の Val PPL は、{told}。**")
        if told["unclear"]
        else template("**{sizes}で `{run}` の Val PPL は、{told}なっている。**")
    )
    words = listed(said(SIDES[key], runs=listed(own)) for key, own in told.items() if own)
    return [said(text, sizes=notation.sizes(sorted(samples)), run=run.name, told=words), *each]


def _named(c: Comparison) -> str:
    """Name the baseline (a), and say whether what is known of it differs by size."""
    text = template("`{run}`（サイズによって違う）")
    apart = sentences.by_size(c.by_size("val_ppl"))
    return said(text, run=c.a.name) if apart else f"`{c.a.name}`"


def _beside_unigram(run: RunRecord) -> list[str]:
    """Say at which sizes a run's Val PPL is below that of the unigram model (no interval)."""
    sizes = sorted({r.samples for r in run.results if r.unigram_ppl and r.val_ppl})
    if not sizes or cut_short(run):
        return []
    found = values(run, "val_ppl")
    better = [
        n for n in sizes if moments("val_ppl", found[n])[0] < (run.at(n)[0].unigram_ppl or math.nan)
    ]
    where = notation.sizes(better) if better else said("どのサイズでもない")
    text = template("`{run}` の Val PPL が unigram モデルより低いのは、{where}（区間なし）。")
    return [said(text, run=run.name, where=where)]


def _compared_at(a: RunRecord, b: RunRecord, share: float) -> Comparison | None:
    return compare_runs(a, b, level=share) if {*a.sizes} & {*b.sizes} else None


def _line(c: Comparison) -> str:
    """Say how the PPL of b lies to that of a at the largest common size, with its interval."""
    if "val_ppl" in c.incomparable:
        text = template("`{a}` と `{b}`: {why}。")
        return said(text, a=c.a.name, b=c.b.name, why=c.incomparable["val_ppl"])
    d = c["val_ppl"]
    rest = UNCLEAR if d.certain == "unclear" else SMALL if d.small else ""
    other = sentences.by_size(c.by_size("val_ppl"))
    return said(
        "`{b}` の Val PPL {ppl_b} は `{a}` の {ppl_a} に対し "
        "{gap}（{n} サンプル、シード n={seeds}）{rest}{other}。",
        a=c.a.name, b=c.b.name, gap=sentences.with_interval(d), n=c.samples[-1], seeds=d.seeds,
        ppl_a=notation.metric("val_ppl", d.a), ppl_b=notation.metric("val_ppl", d.b),
        rest=said("で、{told}", told=said(rest)) if rest else "",
        other=said("（{told}）", told=other) if other else "",
    )  # fmt: skip
