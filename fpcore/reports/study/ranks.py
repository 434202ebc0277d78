"""What a study says of effective rank: whether convergence costs it, and what it tells of PPL."""

import math
from collections.abc import Callable, Mapping

from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.study import Evidence
from fpcore.analysis.trade_off import strength, trade_off
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import percent
from fpcore.reports import sentences
from fpcore.reports.sentences import gap, metric
from fpcore.reports.study import knobs
from fpcore.stats.uncertainty import Direction

MetricOf = Callable[[str], MetricDifference]
WORDS = {
    "kept": template("ER を保って（Val ER の低下が {below}と言える）収束率が上がる設定: {found}。"),
    "lost": template("収束率は上がるが Val ER が下がる設定: {found}。"),
    "open": template("収束率は上がるが、ER を保つとも失うとも言えない設定: {found}。"),
}


def standing(d: MetricDifference) -> str:
    """Say whether a change keeps a metric, loses it, or leaves it open.

    It is kept where the interval leaves out a loss of the metric's margin (non-inferiority), and
    lost where it does not, and the direction can be told.
    """
    if d.certain == "same" or (d.seeds > 1 and d.ends[0] > -METRICS[d.metric].margin):
        return "kept"
    return "lost" if d.certain == "down" else "open"


def kept(e: Evidence) -> str:
    """Say which changes raise the convergence rate, what that does to ER, and what it costs."""
    groups = _faster(e)
    told = [_group(key, own) for key, own in groups.items() if own]
    return passage(*told, "" if groups.get("kept") else in_short(e))


def _group(key: str, own: Mapping[str, MetricOf]) -> str:
    """Name the changes of a group (WORDS), and what each does."""
    found = (said("{name}（{words}）", name=name, words=_what(of)) for name, of in own.items())
    return said(WORDS[key], below=sentences.below("val_er"), found=listed(found))


def in_short(e: Evidence) -> str:
    """Say whether a change raises the convergence rate and keeps ER; empty where none is known."""
    groups = _faster(e)
    if not groups:
        return ""
    if not any(groups.values()):
        return said("収束率が基準より高いと言える設定は、この中にない。")
    if groups["kept"]:
        return said("ER を保ったまま収束率が上がる設定: {names}。", names=listed(groups["kept"]))
    if groups["open"]:
        return said("ER を保ったまま収束率を上げる設定は、この中にあるとは言えない。")
    return said("ER を保ったまま収束率を上げる設定は、この中にない。")


def _faster(e: Evidence) -> dict[str, dict[str, MetricOf]]:
    """Return the changes that raise the convergence rate, by what they do to ER (WORDS)."""
    changes = _changes(e)
    groups: dict[str, dict[str, MetricOf]] = {key: {} for key in WORDS}
    for name, of in changes.items():
        if of("convergence_rate").certain == "up":
            groups[standing(of("val_er"))][name] = of
    known = any(of("convergence_rate").certain != "unknown" for of in changes.values())
    return groups if known else {}


def _changes(e: Evidence) -> dict[str, MetricOf]:
    """Return what raises or lowers metrics: the steps of a grid, or else each run beside the base.

    Runs outside a grid stand beside the base, too.
    """
    steps: dict[str, MetricOf] = {
        knobs.step(effect): effect.__getitem__ for effect in e.effects if "×" not in effect.of
    }
    alone = [r for r in e.varied if not steps or r in e.outside]
    return steps | {e.said(r): e.comparisons[r.name].__getitem__ for r in alone}


def _what(of: MetricOf) -> str:
    """Give the changes of convergence rate and rank, and what is said of Val PPL."""
    moved = [_moved(of(m)) for m in ("convergence_rate", "val_er")]
    return listed([*moved, metric(of("val_ppl"), of("val_ppl").certain)])


def _moved(d: MetricDifference) -> str:
    return f"{METRICS[d.metric].name} {gap(d)}"


def both_down(e: Evidence) -> list[str]:
    """Name the runs that lose effective rank and gain perplexity: a low rank is not the harm."""
    found = []
    for run, c in e.comparisons.items():
        er, ppl = c["val_er"], c["val_ppl"]
        if er.certain == ppl.certain == "down":
            small = said(sentences.SMALL) if ppl.small else ""
            words = listed([_moved(er), _moved(ppl), small])
            found.append(said("{name}（{words}）", name=e.said(e.record(run)), words=words))
    if not found:
        return []
    return [said("ER が下がり、Val PPL も下がる（よくなる）設定: {found}。", found=listed(found))]


def optimum(e: Evidence) -> str:
    """Say whether the Val PPL of the runs singles out an effective rank.

    The best run is that on development text; the others are those whose rank is told to be higher
    or lower than its. Runs of the same figures count once.
    """
    rank = e.means(e.best).get("val_er", (math.nan, math.nan))[0]
    if math.isnan(rank):
        text = template("最良の {best} に ER はなく、最良の ER は言えない。")
        return said(text, best=e.said(e.best)) if "val_er" in e.metrics else ""
    others = [r for r in e.distinct(e.samples) if r.name not in (e.best.name, *e.twins)]
    told = [e.compared(e.best, r) for r in others]
    higher, lower = (
        [c["val_ppl"].certain for c in told if c["val_er"].certain == side]
        for side in ("up", "down")
    )
    best = {"best": e.said(e.best), "rank": percent(rank)}
    if not higher and not lower:
        text = template(
            "最良の {best}（Val ER {rank}）と ER の差が言える設定がなく、最良の ER は言えない。"
        )
        return passage(said(text, **best), _order(e))
    head = said("ER で見ると、最良の {best!g}は Val ER {rank}、{told}。",
                told=_worse(higher, lower), **best)  # fmt: skip
    return passage(head, _beside_base(e), _singled_out(higher, lower), _order(e))


def best_in_short(e: Evidence) -> str:
    """Name the rank of the best run, and how the base stands to it; empty where that is open."""
    rank = e.means(e.best).get("val_er", (math.nan, math.nan))[0]
    if math.isnan(rank) or e.beside_best.get(e.base.name) not in ("up", "down"):
        return ""
    head = said("最良の {best} の Val ER は {rank}。", best=e.said(e.best), rank=percent(rank))
    return passage(head, _beside_base(e))


def _worse(higher: list[Direction], lower: list[Direction]) -> str:
    """Count the runs of a higher and of a lower rank whose Val PPL is known to be worse."""
    up = template("ER がそれより高い {n} 設定のうち Val PPL が高い（悪い）と言えるのは {worse}")
    down = template("ER がそれより低い {n} 設定のうち Val PPL が高い（悪い）と言えるのは {worse}")
    return listed(
        said(text, n=len(found), worse=found.count("up"))
        for text, found in ((up, higher), (down, lower))
        if found
    )


def _order(e: Evidence) -> str:
    """Say whether the order of the runs by rank is one by PPL, too."""
    found = trade_off(e.records, [e.samples]).correlation
    if found is None:
        return ""
    text = (
        template("全設定の ER と PPL の{strength}。")
        if found.holds
        else template("全設定の ER と PPL の{strength}で、相関があるとは言えない。")
    )
    return said(text, strength=strength(found))


def _singled_out(higher: list[Direction], lower: list[Direction]) -> str:
    """Say what follows for a best rank from the PPL of the runs with a higher and a lower one."""
    if any(told != "up" for told in (*higher, *lower)):
        return said("最良の ER は決まらない。")
    if higher and lower:
        return said("この中ではその付近の ER が最良と言える。")
    if higher:
        return said("この中では、ER の低い方の端が最良である。")
    return said("この中では、ER の高い方の端が最良である。")


def _beside_base(e: Evidence) -> str:
    """Say how the base, with its own rank, stands to the best."""
    if e.base.name in (e.best.name, *e.twins):
        return ""
    rank = e.means(e.base)["val_er"][0]
    d = e.compared(e.best, e.base)["val_ppl"]
    told = metric(d, d.certain)
    text = template("基準（Val ER {rank}）は最良より、{told}。")
    return said(text, rank=percent(rank), told=told) if told else ""
