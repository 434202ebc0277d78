"""What reports say of a difference of two runs, each sentence chosen by rule."""

import math
from collections.abc import Callable, Iterable, Mapping

from fpcore import notation
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import POINTS, ends, number, percent, sizes
from fpcore.records.pairs import cut_short
from fpcore.stats.uncertainty import LEVEL, Direction

UNCLEAR = template("差があるとは言えない")
TINY = template("表示の桁では差がない")
SMALL = template("差はあるが小さい")
# At which sizes something holds.
PLACED = {
    "same": template("{places}では同じ。"),
    "tiny": template("{places}では表示の桁では差がない。"),
    "unclear": template("{places}では差があるとは言えない。"),
}
SOURCES = {
    (True, True): template("シードと検証会話による"),
    (True, False): template("シードによる"),
    (False, True): template("検証会話による"),
}


def certainty(c: Comparison) -> str:
    """Say what the differences of several seeds rest on; of one seed 要点 says it."""
    if c.seeds < 2:
        return ""
    return passage(
        said("± はシード間の標準偏差（シード n={n}）。", n=c.seeds),
        said("方向は差の {level} 区間が 0 を含まないときだけ言う。", level=level(c.level)),
    )


def level(share: float) -> str:
    """Write the level of an interval, with two digits of what it leaves out."""
    left_out = 100 * (1 - share)
    digits = 0 if share == LEVEL else max(1, 1 - math.floor(math.log10(left_out)))
    return number(100 * share, digits, " %")


def gap(d: MetricDifference, signed: bool = True) -> str:
    """Write a difference: of what is compared by ratios in percent, else in its unit."""
    if METRICS[d.metric].logged:
        return percent(d.relative if signed else abs(d.relative), signed=signed)
    text = notation.difference(d.metric, d.difference if signed else abs(d.difference))
    return text if signed else text.lstrip("+±")


def with_interval(d: MetricDifference) -> str:
    """Write a difference as `gap` does, with its interval where seeds give it one."""
    if math.isnan(d.low) or d.direction == "unknown" or d.seeds < 2:
        return gap(d)
    if not METRICS[d.metric].logged:
        shown = notation.interval(d.metric, d.low, d.high)
        return f"{gap(d).partition(' ')[0]} {shown}"
    return f"{gap(d)} [{', '.join(percent_ends(d))}]"


def percent_ends(d: MetricDifference) -> list[str]:
    """Write the ends of the interval of what is compared by ratios, in percent."""
    low, high = (100 * end for end in d.ends)
    return [end.replace("+inf%", "∞") for end in ends(low, high, 1, "%")]


def verdict(d: MetricDifference) -> str:
    """Say in a word what may be said of a difference."""
    match d.certain:
        case "up" | "down":
            return qualified(said("高い") if d.certain == "up" else said("低い"), d.small)
        case "same":
            return said("同じ")
        case "tiny":
            return said(TINY)
    return said("差は {margin}", margin=below(d.metric)) if d.negligible else said(UNCLEAR)


def qualified(text: str, small: bool) -> str:
    """Return what is said of a difference, and that it is small where it is."""
    return said("{text}（{small}）", text=text, small=said(SMALL)) if small else text


def told(d: MetricDifference) -> str:
    """Say of a difference what may be said, with its interval."""
    if d.certain == "same":
        return said("同じ")
    return said("{gap!g}で{verdict}", gap=with_interval(d), verdict=verdict(d))


def margin(name: str) -> str:
    """Write the smallest difference of a metric that matters in practice."""
    facts = METRICS[name]
    if facts.logged:
        return number(100 * facts.margin, 0, " %")
    share = facts.unit == "%"
    return number(100 * facts.margin, 0, POINTS) if share else number(facts.margin, 2)


def below(name: str) -> str:
    """Say that something is smaller than what matters in practice."""
    return said("{margin!g}未満", margin=margin(name))


def direction(differences: Mapping[int, MetricDifference], subject: str, up: str, down: str) -> str:
    """Say at which sizes b is above or below a, and where no difference can be told."""
    keys = ("up", "down", *PLACED)
    found = {key: [n for n, d in differences.items() if d.direction == key] for key in keys}
    known = sum(map(len, found.values()))
    if not known:
        return said("比べられる値がない。")
    if len(found["same"]) == known:
        return said("差はない。")
    whole = len(differences) == known > 1
    places = {
        key: every(known) if whole and len(v) == known else sizes(v) for key, v in found.items()
    }
    sides = [
        said("{places}で{word}", places=places[key], word=word)
        for key, word in (("down", down), ("up", up))
        if found[key]
    ]
    rest = [said(text, places=places[key]) for key, text in PLACED.items() if found[key]]
    first = said("{subject}{sides}。", subject=subject, sides=listed(sides)) if sides else ""
    return passage(first, *rest)


def every(known: int) -> str:
    """Name all sizes."""
    return said("全 {n} サイズ", n=known)


def spread(values: Iterable[float], text: Callable[[float], str]) -> str:
    """Give the smallest and the largest of some differences, as `text` writes them."""
    known = [value for value in values if not math.isnan(value)]
    if not any(known):
        return ""
    low, high = text(min(known)), text(max(known))
    if low == high:
        return said("差は {low}。", low=low)
    return said("差は {low!g}から {high}。", low=low, high=high)


def unigram(c: Comparison) -> str:
    """Say from which size on each run beats the unigram model of the same tokens."""
    ppl = {n: d for n, d in c.by_size("val_ppl").items() if n in c.unigram}
    runs = []
    for side, name in (("a", c.a.name), ("b", c.b.name)):
        values = {n: float(getattr(d, side)) for n, d in ppl.items()}
        better = [n for n, value in values.items() if value < c.unigram[n]]
        known = not all(map(math.isnan, values.values()))
        if known and not cut_short(getattr(c, side)):
            runs.append(f"{name}: {sizes(better) if better else said('どのサイズでもない')}")
    if not runs:
        return ""
    if c.seeds > 1:
        return said("unigram モデルに勝るのは（シードの平均で）、{runs}。", runs="; ".join(runs))
    return said("unigram モデルに勝るのは、{runs}。", runs="; ".join(runs))


def combined_interval(c: Comparison) -> str:
    """Give the interval of the difference of PPL at the largest size, and what it rests on."""
    d = c["val_ppl"]
    if math.isnan(d.low) or d.direction in ("same", "unknown"):
        return ""
    low, high = percent_ends(d)
    text = (
        template(
            "{samples} サンプルの差の {level} 区間（{sources}）は {low} から {high}で、0 を含む。"
        )
        if d.direction == "unclear"
        else template("{samples} サンプルの差の {level} 区間（{sources}）は {low} から {high}。")
    )
    sources = said(SOURCES[d.by_seeds.known, d.by_text.known])
    holes = {"samples": c.samples[-1], "level": level(c.level), "sources": sources}
    return said(text, low=low, high=high, **holes)


def metric(d: MetricDifference, direction: Direction) -> str:
    """Say of the difference of one metric how b stands to a, as far as `direction` allows it.

    It says of a difference that it is small in practice, and of one that cannot be told that it
    would be, where that is certain.
    """
    label = METRICS[d.metric].name
    match direction:
        case "up" | "down":
            higher = template("{label!g}は {gap!g}高い"), template("{label!g}は {gap!g}低い")
            text = said(higher[direction == "down"], label=label, gap=gap(d, signed=False))
            return qualified(text, d.small)
        case "same":
            return said("{label!g}は同じ", label=label)
        case "tiny":
            return said("{label!g}は表示の桁では差がない", label=label)
        case "unclear":
            if d.negligible:
                return said(
                    "{label!g}の差は、あっても {margin}", label=label, margin=below(d.metric)
                )
            return said("{label!g}に差があるとは言えない", label=label)
    return ""


def by_size(found: Mapping[int, MetricDifference]) -> str:
    """Say what may be said of a metric at each size, where that is not the same at all of them."""
    words = {n: d.certain if d.certain in ("up", "down") else "unclear" for n, d in found.items()
             if d.certain != "unknown"}  # fmt: skip
    if len(set(words.values())) < 2:
        return ""
    told = [
        said("{n} サンプルで {gap}", n=n, gap=gap(found[n]))
        for n, word in words.items()
        if word != "unclear"
    ]
    rest = [n for n, word in words.items() if word == "unclear"]
    return listed(
        [*told, said("{places}では差があるとは言えない", places=sizes(rest)) * bool(rest)]
    )


def not_comparable(c: Comparison, metrics: Iterable[str] = METRICS) -> list[str]:
    """Say which of some metrics cannot be compared, and why; one sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for name in metrics:
        if why := c.incomparable.get(name):
            reasons.setdefault(why, []).append(METRICS[name].name)
    return [
        said("{labels!g}は、{why}。", labels=listed(names), why=why)
        for why, names in reasons.items()
    ]


def per_size(found: Mapping[int, MetricDifference], word: Callable[[MetricDifference], str]) -> str:
    """Give each verdict, the sizes that it holds at, and the interval at the largest of these."""
    places: dict[str, list[int]] = {}
    for n, d in found.items():
        if d.direction != "unknown":
            places.setdefault(word(d), []).append(n)
    known = sum(map(len, places.values()))
    parts = []
    for verdict, own in places.items():
        where = every(len(own)) if len(own) == known > 1 else sizes(own)
        text = said("{places}で{word}", places=where, word=verdict)
        parts.append(text + _much(found[own[-1]], own))
    return listed(parts)


def _much(last: MetricDifference, sizes: list[int]) -> str:
    """Give the difference at the last of some sizes; nothing where there is none."""
    if last.certain == "same":
        return ""
    if len(sizes) == 1:
        return said("（{gap}）", gap=with_interval(last))
    return said("（{n} サンプルで {gap}）", n=sizes[-1], gap=with_interval(last))
