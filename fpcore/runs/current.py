"""Which of some runs are recorded already, by the texts and the code of today."""

import json
from collections.abc import Iterable
from contextlib import suppress

from fpcore.config.run_config import RunConfig, knobs_where
from fpcore.data.dataset import Data, prepare
from fpcore.errors import FpcoreError
from fpcore.records.pairs import changed
from fpcore.records.record import RunRecord, read_shelf
from fpcore.runs.earlier import Recordable, earlier_record, other_knobs
from fpcore.runs.provenance import code_digests, roles_of

# What decides what is read.
READ = knobs_where(lambda knob: bool({"text", "data"} & {*knob.acts_on})) | {
    "dev_tokens",
    "select_on",
}


def current(configs: Iterable[RunConfig]) -> list[RunRecord]:
    """Return the records of the runs that are recorded, and that would be reused.

    Where that cannot be told (no corpus, a damaged record), there is none: the run says why.
    """
    read: dict[str, Data] = {}
    found = []
    for config in configs:
        with suppress(FpcoreError):
            record = earlier_record(config)
            if record and not changed(record, _digests(config, read)):
                found.append(record)
    return found


def _digests(config: RunConfig, read: dict[str, Data]) -> dict[str, str]:
    """Return the digests of a run; texts that others have `read` are read once."""
    key = json.dumps(config.model_dump(include={*READ}), sort_keys=True)
    if key not in read:
        read[key] = prepare(config)
    return read[key].digests(config.samples) | code_digests(roles_of(config))


def twin(config: Recordable, digests: dict[str, str]) -> RunRecord | None:
    """Return a record of the same config and digests under another name, if there is one."""
    records = (record for record in read_shelf().records if record.source == "measured")
    alike = (record for record in records if not other_knobs(config, record))
    return next((record for record in alike if not changed(record, digests)), None)
