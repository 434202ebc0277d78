"""What the checker finds, and the error of a file that it cannot read."""

from dataclasses import dataclass

from fpcore.errors import FpcoreError


class ClaimsError(FpcoreError):
    """A report cannot be read."""


@dataclass(frozen=True)
class Finding:
    """A slip: its rule, its lines (from 1, the slip first), and a sentence with the operands."""

    rule: str
    lines: tuple[int, ...]
    text: str
