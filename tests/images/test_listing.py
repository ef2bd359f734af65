"""Images named by files, folders and globs."""

from pathlib import Path

import pytest

from segraft.errors import UserError
from segraft.images.listing import left_out, list_images
from segraft.images.reading import is_image


def test_images_are_listed_once_in_natural_order(tmp_path: Path) -> None:
    for name in ("x10.tif", "x2.tif", "x1.PNG", "._x2.tif", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "v.zarr").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "y.tif").touch()
    names = ["v.zarr", "x1.PNG", "x2.tif", "x10.tif"]
    assert [path.name for path in list_images(tmp_path)] == names
    assert [path.name for path in list_images([tmp_path / "x2.tif", tmp_path, f"{tmp_path}/*"])] == names
    assert [path.name for path in list_images(f"{tmp_path}/**/*.tif")] == ["y.tif", "x2.tif", "x10.tif"]
    assert list_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert not is_image(tmp_path / "._x2.tif")
    assert [path.name for path in left_out(tmp_path)] == ["notes.txt"]
    assert left_out([tmp_path / "notes.txt", f"{tmp_path}/*.tif"]) == []


def test_missing_and_empty_inputs_are_named(tmp_path: Path) -> None:
    for item in (tmp_path, tmp_path / "none", f"{tmp_path}/*.tif"):
        with pytest.raises(UserError, match=str(tmp_path)):
            list_images(item)
    with pytest.raises(UserError, match="at least one"):
        list_images([])
