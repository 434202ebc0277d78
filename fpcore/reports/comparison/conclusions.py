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
from fpcore.language import listed, passage, said, spoken, template
from fpcore.notation import METRICS, Markdown, counted, metrics_where, number
from fpcore.paths import together
from fpcore.records.record import RunRecord
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
UNKNOWN = template("片方の記録にしかない条件がある（{names}）ので、影響は分けられない。")
NOT_ALONE = template(
    "片方の記録にしかない条件がある（{names}）ので、この変更だけの影響は分けられない。"
)
TELLING = [m for m in SUMMARY if m != "seconds"]


@section(80, template("## パラメータ変更の影響分析"))
def influence(c: Comparison) -> Markdown:
    """パラメータ変更の影響分析: a part for each changed factor, as far as that can be told."""
    found = factors.changed_factors(c.a, c.b)
    hidden = factors.unknown(c.a, c.b)
    if not found:
        return Markdown(_hidden(UNKNOWN, hidden) or said("変えた条件がないので、影響もない。"))
    parts = [f"### {i}. {_change(c, f)}\n\n{_of(c, f)}" for i, f in enumerate(found, 1)]
    if len(_alive(c)) > 1:
        together = said("### {n}の変更を合わせた差", n=counted(len(_alive(c))))
        parts.append(f"{together}\n\n{_effects(c)}")
    return Markdown("\n\n".join(parts))


@section(90, template("## 結論と推奨設定\n\n### 主要な発見"))
def findings(c: Comparison) -> Markdown:
    """主要な発見: what the comparison shows, and how far that goes."""
    headlines = [c[m] for m in metrics_where(lambda m: m.headline)]
    known = listed(sentences.metric(d, d.direction) for d in headlines)
    names = {"a": c.a.name, "b": c.b.name}
    lines = [
        said("{n} サンプルで、{b} は {a} より: {known}。", n=c.samples[-1], known=known, **names)
        if _told(c)
        else said("{n} サンプルで、どの指標にも方向を言える差はない。", n=c.samples[-1]),
        *(_apart(c, d.metric) for d in headlines),
        *sentences.not_comparable(c, [d.metric for d in headlines]),
        in_words(trade_off(c.records, c.samples)),
        _factor_finding(c),
    ]
    return Markdown("\n".join(f"{i}. {line}" for i, line in enumerate(filter(None, lines), 1)))


def _apart(c: Comparison, metric: str) -> str:
    """Say at which sizes other things hold of a metric than at the largest one."""
    found = sentences.by_size(c.by_size(metric))
    if not found:
        return ""
    label = METRICS[metric].name
    return said("{label} について言えることは、サイズによって違う: {found}。",
                label=label, found=found)  # fmt: skip


@section(110, template("### 推奨設定"))
def recommended(c: Comparison) -> Markdown:
    """推奨設定: the changed knobs of the run with the lower PPL, where one can be told."""
    last = c["val_ppl"]
    knobs = [k for k in factors.changed(c.a, c.b) if k not in factors.MEASURING_KNOBS]
    if not last.told or not knobs:
        return Markdown(said("Val PPL からは、どちらの設定も勧められない。"))
    better, worse = (c.a, c.b) if last.direction == "up" else (c.b, c.a)
    dead = {knob for factor in factors.inert(c.a, c.b, c.others) for knob in factor}
    idle = f"  # {said('効いていない')}"
    lines = [f"{k} = {better.config[k]!r}" + (idle if k in dead else "") for k in knobs]
    return Markdown(f"{_lower(c, better, worse)}\n\n```python\n" + "\n".join(lines) + "\n```")


def _lower(c: Comparison, better: RunRecord, worse: RunRecord) -> str:
    """Say which run has the lower PPL, and how far that goes."""
    last, found = c["val_ppl"], c.by_size("val_ppl").items()
    low, high = (number(value, 1) for value in sorted((last.a, last.b)))
    told = [
        said("{n} サンプルで Val PPL が低いのは {run}（{low} 対 {high}）。",
             n=c.samples[-1], run=better.name, low=low, high=high)
    ]  # fmt: skip
    if last.small:
        told.append(said("差はあるが小さい（{margin}）。", margin=sentences.below("val_ppl")))
    if contrary := [n for n, d in found if d.told and d.direction != last.direction]:
        places = notation.sizes(contrary)
        told.append(said("ただし {places}では {run} の方が低い。", places=places, run=worse.name))
    if c.seeds < 2:
        told.append(said("シードが 1 つなので、推奨ではなく次の実験の出発点である。"))
    return passage(*told)


def checked(c: Comparison) -> Verdicts:
    """検証: the outcomes of all checks on the records of a comparison."""
    return run_checks(c.records)


@section(120, template("### 今後の検討"), concludes=True)
def next_steps(c: Comparison, checked: Verdicts) -> Markdown:
    """今後の検討: what would settle each open check, and the YAML of the missing runs."""
    lines = [f"{i}. {_step(check)}" for i, check in enumerate(checked.open(), 1)]
    missing = factors.missing_runs(c.a, c.b, c.records)
    blocks = [_missing(c, name, text) for name, text in missing.items()]
    if not lines:
        return Markdown(said("検証に残った問題はない。"))
    return Markdown("\n\n".join(["\n".join(lines), *blocks, *_again(c, list(missing))]))


def params_file(c: Comparison, name: str) -> str:
    """Return the path of the YAML of a missing run, from the root of the book."""
    folder = together([c.a.name, c.b.name]) + ("/en" if spoken() == "en" else "")
    return f"reports/{folder}/params/{name}.yaml"


@section(150, template("## 検証"), concludes=True)
def _verdicts(c: Comparison, checked: Verdicts) -> Markdown:
    return checked.listed()


def _step(check: Check) -> str:
    return said("**{title}** → {settle}", title=check.title, settle=check.settle)


def _missing(c: Comparison, name: str, text: str) -> str:
    path = params_file(c, name)
    command = (
        f"mkdir -p my && cat > my/{name}.yaml <<'END'\n{text}END\n"
        f"papermill --log-output notebooks/run.ipynb reports/runs/{name}.ipynb "
        f"-f my/{name}.yaml"
    )
    told = said("`{path}` と同じものを `my/` に書いて実行する:", path=path)
    return f"{told}\n\n```bash\n{command}\n```"


def _again(c: Comparison, names: list[str]) -> list[str]:
    if not names:
        return []
    others = [r.name for r in c.others if r.source == "measured"] + names
    command = (
        f"papermill notebooks/compare.ipynb reports/compare.ipynb -p a {c.a.name} -p b {c.b.name} "
        f'-p others "[{", ".join(others)}]"' + (" -p lang en" if spoken() == "en" else "")
    )
    return [f"{said('実行したあとで、加えて比べる:')}\n\n```bash\n{command}\n```"]


def _named_factor(factor: Factor) -> str:
    return listed(f"`{knob}`" for knob in factor)


def _hidden(text: str, knobs: list[str]) -> str:
    """Say what conditions that are recorded of a single run hide; nothing where there are none."""
    shown = listed(f"`{k}`" for k in knobs[:5])
    names = said("{names} など", names=shown) if len(knobs) > 5 else shown
    return said(text, names=names) if knobs else ""


def _change(c: Comparison, factor: Factor) -> str:
    """Return the heading of a changed factor."""
    pairs = [(c.a.config[knob], c.b.config[knob]) for knob in factor]
    text, (x, y) = template("{factor} の変更（{values}）の影響"), pairs[0]
    if len(pairs) == 1 and all(isinstance(v, int | float) for v in (x, y)) and type(x) is not bool:
        more = template("{factor} の増加（{values}）の影響")
        text = more if y > x else template("{factor} の減少（{values}）の影響")
    values = listed(f"{_value(x)}→{_value(y)}" for x, y in pairs)
    return said(text, factor=_named_factor(factor), values=values)


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
        return said("測り方の違いなので、ほかの差と分けて読めない。")
    if hidden:
        return f"{_hidden(NOT_ALONE, hidden)}\n\n{_effects(c)}"
    if alive == [factor]:
        return f"{_alone(c)}\n\n{_effects(c)}"
    alone = factors.single(c.a, c.b, factor, c.others)
    if alone is not None:
        only = compare_runs(c.whole[0], alone)
        head = said("この条件だけを変えた {alone} と {a} の差:", alone=alone.name, a=c.a.name)
        return f"{head}\n\n{_effects(only)}"
    return said(
        "{n}の条件を同時に変えたので、この変更だけの影響は分けられない。"
        "1 つだけ変えた実行が要る（今後の検討）。",
        n=counted(len(alive)),
    )


def _alone(c: Comparison) -> str:
    """Say that the differences come from a single change, as far as the environment allows it."""
    others = len(factors.changed_factors(c.a, c.b)) > 1
    text = (
        template("効いた条件はほかにないので、次の差はこの変更によると読める{apart}。")
        if others
        else template("変えた条件はこれだけなので、次の差はこの変更によると読める{apart}。")
    )
    found = _elsewhere(c)
    apart = said("（環境の違いを除けば: {found}）", found=listed(found)) if found else ""
    return said(text, apart=apart)


def _without_effect(c: Comparison, factor: Factor) -> str:
    norm = factors.never_clipped(c.a, c.b)
    if factor == ("gradient_clip",) and norm is not None:
        text = template("勾配ノルムは最大 {norm} で、どちらのクリップも一度も働かない。")
        why = said(text, norm=number(norm, 4))
    elif factors.same_trace(c.a, c.b) and set(factor) <= factors.TRACED_KNOBS:
        text = template("両方にある {n} 反復で、収束率も損失も完全に一致する。")
        why = said(text, n=len(c.shared_iterations))
    else:
        why = said("これだけを変えても、結果がすべて同じである。")
    names = {"a": c.a.name, "b": c.b.name}
    return said("効いていない: {why}{a} と {b} の差はこの条件によらない。", why=why, **names)


def _effects(c: Comparison) -> str:
    """List the metrics that moved for the better, for the worse, and those that cannot be told."""
    found = [d for d in c.differences if d.metric in BETTER]
    moved = [(_sign(d) * BETTER[d.metric], d) for d in found if d.told]
    groups = {
        template("メリット"): [_moved(d) for sign, d in moved if sign > 0],
        template("デメリット"): [_moved(d) for sign, d in moved if sign < 0],
        sentences.UNCLEAR: _labels(found, "unclear"),
        sentences.TINY: _labels(found, "tiny"),
        template("同じ"): _labels(found, "same"),
        template("比べられない"): [
            METRICS[d.metric].name
            for d in found
            if d.metric in c.incomparable and d.metric in TELLING
        ],
    }
    parts = []
    for group, found_there in groups.items():
        head = said("**{group}（{n} サンプル）**:", group=said(group), n=c.samples[-1])
        items = "\n".join(f"- {x}" for x in found_there)
        parts += [f"{head}\n\n{items}"] if found_there else []
    return "\n\n".join(parts)


def _elsewhere(c: Comparison) -> list[str]:
    """Return what differs of the environments of the two runs, where both know theirs."""
    known = c.a.environment and c.b.environment
    return environment_differences(c.a, c.b) if known else []


def _sign(d: MetricDifference) -> int:
    return 1 if d.direction == "up" else -1


def _labels(found: list[MetricDifference], direction: str) -> list[str]:
    return [METRICS[d.metric].name for d in found if d.direction == direction]


def _moved(d: MetricDifference) -> str:
    facts = METRICS[d.metric]
    word = said(facts.moved[0 if d.direction == "up" else 1])
    a, b = (notation.metric(d.metric, value) for value in (d.a, d.b))
    gap = notation.with_relative(d.metric, d.difference, d.relative)
    gap = gap.replace(" (", said("、")).removesuffix(")")
    gap = listed([gap, said(sentences.SMALL) if d.small else ""])
    return said("{label!g}が{word}: {a} → {b}（{gap}）",
                label=facts.name, word=word, a=a, b=b, gap=gap)  # fmt: skip


def _factor_finding(c: Comparison) -> str:
    """Say which of the changed factors can be behind the differences."""
    found, alive = factors.changed_factors(c.a, c.b), _alive(c)
    gone = listed(_named_factor(f) for f in found if f not in alive)
    idle = said("{knobs} は効いていない。", knobs=gone) if gone else ""
    if factors.unknown(c.a, c.b):
        what = said("片方の記録にしかない条件があるので、差が何によるかは言えない。")
        return passage(idle, what)
    return passage(idle, _behind(c, alive)) if alive and _told(c) else idle


def _behind(c: Comparison, alive: list[Factor]) -> str:
    """Say which of the factors that acted are behind the differences."""
    names, elsewhere = listed(map(_named_factor, alive)), listed(_elsewhere(c))
    if len(alive) == 1 and elsewhere:
        return said("差は {names} か、環境の違い（{elsewhere}）による。",
                    names=names, elsewhere=elsewhere)  # fmt: skip
    if len(alive) == 1:
        return said("差は {names} による。", names=names)
    if all(factors.single(c.a, c.b, f, c.others) is not None for f in alive):
        return said("{names} の効果は、1 つだけ変えた実行で分けて示した（影響分析）。", names=names)
    return said("差は {names} のどれによるか分けられない。", names=names)
