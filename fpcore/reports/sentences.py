"""Sentences that comparisons, studies and baselines share, each chosen by rule."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from fpcore import notation
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.difference import MetricDifference
from fpcore.notation import METRICS, ends, glued, number, percent, sizes
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.stats.scaling import LEAST_SIZES, PowerLaw
from fpcore.stats.uncertainty import LEVEL, Direction

UNCLEAR = "差があるとは言えない"
TINY = "表示の桁では差がない"
SMALL = "差はあるが小さい"
HELPS = {"up": "役に立つと言える", "down": "害になると言える", "same": "まったく同じ"}


def certainty(c: Comparison) -> str:
    """Say what the differences of several seeds rest on; of one seed 要点 says it."""
    if c.seeds < 2:
        return ""
    known = f"± はシード間の標準偏差（シード n={c.seeds}）。"
    return f"{known}方向は差の {level(c.level)} 区間が 0 を含まないときだけ言う。"


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
        return f"{gap(d).removesuffix(shown.partition(']')[2])} {shown}"
    return f"{gap(d)} [{', '.join(percent_ends(d))}]"


def percent_ends(d: MetricDifference) -> list[str]:
    """Write the ends of the interval of what is compared by ratios, in percent."""
    low, high = (100 * end for end in d.ends)
    return [end.replace("+inf%", "∞") for end in ends(low, high, 1, "%")]


def verdict(d: MetricDifference) -> str:
    """Say in a word what may be said of a difference."""
    match d.certain:
        case "up" | "down":
            return ("高い" if d.certain == "up" else "低い") + (f"（{SMALL}）" if d.small else "")
        case "same":
            return "同じ"
        case "tiny":
            return TINY
    return f"差は {below(d.metric)}" if d.negligible else UNCLEAR


def said(d: MetricDifference) -> str:
    """Say of a difference what may be said, with its interval."""
    return "同じ" if d.certain == "same" else glued(with_interval(d), f"で{verdict(d)}")


def margin(name: str) -> str:
    """Write the smallest difference of a metric that matters in practice."""
    facts = METRICS[name]
    share = facts.logged or facts.unit == "%"
    value = number(100 * facts.margin, 0) if share else number(facts.margin, 2)
    return f"{value} %" if facts.logged else f"{value} ポイント" if share else value


def direction(differences: Mapping[int, MetricDifference], subject: str, up: str, down: str) -> str:
    """Say at which sizes b is above or below a, and where no difference can be told."""
    keys = ("up", "down", "same", "tiny", "unclear")
    said = {key: [n for n, d in differences.items() if d.direction == key] for key in keys}
    known = sum(map(len, said.values()))
    if not known:
        return "比べられる値がない。"
    if len(said["same"]) == known:
        return "差はない。"
    whole = len(differences) == known > 1
    places = {
        key: f"全 {known} サイズ" if whole and len(v) == known else sizes(v)
        for key, v in said.items()
    }
    sides = [
        f"{places[key]}で{word}" for key, word in (("down", down), ("up", up)) if len(said[key])
    ]
    rest = [
        f"{places[key]}では{word}。"
        for key, word in (("same", "同じ"), ("tiny", TINY), ("unclear", UNCLEAR))
        if len(said[key])
    ]
    return (f"{subject}{'、'.join(sides)}。" if sides else "") + "".join(rest)


def spread(values: Iterable[float], text: Callable[[float], str]) -> str:
    """Give the smallest and the largest of some differences, as `text` writes them."""
    known = [value for value in values if not math.isnan(value)]
    if not any(known):
        return ""
    low, high = text(min(known)), text(max(known))
    return f"差は {low}。" if low == high else f"差は {glued(low, 'から')} {high}。"


def unigram(c: Comparison) -> str:
    """Say from which size on each run beats the unigram model of the same tokens."""
    ppl = {n: d for n, d in c.by_size("val_ppl").items() if n in c.unigram}
    said = []
    for side, name in (("a", c.a.name), ("b", c.b.name)):
        values = {n: float(getattr(d, side)) for n, d in ppl.items()}
        better = [n for n, value in values.items() if value < c.unigram[n]]
        known = not all(map(math.isnan, values.values()))
        if known and not cut_short(getattr(c, side)):
            said.append(f"{name}: {sizes(better) if better else 'どのサイズでもない'}")
    means = "（シードの平均で）" if c.seeds > 1 else ""
    return f"unigram モデルに勝るのは{means}、{'; '.join(said)}。" if said else ""


def below(name: str) -> str:
    """Say that something is smaller than what matters in practice."""
    return glued(margin(name), "未満")


def combined_interval(c: Comparison) -> str:
    """Give the interval of the difference of PPL at the largest size, and what it rests on."""
    d = c["val_ppl"]
    if math.isnan(d.low) or d.direction in ("same", "unknown"):
        return ""
    sources = [
        *(["シード"] if d.by_seeds.known else []),
        *(["検証会話"] if d.by_text.known else []),
    ]
    low, high = percent_ends(d)
    said = f"{c.samples[-1]} サンプルの差の {level(c.level)} 区間（{'と'.join(sources)}による）は "
    said += f"{low} から {high}"
    return said + ("で、0 を含む。" if d.direction == "unclear" else "。")


def alpha(c: Comparison) -> str:
    """Say whose overall α is steeper."""
    d = c["alpha"]
    gap = f"（差 {notation.difference('alpha', d.difference)}）"
    match d.direction:
        case "up" | "down":
            word = "緩やか" if d.direction == "up" else "急峻"
            return f"全体の α は {c.a.name} より {c.b.name} の方が{word}{gap}。"
        case "same":
            return "差はない。"
        case "tiny":
            return f"全体の α に{TINY}。"
        case "unclear":
            return f"全体の α に{UNCLEAR}{gap}。"
    return f"α は {LEAST_SIZES} サイズ以上で求める（共通のサイズが足りない）。"


def intervals(c: Comparison) -> str:
    """Give the 95 % interval of each run's overall α, from the residuals of its fit."""
    said = []
    for record in (c.a, c.b):
        fits = c.fits(record)
        if fits and fits[-1][2].n > 2:
            fit = fits[-1][2]
            half = number(fit.half_width, 3)
            said.append(
                f"{record.name} は α = {number(fit.alpha, 3)} ± {half}（自由度 {fit.n - 2}）"
            )
    if not said:
        return ""
    return (
        f"当てはめの残差による 95 % 区間: {'、'.join(said)}。この幅は当てはまりの悪さで、両方に"
        "共通するので、α どうしの差の物差しにはならない。"
    )


def progression(c: Comparison, record: RunRecord) -> list[str]:
    """Give α and R² of each window of a run, and Δα from the first window to the last."""
    fits = c.fits(record)
    if not fits:
        return [f"- α は {LEAST_SIZES} サイズ以上で求める（共通のサイズが足りない）。"]
    lines = [
        f"- {title}: α = {number(fit.alpha, 3)}, R² = {number(fit.r_squared, 3)}"
        for title, (_, _, fit) in zip(window_names(fits), fits, strict=True)
    ]
    if len(fits) > 2:
        first, last = fits[0][2].alpha, fits[-2][2].alpha
        share = percent((last - first) / abs(first) if first else None, signed=True)
        lines.append(f"- Δα = {number(last - first, 3, signed=True)} ({share})")
    return lines


def metric(d: MetricDifference, direction: Direction) -> str:
    """Say of the difference of one metric how b stands to a, as far as `direction` allows it.

    It says of a difference that it is small in practice, and of one that cannot be told that it
    would be, where that is certain.
    """
    label = METRICS[d.metric].label
    match direction:
        case "up" | "down":
            word = "高い" if direction == "up" else "低い"
            small = f"（{SMALL}）" if d.small else ""
            return f"{glued(label, 'は')} {glued(gap(d, signed=False), word)}{small}"
        case "same":
            return glued(label, "は同じ")
        case "tiny":
            return glued(label, f"は{TINY}")
        case "unclear":
            if d.negligible:
                return glued(label, f"の差は、あっても {below(d.metric)}")
            return glued(label, f"に{UNCLEAR}")
    return ""


def by_size(found: Mapping[int, MetricDifference]) -> str:
    """Say what may be said of a metric at each size, where that is not the same at all of them."""
    words = {n: d.certain if d.certain in ("up", "down") else "unclear" for n, d in found.items()
             if d.certain != "unknown"}  # fmt: skip
    if len(set(words.values())) < 2:
        return ""
    told = [f"{n} サンプルで {gap(found[n])}" for n, word in words.items() if word != "unclear"]
    rest = [n for n, word in words.items() if word == "unclear"]
    return "、".join(told) + (f"、{sizes(rest)}では{UNCLEAR}" if rest else "")


def not_comparable(c: Comparison, metrics: Iterable[str] = METRICS) -> list[str]:
    """Say which of some metrics cannot be compared, and why; one sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for name in metrics:
        if why := c.incomparable.get(name):
            reasons.setdefault(why, []).append(METRICS[name].label)
    return [f"{glued('、'.join(names), 'は、')}{why}。" for why, names in reasons.items()]


def per_size(found: Mapping[int, MetricDifference], word: Callable[[MetricDifference], str]) -> str:
    """Give each verdict, the sizes that it holds at, and the interval at the largest of these."""
    places: dict[str, list[int]] = {}
    for n, d in found.items():
        if d.direction != "unknown":
            places.setdefault(word(d), []).append(n)
    parts = []
    for said, own in places.items():
        whole = len(own) == sum(map(len, places.values())) > 1
        where = f"全 {len(own)} サイズ" if whole else sizes(own)
        last, at = found[own[-1]], f"{own[-1]} サンプルで " if len(own) > 1 else ""
        much = "" if last.certain == "same" else f"（{at}{with_interval(last)}）"
        parts.append(f"{where}で{said}{much}")
    return "、".join(parts)


def behind(text: str) -> str:
    """Return a text to stand behind a Japanese one, with a space before Latin and digits."""
    return f" {text}" if text[:1].isascii() and text[:1].isalnum() else text


def worth(record: RunRecord, controls: Sequence[RunRecord], share: float) -> str:
    """Say in one sentence whether phase 1 lowers Val PPL, with intervals of the level `share`.

    The differences are the control's Val PPL less the trained run's, at every size.
    """
    found = [compare_runs(record, control, level=share) for control in controls]
    if not found:
        return ""
    said = "。".join(_said(c) for c in found)
    of = f"差は対照の Val PPL − `{record.name}`、[ ] は {level(share)} 区間"
    return f"Phase 1 の訓練は（{of}）、{said}。"


def _said(c: Comparison) -> str:
    kind = c.b.config["contexts"]
    if "val_ppl" in c.incomparable:
        return f"{kind} に対しては、{c.incomparable['val_ppl']}"
    return f"{kind} に対して{behind(per_size(c.by_size('val_ppl'), helps))}"


def helps(d: MetricDifference) -> str:
    """Say whether training contexts helps, of a control's metric less the trained run's."""
    word = HELPS.get(d.certain, "役に立つとも害になるとも言えない")
    return word + (f"（{SMALL}）" if d.small and d.certain in HELPS else "")


def window_names(fits: Sequence[tuple[int, int, PowerLaw]]) -> list[str]:
    """Return the names of windows of sizes, of which the last spans all."""
    names = [f"Window {i} ({first}–{last})" for i, (first, last, _) in enumerate(fits, 1)]
    return [*names[:-1], *(f"全体 ({first}–{last})" for first, last, _ in fits[-1:])]
