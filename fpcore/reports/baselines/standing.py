"""How the fixed-point model stands to the baselines: sentences by rule."""

import math

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.information import knowledge
from fpcore.notation import Markdown, glued
from fpcore.records.by_seed import moments, values
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import controls, opening, sentences
from fpcore.reports.baselines.caveats import at_an_end
from fpcore.reports.baselines.pairs import main_runs, report_level, variants
from fpcore.reports.baselines.tables import UNIGRAM
from fpcore.reports.sentences import SMALL, UNCLEAR, level

__all__ = ["embeddings", "gist", "standing"]


def gist(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """要点: what stands beside what, how it stands among those that know the same, what next."""
    main, share = main_runs(runs), report_level(runs, baselines)
    sizes = notation.sizes(sorted({n for record in runs for n in record.sizes}))
    names = "、".join(f"`{run.name}`" for run in main)
    what = f"{names} を、同じ会話で訓練したベースライン {len(baselines)} 個と並べた（{sizes}）"
    said = "。".join(filter(None, (_among_equals(run, baselines, share) for run in main)))
    said = f"{said}。[ ] は {level(share)} 区間" if said else "公平に比べられる組がない"
    return opening.three_lines("比べたもの", what, said, _next(runs, baselines))


def standing(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say of every run which baselines it beats at the largest common size, and by how much.

    Runs that are controls of another stand behind it alone: what phase 1 is worth.
    """
    share = report_level(runs, baselines)
    said: list[str] = []
    for run in main_runs(runs):
        said += [*_against(run, baselines, share), *_beside_unigram(run)]
        said += [controls.worth(run, factors.beside(run, runs), share)]
    return Markdown("\n".join(f"- {line}" for line in said if line))


def embeddings(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the frozen embedding costs a baseline that exists with one of its own, too."""
    share = report_level(runs, baselines)
    said = [
        _line(c) for pair in variants(baselines) if (c := _compared_at(*pair, share)) is not None
    ] or ["凍結した埋め込みと自分の埋め込みの両方で訓練したモデルの組はない。"]
    return Markdown("\n".join(f"- {line}" for line in said))


def _among_equals(run: RunRecord, baselines: list[RunRecord], share: float) -> str:
    """Say how a run's Val PPL stands to those of the baselines that know what it knows."""
    equals = [b for b in baselines if knowledge(b) == knowledge(run)]
    found = {b.name: _compared_at(b, run, share) for b in equals}
    told = [
        f"`{name}` に対して"
        + sentences.behind(sentences.per_size(c.by_size("val_ppl"), sentences.verdict))
        for name, c in found.items()
        if c is not None and "val_ppl" not in c.incomparable
    ]
    head = f"`{run.name}` の Val PPL は、知っていることが同じ"
    return f"{head} {'、'.join(told)}" if told else ""


def _next(runs: list[RunRecord], baselines: list[RunRecord]) -> str:
    """Say what would make the comparison fairer or surer."""
    short = [r.name for r in runs + baselines if cut_short(r)]
    if short:
        return f"`epochs` を増やしてやり直す（{'、'.join(short)}）"
    if any(at_an_end(record) for record in runs + baselines):
        return "選ばれた学習率が候補の端にあるモデルの候補を広げる（「この比較の限界」）"
    return "別のシードと大きさでも確かめる"


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
            said = c["val_ppl"].certain
            apart = "（サイズによって違う）" if sentences.by_size(c.by_size("val_ppl")) else ""
            told[said if said in told else "unclear"].append(f"`{baseline.name}`{apart}")
            samples.add(c.samples[-1])
    words = {"down": "より低く（よく）", "up": "より高く（悪く）", "unclear": f"とは{UNCLEAR}"}
    said_of = [glued("、".join(names), words[key]) for key, names in told.items() if names]
    if not said_of:
        return each
    ending = "" if told["unclear"] else "なっている"
    at = f"{', '.join(map(str, sorted(samples)))} サンプルで"
    return [f"**{at} `{run.name}` の Val PPL は、{'、'.join(said_of)}{ending}。**", *each]


def _beside_unigram(run: RunRecord) -> list[str]:
    """Say at which sizes a run's Val PPL is below that of the unigram model (no interval)."""
    sizes = sorted({r.samples for r in run.results if r.unigram_ppl and r.val_ppl})
    if not sizes or cut_short(run):
        return []
    found = values(run, "val_ppl")
    better = [
        n for n in sizes if moments("val_ppl", found[n])[0] < (run.at(n)[0].unigram_ppl or math.nan)
    ]
    where = f"{', '.join(map(str, better))} サンプル" if better else "どのサイズでもない"
    return [f"`{run.name}` の Val PPL が {UNIGRAM}より低いのは、{where}（区間なし）。"]


def _compared_at(a: RunRecord, b: RunRecord, share: float) -> Comparison | None:
    return compare_runs(a, b, level=share) if {*a.sizes} & {*b.sizes} else None


def _line(c: Comparison) -> str:
    """Say how the PPL of b lies to that of a at the largest common size, with its interval."""
    if "val_ppl" in c.incomparable:
        return f"`{c.a.name}` と `{c.b.name}`: {c.incomparable['val_ppl']}。"
    d = c["val_ppl"]
    ppl = {side: notation.metric("val_ppl", getattr(d, side)) for side in "ab"}
    rest = {"unclear": f"で、{UNCLEAR}"}.get(d.certain, "")
    rest = f"で、{SMALL}" if d.small and not rest else rest
    other = sentences.by_size(c.by_size("val_ppl"))
    return (
        f"`{c.b.name}` の Val PPL {ppl['b']} は `{c.a.name}` の {ppl['a']} に対し "
        f"{sentences.with_interval(d)}（{c.samples[-1]} サンプル、シード n={d.seeds}）{rest}"
        + (f"（{other}）。" if other else "。")
    )
