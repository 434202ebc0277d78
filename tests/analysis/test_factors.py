"""Of several changed conditions, what a report says of them is one thing from top to end."""

import subprocess
from pathlib import Path
from typing import Any

import yaml
from helpers.records import run, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcore import RunConfig, RunRecord, compare_runs
from fpcore.analysis import factors
from fpcore.reports.comparison import conclusions, effects, gist, report, sections

CHANGED: dict[str, Any] = {
    "max_iter": 100, "gradient_clip": 2.0, "phase1_lr": 0.1, "patience": 9, "dist_reg_weight": 0.5,
}  # fmt: skip
KNOBS = st.sets(st.sampled_from(sorted(CHANGED)), max_size=3)


def whole(name: str, *knobs: str, clipped: bool = False, acts: bool = True) -> RunRecord:
    """A run with every knob, some of them changed; one that `acts` has other figures."""
    config = RunConfig(name=name).model_dump() | {k: CHANGED[k] for k in knobs}
    norm = 1.5 if clipped else 0.01
    moved = {"val_er": 0.6, "val_ppl": 300.0} if acts and knobs else {}
    return run(name, config, phase1=trace(1.0, norm), **moved)


@settings(max_examples=25)
@given(KNOBS, st.booleans(), st.booleans(), KNOBS)
def test_the_report_does_not_contradict_itself(
    knobs: set[str], clipped: bool, acts: bool, single: set[str]
) -> None:
    """It cannot be told which one it was, or it was one of them, or none; never two of these."""
    a = whole("a", clipped=clipped)
    b = whole("b", *sorted(knobs), clipped=clipped, acts=acts)
    others = [whole(f"only-{k}", k, clipped=clipped) for k in sorted(single & knobs)]
    c = compare_runs(a, b, others)
    checked = conclusions.checked(c)
    opening, last = gist(c, checked), conclusions.next_steps(c, checked)
    parts = [sections.conditions(c), effects.influence(c), conclusions.findings(c)]
    text = "\n".join([opening, *parts, last])
    acting, open_ = factors.alive(a, b, c.records), factors.unseparated(a, b, c.records)
    cannot = ["どれによるものかは" in text, "のどれによるか分けられない" in text]
    assert cannot == [bool(open_)] * 2
    told = "この変更によると読める" in text
    assert told is (len(acting) == 1) and not (told and any(cannot))
    assert ("と同じものを `my/` に書いて実行する" in text) is bool(open_)
    assert {*factors.missing_runs(a, b, c.records)} == {*_names(a, b, open_)}
    assert ("は効いていない" in opening) is bool(factors.inert(a, b, c.records))


def _names(a: RunRecord, b: RunRecord, open_: list[factors.Factor]) -> list[str]:
    base = RunConfig(**a.config)
    return [base.varied(**{k: b.config[k] for k in factor}).name for factor in open_]


def test_the_command_of_a_missing_run_needs_no_file_and_no_default(tmp_path: Path) -> None:
    """It writes the whole config itself: run in an empty folder, papermill put aside."""
    a, b = whole("a", clipped=True), whole("b", "max_iter", "gradient_clip", clipped=True)
    c = compare_runs(a, b)
    text = conclusions.next_steps(c, conclusions.checked(c))
    blocks = [block.split("```")[0] for block in text.split("```bash\n")[1:]]
    for block in blocks[:2]:
        script = f'papermill() {{ test -f "${{@: -1}}"; }}\n{block}'
        assert subprocess.run(["bash", "-ec", script], cwd=tmp_path).returncode == 0
    made = {path.stem: yaml.safe_load(path.read_text()) for path in tmp_path.glob("my/*")}
    assert {*made} == {"a-max_iter100", "a-gradient_clip2.0"}
    for name, knobs in made.items():
        assert {*knobs} == {*RunConfig.model_fields} and RunConfig(**knobs).name == name


def test_what_other_machines_may_have_done_is_not_put_on_the_knob() -> None:
    a, b = whole("a"), whole("b", "max_iter")
    assert "差は `max_iter` による" in conclusions.findings(compare_runs(a, b))
    other = b.model_copy(update={"environment": b.environment | {"processor": "q"}})
    said = report.render(compare_runs(a, other))
    assert "差は `max_iter` か、環境の違い（processor）による" in said
    assert "環境の違いを除けば: processor" in said
