"""What can be made again is believed only as it was stored; what killed processes left is swept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore import StorageError, paths, stored
from fpcore.paths import hidden, sweep, write_atomically


@given(content=st.binary(max_size=200), place=st.integers(0, 400), change=st.integers(1, 255))
def test_only_what_was_stored_is_read(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, place: int, change: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "one"
    stored.write(path, content)
    assert stored.read(path) == content
    whole = bytearray(path.read_bytes())
    whole[place % len(whole)] ^= change
    for damaged in (whole, path.read_bytes()[: place % len(whole)], path.read_bytes() + b"0"):
        path.write_bytes(damaged)
        assert stored.read(path) is None


def test_what_is_not_there_is_none_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stored.read(tmp_path / "none") is None
    assert capsys.readouterr().out == ""
    (tmp_path / "folder").mkdir()
    assert stored.read(tmp_path / "folder") is None
    assert "folder is a folder, no file" in capsys.readouterr().out


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "ring"])
def test_what_could_be_without_an_end_is_not_read(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    assert stored.read(path) is None and "made again" in capsys.readouterr().out
    stored.write(path, b"content")
    assert stored.read(path) == b"content" and not path.is_symlink()


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(StorageError, match=r"a\.json is a folder where a file belongs"):
        write_atomically(tmp_path / "a.json", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from fpcore.paths import replacing
with replacing(Path(sys.argv[1]), sys.argv[2]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("ending", ["", ".ipynb"])
def test_what_a_killed_process_left_is_swept(tmp_path: Path, ending: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.b"), ending], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".") and left.name.endswith(ending)
    write_atomically(tmp_path / "other", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_may_still_be_used_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a living process, of another machine, and what others call hidden."""
    own, ours = hidden(tmp_path / "own"), [".git", ".a.123", ".own.json", "._x", ".b.1.zz"]
    monkeypatch.setattr(paths, "_machine", lambda: "elsewhere")
    other = Path(str(hidden(tmp_path / "o")).replace(str(os.getpid()), "999999999"))
    monkeypatch.undo()
    kept = [own, other, *(tmp_path / name for name in ours)]
    for path in kept:
        path.touch()
    sweep(tmp_path)
    assert {*tmp_path.iterdir()} == {*kept}
    os.utime(other, (0, 0))
    sweep(tmp_path)
    assert {*tmp_path.iterdir()} == {*kept} - {other}
