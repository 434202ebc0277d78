"""Digests of the code by what it says and by role, and the lineage of older ones."""

import ast
import re
from pathlib import Path

import pytest
import torch

from fpcore.config.baseline import NeuralConfig, load_baseline
from fpcore.config.run_config import RunConfig
from fpcore.data import embedding, tokens
from fpcore.paths import ROOT
from fpcore.records.pairs import changed, code_of, in_words
from fpcore.records.record import RunRecord
from fpcore.runs import provenance
from fpcore.runs.provenance import (
    CONTROL,
    KNESER_NEY,
    NEURAL,
    ROLES,
    RUN,
    code_digests,
    environment,
    roles_of,
    said,
)

FOLDER = provenance.FOLDER
COMMITTED = sorted((ROOT / "reports" / "runs").glob("*.json"))
MODULE = """
'''A module.'''

import math
from fpcore.errors import quoted

LIMIT = 3  # of something


@property
def f(x: int) -> str:
    # why
    if x > LIMIT:
        x -= 1
    return f"{x:{math.pi}} # {quoted('a')}"
"""


def committed(path: Path) -> RunRecord:
    return RunRecord.model_validate_json(path.read_bytes())


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_record_is_current(path: Path) -> None:
    record = committed(path)
    if record.source == "imported":
        assert code_of(record) == {}
        return
    roles: tuple[str, ...] = RUN
    if record.label in ("kneser-ney", "lstm", "gpt"):
        own = load_baseline(ROOT / "params" / "baselines" / f"{record.name}.yaml")
        roles = NEURAL if isinstance(own, NeuralConfig) else KNESER_NEY
    elif record.config["contexts"] != "trained":
        roles = CONTROL
    assert changed(record, code_digests(roles)) == []


def test_what_a_module_says_is_known_by_name() -> None:
    assert said(MODULE) == [
        ("LIMIT", "LIMIT = 3 ;"),
        (
            "f",
            "@ property ; def f ( x : int ) -> str : ; { if x > LIMIT : ; { x -= 1 ; "
            "} return f\"{x:{math.pi}} # {quoted('a')}\" ; }",
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # of something", "  # of something else"),
        ("    # why\n", ""),
        ("import math", "import math as m"),
        ("-> str:\n", "-> str:\n    '''Do it.\n\n    At length.\n    '''\n\n"),
        ("'''A module.'''", "# none"),
        ("if x > LIMIT", "if x  >  LIMIT"),
    ],
)
def test_comments_docstrings_imports_and_white_space_do_not_count(old: str, new: str) -> None:
    assert old in MODULE
    assert said(MODULE.replace(old, new)) == said(MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x -= 1", "x += 1"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("@property", "@cached_property"),
        (" # {quoted", " {quoted"),
        ("        x -= 1\n    return", "        x -= 1\n        return"),
    ],
)
def test_what_changes_a_result_counts(old: str, new: str) -> None:
    assert old in MODULE
    assert said(MODULE.replace(old, new)) != said(MODULE)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_not_depend_on_how_it_is_cut_into_files(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its files as one, and a comment and a docstring more, give the same digest."""
    before = code_digests([role])
    sources = [(FOLDER / f"{name.replace('.', '/')}.py").read_text("utf-8") for name in ROLES[role]]
    whole = "\n".join(f'"""A part."""\n# more\n{source}' for source in reversed(sources))
    (tmp_path / "one.py").write_text(whole, "utf-8")
    monkeypatch.setattr(provenance, "FOLDER", tmp_path)
    monkeypatch.setitem(ROLES, role, ("one",))
    assert code_digests([role]) == before
    signs = re.sub(r"^( +return) (?=\w)", r"\1 -", whole, count=1, flags=re.MULTILINE)
    assert signs != whole
    (tmp_path / "one.py").write_text(signs, "utf-8")
    assert code_digests([role]) != before


def test_a_changed_role_makes_exactly_the_runs_that_use_it_stale() -> None:
    records = {path.stem: committed(path) for path in COMMITTED}
    stale = {"code/phase 1": "0" * 16}
    trained = changed(records["v5-small"], code_digests(RUN) | stale)
    assert [in_words(digest) for digest in trained] == ["the code of phase 1"]
    control = records["study-contextszero"]
    assert "phase 1" not in roles_of(RunConfig(**control.config))
    assert "phase 2" not in KNESER_NEY


def test_every_module_that_a_role_imports_has_a_role_or_makes_no_number() -> None:
    harmless = set("config errors paths stored".split())
    kept = "checkpoint memory models networks_kept progress states"  # they store what was made
    harmless |= {f"runs.{name}" for name in kept.split()}
    harmless |= {
        "data.hub",
        "records.record",
        "records.result",
        "runs.experiment",
        "runs.trial",
        "trainers.hooks",
        "runs.provenance",
    }
    roles = {module: role for role, modules in ROLES.items() for module in modules}
    for module in roles:
        path = FOLDER / f"{module.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fpcore"):
                own = (node.module or "").removeprefix("fpcore").removeprefix(".")
                names = [f"{own}.{alias.name}".strip(".") for alias in node.names]
                for name in names:
                    known = {own, name, own.split(".")[0]} & ({*roles} | harmless)
                    assert known, f"{module} imports {name} of {own}"


@pytest.mark.parametrize(
    ("module", "names", "digest"),
    [
        (
            embedding,
            {
                *("ppmi", "factorise", "_cooccurrence", "frequency_column", "_made"),
                *("WINDOW", "SMOOTHING", "SPREAD"),
            },
            "5b0f484a4cf004e7",
        ),
        (
            tokens,
            {"_trained", "_byte_level", "_pieces", "LONG", "LONGEST", "WORDS"},
            "71ca1d90910f478a",
        ),
    ],
)
def test_a_recipe_stands_for_its_code(module: object, names: set[str], digest: str) -> None:
    """Whoever changes what these give draws a new RECIPE, and then this digest."""
    source = Path(str(getattr(module, "__file__", ""))).read_text("utf-8")
    own = [pair for pair in said(source) if pair[0] in names]
    assert len(own) == len(names)
    assert provenance.digest(own) == digest


def test_networks_on_a_gpu_add_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "NVIDIA L4")
    cpu, gpu = torch.device("cpu"), torch.device("cuda:1")
    found = [environment(d, "float32", roles) for d in (cpu, gpu) for roles in (RUN, NEURAL)]
    assert [e["deterministic"] for e in found] == [True, True, True, False]
    assert [e["device"] for e in found[1:3]] == ["cpu", "NVIDIA L4"]
    assert [e["first_contexts"] for e in found[1:3]] == ["generator", "hashed rows"]


def test_a_machine_without_an_address_is_the_same_in_every_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python draws an address for it, marked as drawn; those of real cards tell machines apart."""
    monkeypatch.setattr("platform.node", lambda: "here")
    words = {}
    for address in (0x01_00_00_00_00_01, 0x03_00_00_00_00_02, 0x02_00_00_00_00_01, 0x0A_B0):
        monkeypatch.setattr("uuid.getnode", lambda address=address: address)
        words[address] = provenance.machine_id()
    drawn, other, *real = words.values()
    assert drawn == other
    assert len({drawn, *real}) == 3
