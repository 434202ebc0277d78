"""Some twenty thousand odd inputs by kind, anew every time: none ends in an error of a library.

`pytest -m slow tests/test_kinds.py -s` says how many were tried of each kind and how they ended;
`FPCORE_FUZZ=5` tries five times as many, `FPCORE_SEED` the same ones again.
"""

import json
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers.toy import Toy

import fpcore
from fpcore import stored
from fpcore.config.run_config import RunConfig
from fpcore.data import chats
from fpcore.data.dataset import prepare
from fpcore.data.files import read_file
from fpcore.errors import FpcoreError, quoted
from fpcore.model.blocks import FixedPointModel
from fpcore.notation import code, table
from fpcore.paths import remove
from fpcore.records.record import read_shelf
from fpcore.reports import one_run, scaling
from fpcore.runs import checkpoint, states
from fpcore.runs.trial import Trial
from fpcore.trainers.phase1 import Phase1State, train_contexts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
MORE = int(os.environ.get("FPCORE_FUZZ", "1"))
SEED = int(os.environ.get("FPCORE_SEED", random.SystemRandom().randrange(10**6)))
SPECIAL = "|*_`[]()<>#&;:'\"\\/~!%?@$^{}=+-., \t\r\n\x00\x85\u2028\ufeff\u202eé語🙂"
PIECES = ["](x)", "![x](/etc/passwd)", "<img src=x onerror=a()>", "```", "&lt;", "%2e%2e/", "\\|"]


class Tried:
    """Counts how inputs ended, and knows no third way beside an answer and one clear sentence."""

    def __init__(self, kind: str, inputs: int) -> None:
        self.kind, self.inputs, self.ends = kind, inputs * MORE, Counter[str]()
        self.draw = random.Random(f"{SEED} {kind}")

    def __call__(self, act: Callable[..., Any], *given: Any) -> Any:
        try:
            found = act(*given)
        except FpcoreError as error:
            text = str(error)
            clear = text.strip() and len(text) < 2000 and text.isprintable()
            assert clear, (SEED, quoted(given), text)
            self.ends["one sentence"] += 1
            return None
        except Exception as error:
            raise AssertionError((SEED, self.kind, quoted(given))) from error
        self.ends["none" if found is None else "taken"] += 1
        return found

    def say(self) -> None:
        print(f"\n{self.kind}: {sum(self.ends.values()):,} inputs, {dict(self.ends)} (seed {SEED})")


def free_text(draw: random.Random) -> str:
    parts = [draw.choice(PIECES) if draw.random() < 0.2 else draw.choice(SPECIAL) for _ in range(8)]
    return "".join(parts[: draw.randint(1, 8)]) + draw.choice(["", "a", ".jsonl"])


def damaged(draw: random.Random, content: bytes) -> bytes:
    """A file with a flipped bit, cut, longer, or with another piece in the place of one."""
    at, kind = draw.randrange(max(1, len(content))), draw.randrange(5)
    piece = draw.randbytes(draw.randint(1, 9))
    if kind == 0 and content:
        return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
    if kind == 1:
        return content[:at]
    if kind == 2:
        return content + piece
    if kind == 3:
        return content[:at] + bytes(len(piece)) + content[at + len(piece) :]
    return content[:at] + piece + content[at + draw.choice([0, len(piece)]) :]


def odd(draw: random.Random) -> Any:
    """A value of any kind of JSON."""
    kind = draw.randrange(9)
    if kind == 7:
        return [odd(draw) for _ in range(draw.randrange(3))]
    if kind == 8:
        keys = [*chats.FIELDS, *chats.CONTENTS, "role", "type", free_text(draw)]
        return {draw.choice(keys): odd(draw) for _ in range(draw.randrange(4))}
    numbers = [draw.randint(-3, 10**9), draw.uniform(-1e9, 1e9), 10**40]
    return [None, True, "", free_text(draw), *numbers][kind]


FIELDS = RunConfig.model_fields.items()
NUMBERS = [name for name, field in FIELDS if type(field.default) in (int, float)]
LISTS = ["samples", "seeds", "phase2_lr"]
EDGES = [0, 1, 2, 256, 2**31 - 2, 2**31 - 1, 2**31, 2**53, 2**63, 2**64, 10**30, 10**309, 10**5000]
REALS = [1e-323, 1e-45, 1e-38, 1e-8, 0.5, 1 - 1e-16, 1.0, 1 + 1e-15, 1e6, 1e38, 3.5e38, 1e308]


def number(draw: random.Random) -> Any:
    """A number at an edge, beside it or beyond it, or one as text."""
    if draw.random() < 0.1:
        return f"{draw.randint(-9, 9)}e{draw.randint(-400, 400)}"
    value: Any = draw.choice([*EDGES, *REALS, math.inf, math.nan, draw.uniform(-2, 2)])
    value = -value if draw.random() < 0.3 else value
    return value + draw.choice([-1, 1]) if draw.random() < 0.3 else value


def one_knob(knob: str, value: Any) -> RunConfig:
    return RunConfig(**{knob: value})


def test_numbers() -> None:
    """What is taken can be computed with, and is itself again."""
    tried = Tried("numbers of knobs", 6000)
    for _ in range(tried.inputs):
        knob, value = tried.draw.choice([*NUMBERS, *LISTS]), number(tried.draw)
        if knob in LISTS and tried.draw.random() < 0.8:
            value = [value for _ in range(tried.draw.randint(0, 3))]
        made = tried(one_knob, knob, value)
        if made is not None:
            kept = getattr(made, knob)
            assert all(0 <= abs(v) <= 1e38 for v in (kept if isinstance(kept, list) else [kept]))
            assert RunConfig(**made.model_dump()) == made
    tried.say()


def in_a_table(texts: list[str]) -> str:
    return table(pd.DataFrame({"a": [code(text) for text in texts], "b": texts}))


def test_free_text_in_tables() -> None:
    """Every row stands on its line, with the cells of its head, whatever is in them."""
    tried = Tried("free text", 4000)
    for _ in range(tried.inputs):
        texts = [free_text(tried.draw) for _ in range(3)]
        head, rule, *rows = str(tried(in_a_table, texts)).splitlines()
        assert len(rows) == 3, (SEED, texts)
        bars = [len(re.findall(r"(?<!\\)\|", row)) for row in (head, rule, *rows)]
        assert bars == [3] * 5, (SEED, texts, rows)
    tried.say()


def test_rows_of_corpora() -> None:
    tried = Tried("rows of corpora", 4000)
    for _ in range(tried.inputs):
        row = odd(tried.draw)
        row = row if tried.draw.random() < 0.2 else {"text": odd(tried.draw), "messages": row}
        text = tried(chats.conversation, row, "row 1")
        assert text is None or isinstance(text, str)
    tried.say()


def test_files_of_corpora(tmp_path: Path) -> None:
    tried = Tried("files of corpora", 2000)
    texts = [f"text {number}\nof two lines" for number in range(9)]
    for n in range(tried.inputs):
        path = tmp_path / ("a." + tried.draw.choice(["txt", "jsonl", "parquet", "JSONL"]))
        if path.suffix == ".parquet":
            pq.write_table(pa.table({tried.draw.choice(["text", "messages", "n"]): texts}), path)
        else:
            rows = [json.dumps(odd(tried.draw) if n % 3 else {"text": text}) for text in texts]
            path.write_text("\n".join(rows), encoding="utf-8")
        path.write_bytes(damaged(tried.draw, path.read_bytes()))
        tried(read_file, str(path))
    tried.say()


def test_cached_bytes(tmp_path: Path) -> None:
    """Nothing but what was stored comes back."""
    tried, path = Tried("cached bytes", 3000), tmp_path / "a"
    for _ in range(tried.inputs):
        content = tried.draw.randbytes(tried.draw.randrange(200))
        stored.write(path, content)
        whole = path.read_bytes()
        path.write_bytes(damaged(tried.draw, whole))
        found = tried(stored.read, path)
        assert found is None or (found == content and path.read_bytes() == whole)
    tried.say()


@pytest.fixture
def trial(toy: Toy, home: Path, write_corpus: Any, conversations: list[str]) -> Trial:
    config = toy(corpus=str(write_corpus(conversations)), max_iter=4)
    return Trial(config, prepare(config), 42, 10, torch.device("cpu"))


def state(trial: Trial) -> checkpoint.Reached[Phase1State]:
    """The state of phase 1 that a run leaves where it stops."""
    model = FixedPointModel(trial.data.weights, trial.config, trial.seed)
    first = train_contexts(model.context_block, model.inputs(trial.ids), trial.config, trial.seed)
    return checkpoint.Reached(first, 1.5)


def edit(draw: random.Random, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Change one thing of a state."""
    name, kind = draw.choice([*tensors]), draw.randrange(7)
    if kind < 3:
        tensor = tensors.pop(name)
        if kind:
            tensors[name] = tensor.reshape(-1)[:1] if kind == 1 else tensor.double()
    elif kind == 3:
        tensors["é" + free_text(draw).replace("\x00", "")] = torch.zeros(2)
    elif kind == 4:
        about[draw.choice([*about, "more"])] = odd(draw)
    elif kind == 5:
        about["trace"].append(odd(draw))
    else:
        about["trace"][0]["iteration"] = odd(draw)


def test_cached_states(trial: Trial, tmp_path: Path) -> None:
    """Damaged ones are none; edited ones are none, or of the very form of this trial's."""
    tried, path = Tried("cached states", 1500), tmp_path / "a.safetensors"
    checkpoint.write_phase1(path, state(trial))
    whole, read = path.read_bytes(), states.read(path)
    assert read is not None
    form = {name: tensor.shape for name, tensor in read[0].items() if name != "contexts"}
    for n in range(tried.inputs):
        if n % 2:
            path.write_bytes(damaged(tried.draw, whole))
        else:
            tensors, about = dict(read[0]), json.loads(json.dumps(read[1]))
            edit(tried.draw, tensors, about)
            states.write(path, tensors, about)
        found = tried(checkpoint.read_phase1, path, trial)
        same = found is None or {k: t.shape for k, t in found.state.tensors.items()} == form
        assert same, (SEED, n)
    tried.say()


def put(draw: random.Random, path: Path, text: str) -> None:
    """Put a folder, a link, a damaged record or anything else at a path."""
    kind = draw.randrange(4)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(draw.choice(["/dev/zero", "nowhere", str(path), "a.json"]))
    elif kind == 2:
        path.write_bytes(damaged(draw, text.encode()))
    else:
        path.write_text(json.dumps(odd(draw)))


def test_folders_with_a_bad_member(home: Path) -> None:
    """Whatever lies beside the records, they are read."""
    tried, runs = Tried("folders of records", 800), home / "reports" / "runs"
    runs.mkdir(parents=True)
    text = json.dumps(record("a"))
    (runs / "a.json").write_text(text)
    (runs / "b.json").write_text(json.dumps(record("b")))
    names = ["._a.json", "a (1).json", "package.json", "c.json", "ü.json", "c.txt", "-.json"]
    for _ in range(tried.inputs):
        path = runs / tried.draw.choice(names)
        put(tried.draw, path, text)
        shelf = tried(read_shelf)
        assert {r.name for r in shelf.records} >= {"a", "b"}, (SEED, path.name)
        frame = tried(fpcore.frame, shelf.records)
        tried(one_run.runs_table, frame)
        tried(scaling.fits_table, shelf.records)
        remove(path)
    tried.say()


def record(name: str) -> dict[str, Any]:
    sizes = [(5, 900.0), (10, 700.0), (20, 600.0), (40, 500.0), (80, 450.0)]
    results = [
        {"seed": 1, "samples": n, "train_tokens": 100 * n, "val_tokens": 50, "val_ppl": ppl}
        for n, ppl in sizes
    ]
    config = RunConfig(samples=[n for n, _ in sizes]).model_dump() | {"name": name}
    return {"name": name, "label": "1L", "config": config, "results": results}
