"""How work is cut."""

from hypothesis import given
from hypothesis import strategies as st

from fpcore.model.tuning import even_pieces, pieces


@given(st.integers(0, 300), st.integers(1, 40))
def test_a_range_is_cut_into_as_few_and_as_equal_pieces_as_are_small_enough(
    total: int, most: int
) -> None:
    cut = even_pieces(total, most)
    sizes = [part.stop - part.start for part in cut]
    assert [n for part in cut for n in range(part.start, part.stop)] == list(range(total))
    assert len(cut) == len(pieces(total, most))
    assert all(0 < size <= most for size in sizes)
    assert sizes == sizes[:1] * (len(sizes) - 1) + sizes[-1:]
    assert not cut or sizes[0] - sizes[-1] < len(cut)
