"""Whatever a file or a parameters cell holds: the project's own errors, and no file is changed.

Every test draws a fifth of its examples by default and all of them in the second tier;
`FPCORE_FUZZ=20 pytest -m system tests/test_fuzz.py` draws 20 times as many, anew every time.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.toy import conversation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fpcore
from fpcore.config import parameters
from fpcore.config.baseline import KneserNeyConfig, NeuralConfig, load_baseline
from fpcore.config.run_config import RunConfig
from fpcore.config.study import Study
from fpcore.data.dataset import prepare
from fpcore.errors import FpcoreError
from fpcore.reports import one_run, scaling
from fpcore.reports.comparison import report

MORE = int(os.environ.get("FPCORE_FUZZ", "1"))


def tiers(examples: int) -> pytest.MarkDecorator:
    """Draw a fifth of so many examples by default, and all of them in the second tier."""
    whole = pytest.param(examples * MORE, marks=pytest.mark.system)
    return pytest.mark.parametrize("examples", [examples // 5, whole])


def tried(examples: int, test: Callable[..., None], **strategies: st.SearchStrategy[Any]) -> None:
    """Call a test with so many examples."""
    chosen = settings(
        max_examples=examples,
        derandomize=MORE == 1,
        suppress_health_check=list(HealthCheck),
    )
    chosen(given(**strategies)(test))()


TAGS = [
    "!!python/object/apply:os.system ['touch fuzzed']",
    "!!python/name:os.system",
    "!!binary aGVsbG8=",
    "&a [*a]",
    "2020-13-45",
    "1e999",
    "0x" + "f" * 5000,
    "9" * 5000,
    "[" * 1200,
    "{a: &x 1, b: *x, <<: {c: 2}}",
    "\x00",
    "${HOME}",
    "? [a]\n: b",
]
BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../x", "a/b", ".", "..", "x" * 300, "ダ", "gpt2", "bpe-300", "1e2", "dev"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KNOBS = [
    *RunConfig.model_fields,
    *Study.model_fields,
    *NeuralConfig.model_fields,
    "orders",
    "max_itr",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(path / "home"))
        patch.chdir(path)
        yield path


def yaml_texts(keys: list[str]) -> st.SearchStrategy[bytes]:
    """Mappings of known keys and odd values, odd lines, and bytes that are no YAML at all."""
    mapping = st.dictionaries(st.sampled_from(keys) | st.text(max_size=8), VALUES, max_size=5)
    odd = st.lists(
        st.tuples(st.sampled_from(keys), st.sampled_from(TAGS) | st.text(max_size=20)), max_size=3
    )
    return (
        mapping.map(lambda m: yaml.safe_dump(m, allow_unicode=True).encode())
        | odd.map(lambda lines: "\n".join(f"{k}: {v}" for k, v in lines).encode("utf-8", "replace"))
        | st.sampled_from([BOMB.encode(), f"{BOMB}samples: *k\n".encode(), b"\xff\xfe", b"- a"])
        | st.binary(max_size=60)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def only_clear_errors(act: Callable[[], Any], folder: Path) -> Any:
    """Return what `act` returns; None where it raises one sentence of the project's own."""
    before = files(folder)
    try:
        return act()
    except FpcoreError as error:
        text = str(error)
        assert text.strip() and "\n" not in text and len(text) < 2000, text
        assert "Traceback" not in text
        return None
    finally:
        assert files(folder) == before


@tiers(800)
def test_config_files(folder: Path, examples: int) -> None:
    def check(content: bytes, name: str) -> None:
        path = folder / name
        path.write_bytes(content)
        for load, kinds in (
            (RunConfig.load, RunConfig),
            (load_baseline, (KneserNeyConfig, NeuralConfig)),
            (Study.load, Study),
        ):
            made = only_clear_errors(lambda load=load: load(path), folder)  # type: ignore[misc]
            assert made is None or isinstance(made, kinds)
        path.unlink()

    names = st.sampled_from(["x.yaml", "...yaml", "ü b.yaml", ".yaml"])
    tried(examples, check, content=yaml_texts(KNOBS), name=names)


CELLS = st.lists(
    st.tuples(st.sampled_from([*RunConfig.model_fields, "force", "share", "max_itr"]), VALUES),
    max_size=4,
).map(lambda pairs: "\n".join(f"{name} = {value!r}" for name, value in pairs)) | st.text(
    max_size=60
)


@tiers(800)
def test_parameter_cells(folder: Path, examples: int) -> None:
    def check(cell: str, values: dict[str, Any], head: str) -> None:
        namespace: dict[str, Any] = RunConfig().model_dump() | {"force": False, "share": ""}
        namespace |= values | {"In": ["", head + cell]}
        made = only_clear_errors(lambda: parameters.run_config(namespace), folder)
        assert made is None or isinstance(made[0], RunConfig)
        only_clear_errors(
            lambda: parameters.check(namespace, corpus=str, force=bool, samples=list), folder
        )

    names = st.sampled_from([*RunConfig.model_fields, "force", "share"])
    values = st.dictionaries(names, VALUES, max_size=4)
    heads = st.sampled_from(["# Parameters: knobs\n", "# Parameters\n", ""])
    tried(examples, check, cell=CELLS, values=values, head=heads)


TEXTS = [conversation(number) for number in range(24)]


def parquet_bytes(folder: Path, column: Any) -> bytes:
    path = folder / "made.parquet"
    try:
        pq.write_table(pa.table(column), path)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def jsonl(rows: list[Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """A file with some bytes overwritten, or cut."""
    at = st.integers(0, len(content) - 1)
    overwritten = st.tuples(at, st.binary(min_size=1, max_size=12)).map(
        lambda p: content[: p[0]] + p[1] + content[p[0] + len(p[1]) :]
    )
    return overwritten | at.map(lambda end: content[:end])


ROWS = st.lists(
    st.fixed_dictionaries({"text": st.text(max_size=30)})
    | st.fixed_dictionaries({"messages": VALUES})
    | VALUES,
    max_size=6,
)


@st.composite
def corpora(draw: st.DrawFn, folder: Path) -> tuple[str, bytes]:
    good = [{"text": text} for text in TEXTS]
    kind = draw(st.sampled_from(["txt", "jsonl", "parquet"]))
    if kind == "txt":
        whole = "\n".join(TEXTS).encode()
        return kind, draw(damaged(whole) | st.binary(max_size=80) | st.text().map(str.encode))
    if kind == "jsonl":
        rows = ROWS.map(lambda odd: jsonl(good + odd))
        return kind, draw(damaged(jsonl(good)) | rows | st.binary(max_size=80))
    whole = parquet_bytes(folder, {"text": TEXTS})
    typed = st.sampled_from(
        [
            parquet_bytes(folder, {"text": [1, 2, 3]}),
            parquet_bytes(folder, {"text": [None, "a"]}),
            parquet_bytes(folder, {"text": [b"\xff", b"a"]}),
            parquet_bytes(folder, {"messages": [[{"content": None}], None]}),
            parquet_bytes(folder, {"messages": ["a", "b"]}),
            parquet_bytes(folder, {"text": []}),
        ]
    )
    return kind, draw(damaged(whole) | typed | st.binary(max_size=80))


@tiers(500)
def test_corpora(folder: Path, examples: int) -> None:
    def check(corpus: tuple[str, bytes]) -> None:
        kind, content = corpus
        path = folder / f"corpus.{kind}"
        path.write_bytes(content)
        config = RunConfig(
            corpus=str(path),
            tokenizer="bpe-257",
            embedding="random",
            embed_dim=4,
            samples=[2, 5],
            val_samples=2,
        )
        try:
            prepare(config)
        except FpcoreError as error:
            assert "\n" not in str(error) and len(str(error)) < 2000
        assert path.read_bytes() == content
        path.unlink()

    tried(examples, check, corpus=corpora(folder))


def a_record() -> dict[str, Any]:
    trace = {"iteration": [2, 3], "convergence_rate": [0.1, 0.2], "loss": [1.0, 0.5]}
    trace |= {"fixed_point_loss": [1.0, 0.9], "diversity_loss": [0.1, 0.2]}
    trace |= {"grad_norm": [0.1, 0.1], "clipped": [False, True], "layernorm_gain": [1.0, 1.1]}
    results = [
        {
            "seed": seed,
            "samples": samples,
            "train_tokens": 100 * samples,
            "val_tokens": 50,
            "phase1_iterations": 3,
            "convergence_rate": 0.2,
            "train_er": 0.5,
            "val_er": 0.4,
            "train_ppl": 90.0,
            "val_ppl": 100.0 / samples,
            "val_acc": 0.1,
            "best_epoch": 1,
            "epochs_run": 2,
            "val_loss_sums": [10.0, 12.0],
            "val_token_counts": [20, 29],
            "phase1": trace,
            "phase2": {"epoch": [1, 2], "train_loss": [5.0, 4.0], "val_loss": [5.0, 5.1]},
            "seconds": {"phase1": 1.0},
        }
        for seed in (1, 2)
        for samples in (5, 10, 20)
    ]
    config = RunConfig(samples=[5, 10, 20], seeds=[1, 2]).model_dump() | {"name": "b"}
    return {"name": "b", "label": "1L", "config": config, "results": results}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every place of a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, key))


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record with some values replaced or removed, or with bytes overwritten, or anything."""
    record = a_record()
    kind = draw(st.sampled_from(["values", "values", "values", "bytes", "anything"]))
    if kind == "anything":
        return draw(st.binary(max_size=60) | VALUES.map(lambda v: json.dumps(v).encode()))
    if kind == "bytes":
        return draw(damaged(json.dumps(record).encode()))
    for place in draw(st.lists(st.sampled_from(list(leaves(record))), min_size=1, max_size=3)):
        target: Any = record
        try:
            for key in place[:-1]:
                target = target[key]
            if draw(st.booleans()):
                target[place[-1]] = draw(VALUES | st.sampled_from([0, -1, 1e308, [], {}]))
            else:
                del target[place[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    return json.dumps(record).encode()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers near the largest there are
@tiers(400)
def test_records(folder: Path, examples: int) -> None:
    runs = folder / "home" / "reports" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "a.json").write_text(json.dumps(a_record() | {"name": "a"}))
    good = fpcore.load_record("a")

    def check(content: bytes) -> None:
        (runs / "b.json").write_bytes(content)
        made = only_clear_errors(lambda: fpcore.load_record("b"), folder)
        if made is None:
            return
        for read in (
            lambda: one_run.runs_table(fpcore.frame([good, made])),
            lambda: (fpcore.traces([made]), fpcore.epochs([made])),
            lambda: scaling.fits_table([made]),
            lambda: report.render(fpcore.compare_runs(good, made)),
        ):
            only_clear_errors(read, folder)

    tried(examples, check, content=records())
