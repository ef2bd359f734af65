"""Files written completely or not at all, and natural order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segraft.errors import UserError
from segraft.files import natural, replacing, unwritable, write_text


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["cell10", "cell2", "Cell1", "a", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "a", "Cell1", "cell2", "cell10"]
    assert sorted([Path("b2/a10"), Path("b2/a9")], key=natural) == [Path("b2/a9"), Path("b2/a10")]


def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("µ", encoding="utf-8")
        assert path.read_text() == "old"
    assert path.read_text(encoding="utf-8") == "µ"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: None], ids=["file", "folder", "nothing"])
def test_an_error_deletes_what_is_incomplete(tmp_path: Path, make: Callable[[Path], None]) -> None:
    def stop() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            make(temporary)
            raise RuntimeError("stop")

    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError("two\nlines"), OSError()])
def test_errors_of_writing_name_the_path_in_one_line(error: OSError) -> None:
    with (
        pytest.raises(UserError, match=r"^out/a\.txt cannot be written \(.+\)") as caught,
        unwritable(Path("out/a.txt")),
    ):
        raise error
    assert "\n" not in str(caught.value)
