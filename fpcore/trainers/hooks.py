"""What a trainer tells whoever runs it: the rows of its trace, and where it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Row = dict[str, Any]  # of a trace: one iteration of phase 1, or one epoch
State = TypeVar("State")


def _pass(_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Hooks(Generic[State]):
    """`on_row` is called with every row of the trace as soon as it is there.

    `keep` is called after every step from which the training could go on. It is handed a function
    that returns the state, because making one may cost more than a step: whoever stores states
    calls it now and then.
    """

    on_row: Callable[[Row], None] = _pass
    keep: Callable[[Callable[[], State]], None] = _pass


SILENT: Hooks[Any] = Hooks()
