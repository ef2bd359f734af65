"""Masks of Cellpose's ``_seg.npy`` files are read, and nothing that such a file names is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segraft.data.folder import folder
from segraft.errors import UserError
from segraft.images.reading import read_image, read_labels
from segraft.images.writing import write_image

MASKS = np.kron(np.arange(6).reshape(2, 3), np.ones((8, 10), int)).astype(np.uint16)


def saved(path: Path, **more: Any) -> Path:
    """A file with the entries that Cellpose writes (its documentation of ``*_seg.npy``), and others."""
    content = {
        "filename": path.with_name("a.tif"),
        "masks": MASKS,
        "outlines": MASKS * 0,
        "colors": np.zeros((5, 3), np.uint8),
        "chan_choose": [0, 0],
        "ismanual": np.zeros(5, bool),
        "manual_changes": [],
        "flows": [np.zeros((1, 16, 30, 3), np.uint8), [], None],
        "est_diam": np.float32(17.2),
        "normalize_params": {"lowhigh": None, "percentile": [1.0, 99.0]},
    }
    np.save(path, content | more, allow_pickle=True)  # type: ignore[operator]
    return path


class Trap:
    """Leaves a file behind where its pickle is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_the_masks_are_read(tmp_path: Path) -> None:
    found = read_labels(saved(tmp_path / "a_seg.npy"))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, MASKS)
    stack = np.stack([MASKS, MASKS])
    np.testing.assert_array_equal(read_labels(saved(tmp_path / "b_seg.npy", masks=stack)), stack)
    np.testing.assert_array_equal(read_labels(saved(tmp_path / "c_seg.npy", masks=MASKS[None])), MASKS)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_way_to_pickle(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a_seg.npy"
    whole = saved(path).read_bytes()
    head = whole[: whole.index(b"\n") + 1]
    path.write_bytes(head + pickle.dumps(np.array({"masks": MASKS}, object), protocol))
    np.testing.assert_array_equal(read_labels(path), MASKS)


def test_nothing_that_it_names_is_run(tmp_path: Path) -> None:
    """The masks are there in spite of it; loaded as NumPy would, the file springs its trap."""
    trap = tmp_path / "sprung"
    path = saved(tmp_path / "a_seg.npy", filename=Trap(trap), flows=[Trap(trap)])
    np.testing.assert_array_equal(read_labels(path), MASKS)
    assert not trap.exists()
    with pytest.raises(UserError, match="got Python objects"):
        read_labels(saved(tmp_path / "b_seg.npy", masks=Trap(trap)))
    assert not trap.exists()
    np.load(path, allow_pickle=True)
    assert trap.exists()


@pytest.mark.parametrize("content", [{"other": 3}, [1, None], {"masks": [1, 2]}, {"masks": np.array([None])}], ids=str)
def test_other_objects_are_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a_seg.npy"
    np.save(path, np.array(content, object), allow_pickle=True)
    with pytest.raises(UserError, match=r"got Python objects .*; export the masks as png or tif") as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_short(tmp_path: Path) -> None:
    path = saved(tmp_path / "a_seg.npy")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"a_seg\.npy") as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


def test_it_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got an array of Python objects, expected numbers"):
        read_image(saved(tmp_path / "a_seg.npy"))


def test_ordinary_arrays_stay_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MASKS)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy"), MASKS)


def test_a_folder_as_cellpose_leaves_it(tmp_path: Path) -> None:
    """Images with their ``_seg.npy`` beside them are a data set."""
    for name in "abc":
        write_image(tmp_path / f"{name}.tif", 10 * MASKS)
        saved(tmp_path / f"{name}_seg.npy")
    samples = [sample for split in ("train", "val", "test") for sample in folder(tmp_path, split)]
    assert sorted(sample.name for sample in samples) == ["a", "b", "c"]
    assert all(sample.labels is not None and (sample.labels == MASKS).all() for sample in samples)
