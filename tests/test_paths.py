"""Names of files: as short as file systems ask, one for each thing, and safe to show and read."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore.errors import StorageError
from fpcore.paths import file_content, home, shown, together, write_atomically

PARTS = st.sampled_from(["x", "y", "-vs-", "-vs", "vs-", "-", "v6", "a" * 40])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("".join).map(lambda s: f"n{s}"[:80])
RUNS = st.lists(NAMES, min_size=1, max_size=12)


@given(RUNS, RUNS)
def test_other_runs_have_another_file(some: list[str], others: list[str]) -> None:
    assert (together(some) == together(others)) == (some == others)
    assert len(f"{together(some)}.ipynb".encode()) <= 255
    assert "/" not in together(some)


def test_a_file_of_several_runs_is_called_after_them() -> None:
    assert together(["v5-small", "v6-small"]) == "v5-small-vs-v6-small"
    assert together(["n"]) == "n"
    folders = {together(pair) for pair in (["x", "y-vs-z"], ["x-vs-y", "z"])}
    folders |= {together(pair) for pair in (["x", "vs-y"], ["x-vs", "y"], ["x", "y", "z"])}
    assert len(folders) == 5
    assert all(name.startswith("x-vs-") for name in folders)


@pytest.mark.parametrize("name", ["a" * 255, "あ" * 85, "a" * 250 + ".json"])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"1")
    assert (tmp_path / name).read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "text", ["a" * 5000, "a/" * 5000, "a\0b", "~nobody-of-this-name/a", "\udcff"]
)
def test_every_path_can_be_shown(text: str) -> None:
    found = shown(Path(text))
    assert 0 < len(found) <= 301 and found.isprintable()


def test_a_ring_of_links_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert shown(tmp_path / "a").endswith("/a")


@pytest.mark.parametrize("name", ["~nobody-of-this-name/a", "a" * 300, "ring", "file"])
def test_a_home_that_can_be_none_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    (tmp_path / "file").touch()
    monkeypatch.setenv("FPCORE_HOME", name if name.startswith("~") else str(tmp_path / name))
    with pytest.raises(StorageError, match=r"^FPCORE_HOME is '.*, where nothing can be stored: "):
        home()
    assert shown(tmp_path) == str(tmp_path)


def test_only_an_ordinary_file_of_a_bounded_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert file_content(tmp_path / "file", 5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    for name, reason in {"file": "more than 4 bytes", "pipe": "no ordinary file"}.items():
        with pytest.raises(OSError, match=reason):
            file_content(tmp_path / name, 4)
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "none"):
        with pytest.raises(OSError):
            file_content(path)
