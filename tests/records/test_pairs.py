"""What of two records can be compared: times between runs of one machine alone."""

from typing import Any

from helpers.records import edited, run
from hypothesis import given
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.analysis.checks.of_records import environments
from fpcore.records.record import RunRecord
from fpcore.reports.comparison import findings, influence, summary

MACHINES = st.fixed_dictionaries(
    {},
    optional={
        "machine_id": st.sampled_from(["m", "other"]),
        "threads": st.sampled_from([1, 2]),
        "load": st.sampled_from([0.3, 1.4, 2.2, 7.0]),
    },
)


def on(name: str, machine: dict[str, Any], seconds: float) -> RunRecord:
    """A run that took some seconds at every size on a machine."""
    knobs = {} if name == "a" else {"max_iter": 100}
    base = run(name, knobs, seconds={"phase1": seconds}, val_er=0.7 if name == "a" else 0.6)
    plain = {k: v for k, v in base.environment.items() if k not in ("machine_id", "threads")}
    return edited(base, environment=plain | machine)


def undisturbed(machine: dict[str, Any]) -> bool:
    """Whether nothing is known of anything else that ran."""
    return bool(machine.get("load", 0) <= machine.get("threads", 0) + 0.5)


@given(MACHINES, MACHINES)
def test_times_stand_as_an_effect_between_runs_of_one_machine_alone(
    a: dict[str, Any], b: dict[str, Any]
) -> None:
    """Else the difference is a dash, and one note says why; all the rest is compared as before."""
    keys = ("machine_id", "threads")
    same = all(a.get(k) is not None and a.get(k) == b.get(k) for k in keys)
    can = same and undisturbed(a) and undisturbed(b)
    c = compare_runs(on("a", a, 60.0), on("b", b, 6000.0))
    text = "\n".join(part(c) for part in (summary, influence, findings))
    row = next(line for line in text.splitlines() if line.startswith("| 実行時間"))
    assert ("実行時間が延びた" in text, "+9900%" in text.replace(",", "")) == (can, can)
    assert row.rstrip(" |").endswith("–") is not can
    assert text.count("実行時間は、") == (0 if can else 1)
    assert c["val_ppl"].direction != "unknown" and "Val ER が下がった" in text


def test_print_compares_its_own_times() -> None:
    known = {name: edited(on(name, {}, 60.0), document="a.md") for name in "ab"}
    assert "seconds" not in compare_runs(known["a"], known["b"]).incomparable
    other = edited(known["b"], document="b.md")
    assert "seconds" in compare_runs(known["a"], other).incomparable


def test_another_machine_is_not_called_the_same() -> None:
    here = {"machine_id": "m", "threads": 2}
    found = environments([on("a", here, 60.0), on("b", here | {"machine_id": "n"}, 60.0)])
    assert "計算機は別" in found.evidence
    other = edited(run("b"), environment=run("b").environment | {"processor": "q"})
    assert "processor" in environments([run("a"), other]).evidence
