"""Records as TensorBoard's event files, by its own record writer; the same bytes every time."""

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from fpcore.exporting.tables import put
from fpcore.exporting.values import Point, began, figures, part, points, report
from fpcore.records.record import RunRecord


def write(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Write an event file for each run (figures by size), and for its seeds and sizes (traces).

    TensorBoard keeps scalars in float32.

    Raises:
        StorageError: a file cannot be written.
    """
    return [path for record in records for path in _run(record, folder / record.name)]


def _run(record: RunRecord, folder: Path) -> list[Path]:
    start = began(record)
    texts = {"config": f"```json\n{json.dumps(record.config, indent=1)}\n```",
             "report": str(report(record))}  # fmt: skip
    summaries = [(0, text_pb(name, text)) for name, text in texts.items()]
    for name in ("alpha", "seconds"):
        if (value := getattr(record, name)) is not None:
            summaries.append((0, _scalar(f"run/{name}", value)))
    paths = [_events(folder, start, summaries)]
    for result in record.results:
        rows: list[Point] = list(points(result))
        rows += [(f"result/{name}", result.samples, v) for name, v in figures(result).items()]
        own = [(step, _scalar(name, value)) for name, step, value in rows]
        paths.append(_events(folder / part(result), start, own))
    return paths


def _scalar(name: str, value: float) -> Summary:
    return Summary(value=[Summary.Value(tag=name, simple_value=value)])


def _events(folder: Path, start: float, summaries: Iterable[tuple[int, Summary]]) -> Path:
    """Write one event file; its name and times are those of the run, so it is the same again."""
    out = io.BytesIO()
    writer = RecordWriter(out)
    events = [Event(wall_time=start, file_version="brain.Event:2")]
    events += [Event(wall_time=start, step=step, summary=own) for step, own in summaries]
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
    return put(folder / f"events.out.tfevents.{start:.0f}.fpcore", out.getvalue())
