"""The sections of the comparison report, as they register themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Text = TypeVar("Text", bound=Callable[..., str])


@dataclass(frozen=True)
class Section:
    """A part of the report: its place, its heading and the function that writes it.

    The heading is a template, in which `{size}` stands for the largest common size. The text is a
    function of the comparison, and where `concludes` is true of the outcomes of the checks, too.
    """

    place: int
    heading: str
    text: Callable[..., str]
    concludes: bool


SECTIONS: list[Section] = []


def section(place: int, heading: str = "", concludes: bool = False) -> Callable[[Text], Text]:
    """Register a section; sections stand in the order of their places."""

    def register(text: Text) -> Text:
        SECTIONS.append(Section(place, heading, text, concludes))
        return text

    return register
