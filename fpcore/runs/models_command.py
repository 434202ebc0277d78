"""The command about kept models: list them, export one as a folder, remove those of a run."""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from fpcore.config.checked import NAME
from fpcore.errors import FpcoreError, ModelError, RecordError, suggestion
from fpcore.paths import cache, remove, shown
from fpcore.records.record import RunRecord, load_record
from fpcore.runs import exports, models
from fpcore.runs.language_model import chosen
from fpcore.runs.lock import held

MB = 1e6
LINE = "{:<28} {:>6} {:>6} {:>8} {:>8}  {:<16}  {}"
HEADS = LINE.format("run", "seed", "size", "MB", "V.PPL", "digest", "")


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit status."""
    given = _parser().parse_args(arguments)
    act: Callable[[Namespace], None] = given.act
    try:
        act(given)
    except FpcoreError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m fpcore.models", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list", help="every kept model").set_defaults(act=_list)
    export = commands.add_parser("export", help="write one to a new folder")
    export.add_argument("name", help="of the run")
    export.add_argument("folder", type=Path)
    export.add_argument("--samples", type=int, help="its size (the largest)")
    export.add_argument("--seed", type=int, help="its seed (the first)")
    export.set_defaults(act=_export)
    gone = commands.add_parser("remove", help="remove all models of a run")
    gone.add_argument("name", help="of the run")
    gone.set_defaults(act=_remove)
    return parser


def _list(_: Namespace) -> None:
    lines = [line for folder in _folders() for line in _lines(folder)]
    print("\n".join([HEADS.rstrip(), *lines]) if lines else "No models are kept.")


def _folders() -> list[Path]:
    found = cache("models").glob("*")
    return sorted(path for path in found if path.is_dir() and re.fullmatch(NAME, path.name))


def _lines(folder: Path) -> Iterator[str]:
    """Yield a line for every model of a run; those that its record does not tell of say so."""
    try:
        record: RunRecord | None = load_record(folder.name)
    except RecordError:
        record = None
    results = record.results if record else []
    known = {models.path_of(folder.name, r): r for r in results}
    for path in filter(Path.is_file, sorted(folder.glob("*.safetensors"))):
        seed, _, rest = path.stem.partition("-")
        size, _, digest = rest.partition("-")
        result = known.get(path)
        ppl = f"{result.val_ppl:,.1f}" if result and result.val_ppl else ""
        note = "" if result else "not the record's" if record else "no record"
        size_mb = f"{path.stat().st_size / MB:,.1f}"
        yield LINE.format(folder.name, seed, size, size_mb, ppl, digest, note).rstrip()


def _export(given: Namespace) -> None:
    record = load_record(given.name)
    result = chosen(record, given.samples, given.seed)
    exports.write(models.load(record, result), record, result, given.folder)
    print(shown(given.folder))


def _remove(given: Namespace) -> None:
    """Remove a run's models; the embedding and tokenizer stay, as other runs share them.

    Raises:
        ModelError: there are none.
    """
    folders = {path.name: path for path in _folders()}
    if given.name not in folders:
        near = suggestion(given.name, folders)
        raise ModelError(f"No models of {given.name} are kept{near}; list names those that are.")
    with held(given.name):
        remove(folders[given.name])
    print(f"{shown(folders[given.name])} is removed.")
