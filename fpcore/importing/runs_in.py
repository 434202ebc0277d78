"""Which run of a file is meant: several may stand in one table or report."""

import re
from dataclasses import replace

from fpcore.errors import suggestion
from fpcore.importing.found import Figure, Found, ImportingError, Place, Row


def select(found: Found, name: str, run: str | None) -> str | None:
    """Keep what is said of one run, and return what the file calls it; None where it names none.

    It is the one called `run`, else the one that the new record's `name` begins with, or the only
    one.

    Raises:
        ImportingError: there is none of that name, or several and none is meant.
    """
    names = _names(found)
    meant = _meant(names, name, run)
    if meant is None:
        return None
    others = names - {meant}
    found.only(
        lambda place: _is_of(place, meant, others),
        lambda place: meant in place.words or not others & place.words,
    )
    return meant


def _meant(names: set[str], name: str, run: str | None) -> str | None:
    listed = ", ".join(sorted(names))
    if run is not None:
        if run.lower() not in names:
            near = suggestion(run.lower(), names)
            there = f"the runs {listed}" if names else "no names of runs"
            raise ImportingError(f"There is no run called {run!r} in it{near}, but {there}.")
        return run.lower()
    begun = [n for n in names if re.match(rf"{re.escape(n)}($|[-_.+])", name.lower())]
    if begun or len(names) == 1:
        return max(begun or names, key=len)
    if names:
        raise ImportingError(f"It tells of several runs ({listed}); --run says which is meant.")
    return None


def _names(found: Found) -> set[str]:
    """Return the words that name runs.

    In a report these are heads of columns and of rows; words of headings only where nothing else
    tells figures apart that differ.
    """
    own = {word for one in found.everything for word in one.place.run if len(one.place.run) == 1}
    if own:
        return own | _headings(found, own)
    return _headings(found, set()) if _differ(found.figures) else set()


def _headings(found: Found, own: set[str]) -> set[str]:
    """Return the words of headings under which figures stand that no run's name is given with."""
    alone = [one.place for one in found.figures + found.rows if not one.place.run]
    told = [place.above for place in alone if not place.above & own]
    return {word for words in told if len(words) <= 3 for word in words}


def _differ(figures: list[Figure]) -> bool:
    """Whether two values of the same field, seed and size are none of one value."""
    seen: dict[tuple[object, ...], Figure] = {}
    for one in figures:
        key = (one.field, one.place.seed, one.place.samples)
        other = seen.setdefault(key, one)
        if not alike(one, other):
            return True
    return False


def alike(x: Figure, y: Figure) -> bool:
    """Whether two printed values may be roundings of one."""
    if isinstance(x.value, float) and isinstance(y.value, float):
        return abs(x.value - y.value) <= (x.half + y.half) * (1 + 1e-9) + 1e-12
    return bool(x.value == y.value)


def _is_of(place: Place, meant: str, others: set[str]) -> bool:
    if place.run:  # a further word tells of another quantity, such as "without noise"
        return place.run in ({meant}, {*meant.split()})
    return meant in place.above or not place.above


def fill(found: Found, samples: int | None) -> None:
    """Give figures and rows without a seed or size the only one that there is, or `samples`."""
    sizes = {one.place.samples for one in _said(found)} - {None}
    seeds = {one.place.seed for one in _said(found)} - {None}
    size = samples or (next(iter(sizes)) if len(sizes) == 1 else None)
    seed = next(iter(seeds)) if len(seeds) == 1 else None

    def filled(place: Place) -> Place:
        own = place.samples if place.samples is not None else size
        return replace(place, samples=own, seed=place.seed if place.seed is not None else seed)

    found.each(filled)


def _said(found: Found) -> list[Figure | Row]:
    return [*found.figures, *found.rows]
