"""Two records beside each other: what they share, what of them can be compared, and what differs.

Metrics of tokens need the same text and vocabulary, effective ranks the same number of rows.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from fpcore.config.run_config import KNOBS
from fpcore.language import listed, said, template
from fpcore.metric import METRICS, metrics_where
from fpcore.records.record import VOLATILE, RunRecord
from fpcore.records.result import SizeResult

LINEAGE = Path(__file__).parent / "lineage.json"
WORDS = {
    "vocabulary": "the tokenizer",
    "embedding": "the embedding",
    "validation_ids": "the validation text",
    "development_ids": "the development text",
}
TEXT_DIGESTS = ("validation_ids", "vocabulary")
# What makes the validation text, where its digest is not known.
TEXT_KNOBS = [name for name, knob in KNOBS.items() if "text" in knob.acts_on]
# Metrics that depend on the text and its vocabulary, on the text alone, on the rows measured.
OF_TOKENS = metrics_where(lambda m: m.needs == "tokens")
OF_BYTES = metrics_where(lambda m: m.needs == "bytes")
OF_ROWS = {name: METRICS[name].rows for name in metrics_where(lambda m: m.needs == "rows")}
TRACES = {"phase1": "iteration", "phase2": "epoch"}  # the traces, and what numbers their rows
TINY = 1e-9  # what binary fractions leave of a rounded value
# How many decimals print gives of a figure: shares stand there in percent.
PRINTED = {name: m.digits + 2 * (m.unit == "%") for name, m in METRICS.items()} | {"loss": 4}
OF_PHASE2 = metrics_where(lambda m: m.of_phase2)  # what a longer training would change
OTHERS_RAN = 0.5  # threads more than a run's own that say that something else ran beside it
CUT_SHORT = template("最良エポックが `epochs` の上限で、Phase 2 が終わっていない")


def restricted(a: RunRecord, b: RunRecord) -> tuple[RunRecord, RunRecord]:
    """Return both records with the sizes that they share, and the seeds if they share any."""
    sizes = {*a.sizes} & {*b.sizes}
    seeds = {r.seed for r in a.results} & {r.seed for r in b.results}

    def shared(result: SizeResult) -> bool:
        return result.samples in sizes and (result.seed in seeds or not seeds)

    return a.where(shared), b.where(shared)


def distinct(records: list[RunRecord]) -> list[RunRecord]:
    """Return the records without those whose results repeat an earlier one's."""
    kept: list[RunRecord] = []
    for record in records:
        if not any(same_results(record, other) for other in kept):
            kept.append(record)
    return kept


def same_results(a: RunRecord, b: RunRecord) -> bool:
    """Whether two runs agree in every figure that both know, and share at least one.

    Print may leave the seed out; then any seed is taken for it.
    """
    pairs = [
        (x, y)
        for x in a.results
        for y in b.results
        if x.samples == y.samples and (x.seed == y.seed or None in (x.seed, y.seed))
    ]
    return bool(pairs) and all(_agree(x, y) for x, y in pairs)


def _agree(x: SizeResult, y: SizeResult) -> bool:
    """Whether two results agree in all that both know; either may be rounded as print does it."""
    fields: dict[str, Any] = x.model_dump(exclude={*VOLATILE, "samples", "seed"})
    other = y.model_dump()
    known = [k for k, v in fields.items() if v not in (None, {}) and other[k] not in (None, {})]
    return bool(known) and all(_alike(k, fields[k], other[k]) for k in known)


def _alike(field: str, x: Any, y: Any) -> bool:
    if x == y:
        return True
    if field in TRACES:
        return _same_rows(x, y, TRACES[field])
    return isinstance(x, float | int) and isinstance(y, float | int) and _rounded(field, x, y)


def _same_rows(x: dict[str, list[Any]], y: dict[str, list[Any]], key: str) -> bool:
    """Whether two traces agree in the rows and columns that both have; print gives some of them."""
    rows = [{row: i for i, row in enumerate(trace.get(key, []))} for trace in (x, y)]
    shared = [(rows[0][row], rows[1][row]) for row in rows[0] if row in rows[1]]
    columns = [column for column in x if column in y]
    return bool(shared) and all(
        _alike(column, x[column][i], y[column][j]) for column in columns for i, j in shared
    )


def _rounded(field: str, x: float, y: float) -> bool:
    """Whether one of two values is the other one with the digits that print gives."""
    digits = PRINTED.get(field)
    if digits is None:
        return False
    near = abs(x - y) <= 0.5 * 10**-digits + TINY
    return near and any(abs(value - round(value, digits)) < TINY for value in (x, y))


def incomparable(a: RunRecord, b: RunRecord) -> dict[str, str]:
    """Return the metrics that cannot be compared between two runs, and why."""
    reasons: dict[str, str] = {}
    different = different_texts(a, b)
    if different:
        why = said("{what} が違うので、比べられない", what=listed(different))
        reasons |= dict.fromkeys(OF_TOKENS, why)
        if _other_bytes(a, b):
            reasons |= dict.fromkeys(OF_BYTES, why)
    short = [record.name for record in (a, b) if cut_short(record)]
    if short:
        text = template("{runs} は{why}ので、比べられない")
        why = said(text, runs=listed(short), why=said(CUT_SHORT))
        reasons |= dict.fromkeys(OF_PHASE2, why)
    overlapping = [record.name for record in (a, b) if overlaps(record)]
    if overlapping:
        text = template("{runs} は訓練と検証が重なるので、比べられない")
        why = said(text, runs=listed(overlapping))
        reasons |= dict.fromkeys((*OF_TOKENS, *OF_BYTES), why)
    for metric, rows in OF_ROWS.items():
        if _known(a, rows) and _known(b, rows) and _known(a, rows) != _known(b, rows):
            reasons[metric] = said("測った行数が違うので、比べられない")
    if why := other_times(a, b):
        reasons["seconds"] = said("{why}ので、比べられない", why=why)
    return reasons


def other_times(a: RunRecord, b: RunRecord) -> str:
    """Return why the times of two runs cannot be compared; empty where they can.

    They can between runs of one machine with one number of threads, alone on it as far as that is
    known. Print compares its own runs.
    """
    if a.document and a.document == b.document:
        return ""
    machines, threads = ([r.environment.get(k) for r in (a, b)] for k in ("machine_id", "threads"))
    if None in (*machines, *threads):
        return said("どの計算機で測ったかの記録がない")
    if machines[0] != machines[1]:
        return said("別の計算機で測った")
    if threads[0] != threads[1]:
        return said("スレッド数が違う")
    crowded = [r.name for r in (a, b) if was_crowded(r)]
    text = template("{runs} はほかの計算と同時に測った")
    return said(text, runs=listed(crowded)) if crowded else ""


def was_crowded(record: RunRecord) -> bool:
    """Whether a run is known to have shared its machine with something else that computed."""
    threads, load = (record.environment.get(k) for k in ("threads", "load"))
    if not isinstance(threads, int) or not isinstance(load, int | float):
        return False
    return load > threads + OTHERS_RAN


def different_texts(a: RunRecord, b: RunRecord) -> list[str]:
    """Return what differs of the validation text and the vocabulary, as far as it is known."""
    if a.digests and b.digests:
        return [f"`{k}`" for k in TEXT_DIGESTS if a.digests.get(k) != b.digests.get(k)]
    known = [k for k in TEXT_KNOBS if k in a.config and k in b.config]
    return [f"`{k}`" for k in known if a.config[k] != b.config[k]]


def _other_bytes(a: RunRecord, b: RunRecord) -> bool:
    """Whether two validation texts that differ in their tokens differ as texts, too."""
    lengths = _known(a, "val_bytes") != _known(b, "val_bytes")
    vocabularies = [record.digests.get("vocabulary") for record in (a, b)]
    return lengths or (None not in vocabularies and vocabularies[0] == vocabularies[1])


def cut_short(record: RunRecord) -> bool:
    """Whether a best epoch is the last that `epochs` allowed: more of them would go further."""
    cap = record.config.get("epochs")
    best = [result.best_epoch for result in record.results if result.best_epoch is not None]
    return isinstance(cap, int) and max(best, default=0) >= cap


def stopped_by_cap(record: RunRecord) -> bool:
    """Whether a training ended at `epochs` before `patience` ended it: it might have gone on."""
    cap, patience = (record.config.get(knob) for knob in ("epochs", "patience"))
    if not isinstance(cap, int) or not isinstance(patience, int):
        return False
    known = [(r.best_epoch, r.epochs_run) for r in record.results]
    return any(best and run and run >= cap and run - best < patience for best, run in known)


def tried(record: RunRecord) -> list[float]:
    """Return the learning rates, or the orders of n-grams, from which development chose."""
    keys = ("learning_rates", "phase2_lr", "orders")
    given: Any = next((record.config[key] for key in keys if record.config.get(key)), [])
    return list(given) if isinstance(given, list) else [given]


def at_an_end(record: RunRecord) -> bool:
    """Whether what was chosen (`tried`) is the lowest or the highest of several."""
    of, chosen = tried(record), {r.chosen for r in record.results}
    return len(of) > 1 and bool(chosen & {min(of), max(of)})


def overlaps(record: RunRecord) -> bool:
    """Whether the largest training size reaches into the validation conversations."""
    held_out, pool = (_ends(record, part) for part in ("validation", "training_pool"))
    if not held_out or not pool or not record.results:
        return False
    return pool[0] <= held_out[1] and pool[0] + record.largest - 1 >= held_out[0]


def _ends(record: RunRecord, part: str) -> list[int]:
    """Return the first and the last conversation of a part of the corpus, nothing if not known."""
    known = record.data.get(part)
    ends = [n for n in known if isinstance(n, int)] if isinstance(known, list) else []
    return ends if len(ends) == 2 else []


def _known(record: RunRecord, field: str) -> dict[int, object]:
    """Return a field by size, where it is known."""
    values = {r.samples: getattr(r, field) for r in record.results}
    return {n: value for n, value in values.items() if value is not None}


def code_of(record: RunRecord) -> dict[str, str]:
    """Return the digests of the code that made a record, by role (`code/<role>`).

    `lineage.json` tells of each older set of digests (`was`) which newer one gave the same
    numbers (`is`); a record that knows the older one counts as made by the newer one.
    """
    code = {key: value for key, value in record.digests.items() if key.startswith("code/")}
    for step in _lineage():
        if step["was"].items() <= code.items():
            code = {k: v for k, v in code.items() if k not in step["was"]} | step["is"]
    return code


def changed(record: RunRecord, digests: dict[str, str]) -> list[str]:
    """Return which of the digests of data and code are other ones in a record."""
    own = record.digests | code_of(record)
    return [key for key, value in digests.items() if own.get(key) != value]


def same_file(knob: str, a: RunRecord, b: RunRecord) -> bool:
    """Whether what a knob names in two spellings is the same in both records, by the digests."""
    keys = ["embedding"] if knob == "embedding" else [k for k in WORDS if k != "embedding"]
    if knob not in ("corpus", "embedding") or not {*keys} <= {*a.digests} & {*b.digests}:
        return False
    if knob == "corpus":
        keys += [key for key in a.digests if key.startswith("training_ids/") and key in b.digests]
    return all(a.digests[key] == b.digests[key] for key in keys)


def in_words(digest: str) -> str:
    """Say what a digest is of, for example the code of phase 2."""
    kind, _, rest = digest.partition("/")
    if kind == "code":
        return f"the code of {rest}"
    return f"the training text of size {rest}" if rest else WORDS[digest]


@cache
def _lineage() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LINEAGE.read_text(encoding="utf-8"))
    return found
