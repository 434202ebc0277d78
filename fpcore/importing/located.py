"""JSON whose objects know on which line they begin, and on which line each of their keys is."""

import json
import re
from typing import Any

# Strings (with the colon of a key), what opens and closes objects, and line ends.
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"(\s*:)?|[][{}\n]')
MOST = 100  # objects and lists in each other; whoever reads them goes in as deep
DEEPEST = "nested too deeply"


class Located(dict[str, Any]):
    """An object, the line on which it begins, and the line of each key; numbers are texts."""

    line: int = 1

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


def loads(text: str, first: int = 1) -> Any:
    """Return what a JSON text says, whose first line is `first`.

    Raises:
        ValueError: it is no JSON, or an object has a key twice.
    """
    places = iter(_places(text, first))

    def located(pairs: list[tuple[str, Any]]) -> Located:
        own = Located()
        own.line, lines = next(places)
        for (key, value), line in zip(pairs, lines, strict=True):
            if key in own:
                raise ValueError(f"line {line}: the key {key[:40]!r} a second time")
            own[key], own.lines[key] = value, line
        return own

    try:
        return json.loads(
            text, object_pairs_hook=located, parse_float=str, parse_int=str, parse_constant=str
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno + first - 1}: {error.msg.lower()}") from None
    except RecursionError:
        raise ValueError(DEEPEST) from None


def _places(text: str, line: int) -> list[tuple[int, list[int]]]:
    """Return the first line of each object and the lines of its keys, in the order of their ends.

    That is the order in which a parser hands them over.
    """
    done: list[tuple[int, list[int]]] = []
    open_: list[tuple[int, list[int]]] = []
    depth = 0
    for m in TOKEN.finditer(text):
        if m[0] == "{":
            open_.append((line, []))
        elif m[0] == "}" and open_:
            done.append(open_.pop())
        elif m[1] is not None and open_:
            open_[-1][1].append(line)
        depth += (m[0] in ("[", "{")) - (m[0] in ("]", "}"))
        if depth > MOST:
            raise ValueError(DEEPEST)
        line += m[0].count("\n")
    return done
