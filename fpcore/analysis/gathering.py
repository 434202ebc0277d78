"""The records of a study, read and held to its configs."""

from fpcore.analysis.study import Evidence
from fpcore.config.run_config import RunConfig
from fpcore.config.study import Study
from fpcore.errors import RecordError
from fpcore.paths import shown
from fpcore.records.record import RunRecord, load_record


def gather(study: Study) -> Evidence:
    """Read the records of a study.

    Raises:
        RecordError: one is missing or damaged, of another config than the study's, or without a
            size or a seed of the base.
    """
    e = Evidence(study, tuple(_load(config) for config in study.configs()))
    for record in e.varied:
        _check_whole(record, e.base)
    return e


def _check_whole(record: RunRecord, base: RunRecord) -> None:
    own, wanted = ([(r.samples, r.seed) for r in one.results] for one in (record, base))
    if lacking := [place for place in wanted if place not in own]:
        samples, seed = lacking[0]
        raise RecordError(
            f"{shown(record.path)} has no result at {samples} conversations with seed {seed}, "
            f"which {base.name} has; delete it, and run the study again."
        )


def _load(config: RunConfig) -> RunRecord:
    record, own = load_record(config.run_name), config.knobs()
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    other = [k for k in own if before[k] != own[k]]
    if other:
        raise RecordError(
            f"{shown(record.path)} is the record of another {', '.join(other)} than the study's; "
            "give it another name, and run the study again."
        )
    return record
