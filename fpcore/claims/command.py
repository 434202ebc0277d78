"""The command `python -m fpcore.claims FILE`."""

import argparse
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from fpcore.claims.check import Examination, examine
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import ClaimsError
from fpcore.claims.quantities import Number, numbers_in

_USE = "Give one Markdown file: python -m fpcore.claims [--explain] FILE."
_ENCODINGS = {"shift_jis": "Shift-JIS", "euc_jp": "EUC-JP", "cp932": "Shift-JIS (cp932)"}
_FEW = 3  # comparisons: a report with fewer was not really checked


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what to give, in one sentence."""
        raise ClaimsError(f"{_USE[:-1]} ({message}).")


def main(arguments: list[str]) -> int:
    """Print the findings on one file; 0: none, 1: some, 2: it cannot be read or checked."""
    try:
        given = _parser().parse_args(arguments)
        seen = examine(_read(given.file))
        lines = [*(_explained(seen) if given.explain else ()), *_found(given.file, seen)]
        return _shown(lines, 1 if seen.findings else 0)
    except ClaimsError as error:
        _print(str(error), sys.stderr)
    except Exception as error:  # a crash must not look like a finding
        _print(f"The checker failed on {arguments}: {type(error).__name__}: {error}.", sys.stderr)
    return 2


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m fpcore.claims",
        description="Check a Markdown report against itself: exit code 0 where nothing was found, "
        "1 where something was, 2 where the file cannot be read.",
    )
    parser.add_argument("file", metavar="FILE", help="a report in Markdown, in UTF-8")
    parser.add_argument("--explain", action="store_true", help="show how each number was read")
    return parser


def _shown(lines: list[str], code: int) -> int:
    """Print lines; where nobody reads them any more, keep the exit code."""
    try:
        for line in lines:
            _print(line, sys.stdout)
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        _quiet()
        if not isinstance(error, BrokenPipeError):
            raise ClaimsError(f"Cannot print the findings: {error.strerror}.") from error
    return code


def _quiet() -> None:
    """Let what is left of the output go nowhere, so that the end of Python does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(text: str, stream: TextIO | None) -> None:
    """Print a text, where there is a stream; what it cannot encode is escaped."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _read(path: str) -> str:
    """Return the text of a file; raise ClaimsError where it is no UTF-8 text."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ClaimsError(f"The report {path} is no file; give one Markdown file in UTF-8.")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ClaimsError(f"Cannot read the report {path}: {error.strerror}.") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ClaimsError(f"The report {path} is in UTF-16; save it as UTF-8.")
    try:
        if b"\0" in data:
            raise ClaimsError(f"The report {path} is no text; give one Markdown file in UTF-8.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        looks = f" (it looks like {_encoding(data)})" if _encoding(data) else ""
        raise ClaimsError(f"The report {path} is not in UTF-8{looks}; save it as UTF-8.") from error


def _encoding(data: bytes) -> str:
    """Return the Japanese encoding under which most of a text is kana and kanji, or nothing."""
    best, name = 0.5, ""
    for encoding, title in _ENCODINGS.items():
        try:
            wide = [c for c in data.decode(encoding) if ord(c) > 127]
        except UnicodeDecodeError:
            continue
        common = sum("\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" for c in wide)
        kana = sum("\u3040" <= c <= "\u30ff" for c in wide)
        share = (common + kana) / (2 * len(wide)) if wide else 0.0
        best, name = (share, title) if share > best else (best, name)
    return name


def _found(path: str, seen: Examination) -> Iterator[str]:
    for f in seen.findings:
        yield f"{path}:{','.join(map(str, f.lines))}: [{f.rule}] {f.text}"
    report = seen.report
    tables, compared = len(report.grids), report.compared
    numbers = sum(1 for _ in _numbers(report))
    yield report.say(
        f"指摘 {len(seen.findings)} 件（表 {tables}、数値 {numbers} を読み、{compared} "
        f"通りの照合をした）",
        f"{len(seen.findings)} findings ({tables} tables and {numbers} numbers read, {compared} "
        f"comparisons made)",
    )
    if compared < _FEW:
        yield report.say(
            "この報告からはほとんど何も照合できなかった。指摘がなくても合格ではない。",
            "Hardly anything in this report could be compared: no finding does not mean that it "
            "is right.",
        )


def _numbers(report: Report) -> Iterator[tuple[int, Number]]:
    for text, line in report.lines():
        yield from ((line, n) for n in numbers_in(text))
    for grid in report.grids:
        for row in (grid.heads, *grid.rows):
            yield from ((cell.line, n) for cell in row for n in cell.numbers)


def _explained(seen: Examination) -> Iterator[str]:
    """Yield a line for each number: how it was read, and the key of the fact that it is."""
    facts: dict[tuple[int, str], list[Fact]] = {}
    for f in seen.facts:
        facts.setdefault((f.line, f.number.text), []).append(f)
    for line, n in sorted(_numbers(seen.report), key=lambda x: x[0]):
        flags = [k for k in ("about", "ranged", "spread") if getattr(n, k)]
        said = f"{n.value:g} ± {n.half:g} {n.unit or n.counter}".rstrip()
        keys = " | ".join(_key(f) for f in facts.get((line, n.text), [])[:3])
        yield f"{line}: {n.text} = {said} {' '.join(flags)}".rstrip() + (
            f"  [{keys}]" if keys else ""
        )


def _key(f: Fact) -> str:
    parts = [f.metric, f.run, *(f"{k} {v}" for k, v in (("size", f.size), ("step", f.step)) if v)]
    parts += [f.window or "", "difference" if f.difference else ""]
    return ", ".join(filter(None, parts))
