"""Label images of other programs: found under the names that these give them, and checked against the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segraft.data.teacher_labels import open_teacher_labels
from segraft.errors import UserError
from segraft.images.writing import write_image
from segraft.types import Sample

LABELS = np.kron(np.arange(4).reshape(2, 2), np.ones((6, 8), int)).astype(np.uint16)
IMAGE = np.random.default_rng(0).integers(0, 999, (1, 12, 16)).astype(np.uint16)


def sample(name: str = "a", image: np.ndarray = IMAGE) -> Sample:
    return Sample(image, None, name)


def save(path: Path, labels: np.ndarray = LABELS) -> None:
    if path.suffix == ".npy":
        np.save(path, np.array({"masks": labels, "filename": "a.tif"}, object), allow_pickle=True)
    else:
        write_image(path, labels)


@pytest.mark.parametrize(
    "name",
    ["a.tif", "a.png", "a_masks.tif", "a_cp_masks.png", "a_cp_masks.tif", "a_seg.npy", "a-labels.tif", "a_seg.tif"],
)
def test_names_of_label_images(tmp_path: Path, name: str) -> None:
    save(tmp_path / name)
    taught = open_teacher_labels(tmp_path)
    np.testing.assert_array_equal(taught.of(sample()), LABELS)
    assert taught.of(sample("b")) is None


def test_images_and_pickles_beside_them_are_left_out(tmp_path: Path) -> None:
    """A folder as Cellpose leaves it: images, label images and pickles."""
    for name in "ab":
        write_image(tmp_path / f"{name}.tif", IMAGE[0])
    save(tmp_path / "a_cp_masks.png")
    save(tmp_path / "a_seg.npy", LABELS + 1)
    taught = open_teacher_labels(tmp_path)
    np.testing.assert_array_equal(taught.of(sample()), LABELS)
    assert taught.of(sample("b")) is None, "b.tif is an image"


def test_folders_with_images_of_their_own(cells: Path) -> None:
    taught = open_teacher_labels(cells)
    found = taught.of(Sample(np.zeros((1, 64, 64)), None, "03"))
    assert found is not None
    assert found.max() == 6


@pytest.mark.parametrize(("shape", "fits"), [((9, 16), True), ((12, 16), True), ((9, 12), False), ((13, 16), False)])
def test_labels_of_whole_images_of_which_a_strip_is_set_aside(
    tmp_path: Path, shape: tuple[int, int], fits: bool
) -> None:
    save(tmp_path / "a.tif")
    part = sample("a", np.zeros((1, *shape), np.uint8))
    if fits:
        np.testing.assert_array_equal(open_teacher_labels(tmp_path, strips=True).of(part), LABELS[: shape[0]])
    else:
        with pytest.raises(UserError, match="got labels of shape"):
            open_teacher_labels(tmp_path, strips=True).of(part)
    if shape != LABELS.shape:
        with pytest.raises(UserError, match="got labels of shape"):
            open_teacher_labels(tmp_path).of(part)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no labels in .*, expected label images such as"):
        open_teacher_labels(tmp_path)
    with pytest.raises(UserError, match="is no folder, expected one with label images of another program"):
        open_teacher_labels(tmp_path / "nothing")
    save(tmp_path / "a.tif", LABELS[:, :9])
    save(tmp_path / "b.tif", IMAGE[0])
    save(tmp_path / "c.tif")
    (tmp_path / "d.tif").write_bytes(b"II*\0")
    taught = open_teacher_labels(tmp_path)
    for image, answer in (
        (sample("a"), r"a\.tif: got labels of shape \(12, 9\), expected \(12, 16\) as of the image a"),
        (sample("b"), r"b\.tif: got the image b itself, expected its labels"),
        (sample("d"), r"d\.tif cannot be read"),
    ):
        with pytest.raises(UserError, match=answer) as caught:
            taught.of(image)
        assert "\n" not in str(caught.value)
    for _ in range(2):
        np.testing.assert_array_equal(taught.of(sample("c")), LABELS)
    with pytest.raises(UserError, match=r"c\.tif: got two different images of the name c"):
        taught.of(sample("c", IMAGE + np.uint16(1)))
