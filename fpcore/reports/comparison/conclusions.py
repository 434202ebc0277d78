"""The sections of the report that conclude: what the changes did, what stands, what to run next.

Every sentence is chosen by rule from the comparison and the outcomes of the checks.
"""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import Check, Verdicts
from fpcore.analysis.checks.registry import run_checks
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.factors import Factor
from fpcore.analysis.trade_off import in_words, trade_off
from fpcore.language import listed, passage, said, spoken, template
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import Markdown, number
from fpcore.paths import together
from fpcore.records.record import RunRecord
from fpcore.reports import sentences
from fpcore.reports.comparison.effects import TELLING, alive_in, elsewhere, named
from fpcore.reports.comparison.section import section

__all__ = [
    "checked",
    "findings",
    "next_steps",
    "params_file",
    "recommended",
]


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


def _told(c: Comparison) -> bool:
    """Whether any metric but the run time has a difference whose direction can be told."""
    return any(c[metric].told for metric in TELLING)


def _factor_finding(c: Comparison) -> str:
    """Say which of the changed factors can be behind the differences."""
    found, alive = factors.changed_factors(c.a, c.b), alive_in(c)
    gone = listed(named(f) for f in found if f not in alive)
    idle = said("{knobs} は効いていない。", knobs=gone) if gone else ""
    if factors.unknown(c.a, c.b):
        what = said("片方の記録にしかない条件があるので、差が何によるかは言えない。")
        return passage(idle, what)
    return passage(idle, _behind(c, alive)) if alive and _told(c) else idle


def _behind(c: Comparison, alive: list[Factor]) -> str:
    """Say which of the factors that acted are behind the differences."""
    names, apart = listed(map(named, alive)), listed(elsewhere(c))
    if len(alive) == 1 and apart:
        return said("差は {names} か、環境の違い（{apart}）による。", names=names, apart=apart)
    if len(alive) == 1:
        return said("差は {names} による。", names=names)
    if all(factors.single(c.a, c.b, f, c.others) is not None for f in alive):
        return said("{names} の効果は、1 つだけ変えた実行で分けて示した（影響分析）。", names=names)
    return said("差は {names} のどれによるか分けられない。", names=names)
