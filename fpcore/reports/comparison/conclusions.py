"""The sections of the report that conclude: what the changes did, what stands, what to run next.

Every sentence is chosen by rule from the comparison and the outcomes of the checks.
"""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import Check, Verdicts
from fpcore.analysis.checks.of_records import environment_differences
from fpcore.analysis.checks.registry import run_checks
from fpcore.analysis.comparison import SUMMARY, Comparison, compare_runs
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.factors import Factor
from fpcore.analysis.trade_off import in_words, trade_off
from fpcore.notation import METRICS, Markdown, counted, glued, metrics_where, number
from fpcore.paths import together
from fpcore.reports import sentences
from fpcore.reports.comparison.section import section

__all__ = [
    "checked",
    "findings",
    "influence",
    "next_steps",
    "params_file",
    "recommended",
]

# What a change may be for the better or the worse in; what speaks for a difference of the runs.
BETTER = {m: METRICS[m].better for m in SUMMARY if METRICS[m].better}
TELLING = [m for m in SUMMARY if m != "seconds"]


@section(80, "## パラメータ変更の影響分析")
def influence(c: Comparison) -> Markdown:
    """パラメータ変更の影響分析: a part for each changed factor, as far as that can be told."""
    found = factors.changed_factors(c.a, c.b)
    hidden = factors.unknown(c.a, c.b)
    if not found:
        same = "変えた条件がないので、影響もない。"
        return Markdown(f"{_hidden(hidden)}影響は分けられない。" if hidden else same)
    parts = [
        f"### {i}. {_named_factor(factor)} の{_change(c, factor)}の影響\n\n{_of(c, factor)}"
        for i, factor in enumerate(found, 1)
    ]
    if len(_alive(c)) > 1:
        parts.append(f"### {counted(len(_alive(c)))}の変更を合わせた差\n\n{_effects(c)}")
    return Markdown("\n\n".join(parts))


@section(90, "## 結論と推奨設定\n\n### 主要な発見")
def findings(c: Comparison) -> Markdown:
    """主要な発見: what the comparison shows, and how far that goes."""
    headlines = [c[m] for m in metrics_where(lambda m: m.headline)]
    said = (sentences.metric(d, d.direction) for d in headlines)
    known = "、".join(filter(None, said))
    subject = f"{c.samples[-1]} サンプルで、{c.b.name} は {c.a.name} より"
    lines = [
        f"{subject}: {known}。"
        if _told(c)
        else f"{c.samples[-1]} サンプルで、どの指標にも方向を言える差はない。",
        *(_apart(c, d.metric) for d in headlines),
        *sentences.not_comparable(c, [d.metric for d in headlines]),
        in_words(trade_off(c.records, c.samples)),
        _factor_finding(c),
    ]
    return Markdown("\n".join(f"{i}. {line}" for i, line in enumerate(filter(None, lines), 1)))


def _apart(c: Comparison, metric: str) -> str:
    """Say at which sizes other things hold of a metric than at the largest one."""
    found = sentences.by_size(c.by_size(metric))
    return (
        f"{METRICS[metric].label} について言えることは、サイズによって違う: {found}。"
        if found
        else ""
    )


@section(110, "### 推奨設定")
def recommended(c: Comparison) -> Markdown:
    """推奨設定: the changed knobs of the run with the lower PPL, where one can be told."""
    last = c["val_ppl"]
    knobs = [k for k in factors.changed(c.a, c.b) if k not in factors.MEASURING_KNOBS]
    if not last.told or not knobs:
        return Markdown("Val PPL からは、どちらの設定も勧められない。")
    better, worse = (c.a, c.b) if last.direction == "up" else (c.b, c.a)
    ppl = [number(value, 1) for value in sorted((last.a, last.b))]
    said = f"{c.samples[-1]} サンプルで Val PPL が低いのは {better.name}（{ppl[0]} 対 {ppl[1]}）。"
    by_size = c.by_size("val_ppl").items()
    contrary = [n for n, d in by_size if d.told and d.direction != last.direction]
    said += f"{sentences.SMALL}（{sentences.below('val_ppl')}）。" if last.small else ""
    if contrary:
        said += f"ただし {notation.sizes(contrary)}では {worse.name} の方が低い。"
    if c.seeds < 2:
        said += "シードが 1 つなので、推奨ではなく次の実験の出発点である。"
    dead = {knob for factor in factors.inert(c.a, c.b, c.others) for knob in factor}
    lines = [
        f"{k} = {better.config[k]!r}" + ("  # 効いていない" if k in dead else "") for k in knobs
    ]
    return Markdown(f"{said}\n\n```python\n" + "\n".join(lines) + "\n```")


def checked(c: Comparison) -> Verdicts:
    """検証: the outcomes of all checks on the records of a comparison."""
    return run_checks(c.records)


@section(120, "### 今後の検討", concludes=True)
def next_steps(c: Comparison, checked: Verdicts) -> Markdown:
    """今後の検討: what would settle each open check, and the YAML of the missing runs."""
    lines = [f"{i}. {_step(check)}" for i, check in enumerate(checked.open(), 1)]
    missing = factors.missing_runs(c.a, c.b, c.records)
    blocks = [_missing(c, name, text) for name, text in missing.items()]
    if not lines:
        return Markdown("検証に残った問題はない。")
    return Markdown("\n\n".join(["\n".join(lines), *blocks, *_again(c, list(missing))]))


def params_file(c: Comparison, name: str) -> str:
    """Return the path of the YAML of a missing run, from the root of the book."""
    return f"reports/{together([c.a.name, c.b.name])}/params/{name}.yaml"


@section(150, "## 検証", concludes=True)
def _verdicts(c: Comparison, checked: Verdicts) -> Markdown:
    return checked.listed()


def _step(check: Check) -> str:
    return f"**{check.title}** → {check.settle}"


def _missing(c: Comparison, name: str, text: str) -> str:
    path = params_file(c, name)
    command = (
        f"mkdir -p my && cat > my/{name}.yaml <<'END'\n{text}END\n"
        f"papermill --log-output notebooks/run.ipynb reports/runs/{name}.ipynb "
        f"-f my/{name}.yaml"
    )
    return f"`{path}` と同じものを `my/` に書いて実行する:\n\n```bash\n{command}\n```"


def _again(c: Comparison, names: list[str]) -> list[str]:
    if not names:
        return []
    others = [r.name for r in c.others if r.source == "measured"] + names
    command = (
        f"papermill notebooks/compare.ipynb reports/compare.ipynb -p a {c.a.name} -p b {c.b.name} "
        f'-p others "[{", ".join(others)}]"'
    )
    return [f"実行したあとで、加えて比べる:\n\n```bash\n{command}\n```"]


def _named_factor(factor: Factor) -> str:
    return "、".join(f"`{knob}`" for knob in factor)


def _hidden(knobs: list[str]) -> str:
    shown = "、".join(f"`{k}`" for k in knobs[:5]) + (" など" if len(knobs) > 5 else "")
    return f"片方の記録にしかない条件がある（{shown}）ので、" if knobs else ""


def _change(c: Comparison, factor: Factor) -> str:
    pairs = [(c.a.config[knob], c.b.config[knob]) for knob in factor]
    word, (x, y) = "変更", pairs[0]
    if len(pairs) == 1 and all(isinstance(v, int | float) for v in (x, y)):
        word = "変更" if isinstance(x, bool) else "増加" if y > x else "減少"
    shown = "、".join(f"{_value(x)}→{_value(y)}" for x, y in pairs)
    return f"{word}（{shown}）"


def _value(value: object) -> str:
    return notation.escaped(notation.knob_value(value))


def _alive(c: Comparison) -> list[Factor]:
    return factors.alive(c.a, c.b, c.others)


def _told(c: Comparison) -> bool:
    """Whether any metric but the run time has a difference whose direction can be told."""
    return any(c[metric].told for metric in TELLING)


def _of(c: Comparison, factor: Factor) -> str:
    """Say what one change did, or why that cannot be told."""
    alive, hidden = _alive(c), factors.unknown(c.a, c.b)
    if factor not in alive:
        return _without_effect(c, factor)
    if set(factor) <= factors.MEASURING_KNOBS:
        return "測り方の違いなので、ほかの差と分けて読めない。"
    if hidden:
        return f"{_hidden(hidden)}この変更だけの影響は分けられない。\n\n{_effects(c)}"
    if alive == [factor]:
        others = len(factors.changed_factors(c.a, c.b)) > 1
        why = "効いた条件はほかにないので" if others else "変えた条件はこれだけなので"
        apart = f"（環境の違いを除けば: {'、'.join(_elsewhere(c))}）" if _elsewhere(c) else ""
        return f"{why}、次の差はこの変更によると読める{apart}。\n\n{_effects(c)}"
    alone = factors.single(c.a, c.b, factor, c.others)
    if alone is not None:
        only = compare_runs(c.whole[0], alone)
        return f"この条件だけを変えた {alone.name} と {c.a.name} の差:\n\n{_effects(only)}"
    return (
        f"{counted(len(alive))}の条件を同時に変えたので、この変更だけの影響は分けられない。"
        "1 つだけ変えた実行が要る（今後の検討）。"
    )


def _without_effect(c: Comparison, factor: Factor) -> str:
    norm = factors.never_clipped(c.a, c.b)
    if factor == ("gradient_clip",) and norm is not None:
        why = f"勾配ノルムは最大 {number(norm, 4)} で、どちらのクリップも一度も働かない。"
    elif factors.same_trace(c.a, c.b) and set(factor) <= factors.TRACED_KNOBS:
        rows = len(c.shared_iterations)
        why = f"両方にある {rows} 反復で、収束率も損失も完全に一致する。"
    else:
        why = "これだけを変えても、結果がすべて同じである。"
    return f"効いていない: {why}{c.a.name} と {c.b.name} の差はこの条件によらない。"


def _effects(c: Comparison) -> str:
    """List the metrics that moved for the better, for the worse, and those that cannot be told."""
    found = [d for d in c.differences if d.metric in BETTER]
    moved = [(_sign(d) * BETTER[d.metric], d) for d in found if d.told]
    groups = {
        "メリット": [_moved(d) for sign, d in moved if sign > 0],
        "デメリット": [_moved(d) for sign, d in moved if sign < 0],
        sentences.UNCLEAR: _labels(found, "unclear"),
        sentences.TINY: _labels(found, "tiny"),
        "同じ": _labels(found, "same"),
        "比べられない": [
            METRICS[d.metric].label
            for d in found
            if d.metric in c.incomparable and d.metric in TELLING
        ],
    }
    size = f"（{c.samples[-1]} サンプル）"
    parts = [f"**{k}{size}**:\n\n" + "\n".join(f"- {x}" for x in v) for k, v in groups.items() if v]
    return "\n\n".join(parts)


def _elsewhere(c: Comparison) -> list[str]:
    """Return what differs of the environments of the two runs, where both know theirs."""
    known = c.a.environment and c.b.environment
    return environment_differences(c.a, c.b) if known else []


def _sign(d: MetricDifference) -> int:
    return 1 if d.direction == "up" else -1


def _labels(found: list[MetricDifference], direction: str) -> list[str]:
    return [METRICS[d.metric].label for d in found if d.direction == direction]


def _moved(d: MetricDifference) -> str:
    facts = METRICS[d.metric]
    word = facts.moved[0 if d.direction == "up" else 1]
    a, b = (notation.metric(d.metric, value) for value in (d.a, d.b))
    gap = notation.with_relative(d.metric, d.difference, d.relative)
    gap = gap.replace(" (", "、").removesuffix(")")
    small = f"、{sentences.SMALL}" if d.small else ""
    return f"{glued(facts.label, 'が')}{word}: {a} → {b}（{gap}{small}）"


def _factor_finding(c: Comparison) -> str:
    """Say which of the changed factors can be behind the differences."""
    found, alive = factors.changed_factors(c.a, c.b), _alive(c)
    gone = "、".join(_named_factor(f) for f in found if f not in alive)
    said = f"{gone} は効いていない。" if gone else ""
    if factors.unknown(c.a, c.b):
        return said + "片方の記録にしかない条件があるので、差が何によるかは言えない。"
    if not alive or not _told(c):
        return said
    names = "、".join(_named_factor(f) for f in alive)
    if len(alive) == 1:
        apart = f" か、環境の違い（{'、'.join(_elsewhere(c))}）" if _elsewhere(c) else " "
        return f"{said}差は {names}{apart}による。"
    if all(factors.single(c.a, c.b, f, c.others) is not None for f in alive):
        return f"{said}{names} の効果は、1 つだけ変えた実行で分けて示した（影響分析）。"
    return f"{said}差は {names} のどれによるか分けられない。"
