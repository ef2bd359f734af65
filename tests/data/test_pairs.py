"""Images with masks of single objects, outlines or a COCO file beside them: what the folder reader makes of them."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segraft.data.folder import folder
from segraft.errors import UserError
from segraft.images.writing import write_image
from segraft.labels.coco import CocoWriter
from segraft.labels.imagej import write_rois
from segraft.labels.outlines import write_outlines
from segraft.types import Sample
from shared.messages import one_line

NAMES = ("x1", "x2", "x10")
LABELS = np.kron(np.array([[1, 0, 2], [3, 3, 0]], np.uint32), np.ones((4, 5), np.uint32))
Layout = Callable[[Path], Any]


def image(path: Path, shape: tuple[int, ...] = (*LABELS.shape, 3)) -> None:
    write_image(path, np.full(shape, 7, np.uint8))


def masks(place: Path) -> None:
    """One binary png for each object."""
    for number in range(1, 4):
        write_image(place / f"{number}.png", np.where(number == LABELS, 255, 0).astype(np.uint8))


def images(root: Path, suffix: str = ".png") -> None:
    for name in NAMES:
        image(root / f"{name}{suffix}")


def each(root: Path, write: Callable[[Path, np.ndarray], None], name: str) -> None:
    for stem in NAMES:
        write(root / name.format(stem), LABELS)


def coco(path: Path, names: tuple[str, ...] = NAMES) -> None:
    writer = CocoWriter()
    for name in names:
        writer.add(f"somewhere/{name}.png", LABELS)
    writer.write(path)


LAYOUTS: dict[str, Layout] = {
    "a folder for each image": lambda root: [
        (image(root / name / "images" / f"{name}.png"), masks(root / name / "masks")) for name in NAMES
    ],
    "masks/NAME/": lambda root: (images(root / "images"), [masks(root / "masks" / name) for name in NAMES]),
    "labels/NAME_masks/": lambda root: (images(root), [masks(root / "labels" / f"{name}_masks") for name in NAMES]),
    "geojson": lambda root: (images(root / "images"), each(root / "masks", write_outlines, "{}.geojson")),
    "geojson beside": lambda root: (images(root), each(root, write_outlines, "{}.geojson")),
    "zip": lambda root: (images(root / "images"), each(root / "labels", write_rois, "{}.zip")),
    "RoiSet.zip": lambda root: (images(root / "images"), each(root / "masks", write_rois, "{}_RoiSet.zip")),
    "RoiSet.zip beside": lambda root: (images(root), each(root, write_rois, "{}_RoiSet.zip")),
    "coco in masks/": lambda root: (images(root / "images"), coco(root / "masks" / "all.json")),
    "coco beside images/": lambda root: (images(root / "images"), coco(root / "annotations.json")),
    "coco among the images": lambda root: (images(root), coco(root / "_annotations.coco.json")),
    "coco in images/": lambda root: (images(root / "images"), coco(root / "images" / "coco.json")),
    "mixed": lambda root: (
        images(root / "images"),
        write_image(root / "masks" / "x1.tif", LABELS),
        masks(root / "masks" / "x2"),
        write_rois(root / "masks" / "x10.zip", LABELS),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    samples = [folder(tmp_path, split) for split in ("train", "val", "test")]
    assert {item.name for part in samples for item in part.items} == set(NAMES)
    for part in pickle.loads(pickle.dumps(samples)):  # as workers get them
        for sample in part:
            assert sample.image.shape == (3, *LABELS.shape)
            np.testing.assert_array_equal(sample.labels, LABELS)


def test_splits_of_folders_for_each_image(tmp_path: Path) -> None:
    for split in ("train", "val"):
        LAYOUTS["a folder for each image"](tmp_path / split)
    for split in ("train", "val"):
        assert [sample.name for sample in folder(tmp_path, split)] == list(NAMES)


def test_images_may_lack_masks(tmp_path: Path) -> None:
    """As in DSB2018's test images. Files beside images that belong to none, archives for example, do not matter."""
    image(tmp_path / "dsb" / "x1" / "images" / "x1.png")
    images(tmp_path / "flat")
    (tmp_path / "flat" / "archive.zip").write_bytes(b"")
    write_image(tmp_path / "flat" / "x1_masks.tif", LABELS)
    for root, missing in (("dsb", "x1.png"), ("flat", "x10.png")):
        with pytest.raises(UserError, match=f"without labels.*{missing}"):
            folder(tmp_path / root, "train")
        assert folder(tmp_path / root, "train", labelled=False)


def the_only(root: Path) -> Sample:
    """The only sample of a folder, whole: as one of a split of its own."""
    root.rename(root.with_name("val"))
    root.mkdir()
    root.with_name("val").rename(root / "val")
    (sample,) = folder(root, "val")
    return sample


def test_json_beside_containers_with_labels_of_their_own_does_not_matter(tmp_path: Path) -> None:
    write_image(tmp_path / "x.h5", LABELS, key="raw")
    write_image(tmp_path / "x.h5", LABELS, key="labels")
    (tmp_path / "settings.json").write_text("{}")
    np.testing.assert_array_equal(the_only(tmp_path).labels, LABELS)


def test_a_label_image_counts_more_than_outlines_beside_it(tmp_path: Path) -> None:
    """As prediction writes both."""
    image(tmp_path / "images" / "x.png")
    write_image(tmp_path / "labels" / "x.tif", LABELS)
    write_outlines(tmp_path / "labels" / "x.geojson", LABELS[:4])
    np.testing.assert_array_equal(the_only(tmp_path).labels, LABELS)


def two_images(root: Path) -> None:
    shutil.rmtree(root / "masks")
    LAYOUTS["a folder for each image"](root / "cells")
    image(root / "cells" / "x1" / "images" / "another.png")
    shutil.move(root / "cells", root.parent / "one")
    shutil.rmtree(root)
    shutil.move(root.parent / "one", root)


def smaller(root: Path) -> None:
    for name in NAMES:
        image(root / "images" / f"{name}.png", (7, 15, 3))


def replaced(write: Callable[[Path], None]) -> Layout:
    """Masks replaced by one file."""

    def spoil(root: Path) -> None:
        shutil.rmtree(root / "masks")
        (root / "masks").mkdir()
        write(root / "masks")

    return spoil


SPOILT: dict[str, tuple[Layout, str]] = {
    "two images in one folder": (two_images, "got 2 images, expected one, with its masks in"),
    "masks of another size": (smaller, "got shapes (7, 15) and (8, 15), expected the same"),
    "coco of another size": (
        lambda root: (replaced(lambda place: coco(place / "c.json"))(root), smaller(root)),
        "got shapes (7, 15) and (8, 15), expected the same",
    ),
    "coco of other images": (
        replaced(lambda place: coco(place / "c.json", ("a", "b"))),
        "got annotations of other images (somewhere/a.png, somewhere/b.png …), expected those of x1, x2 …",
    ),
    "coco of some images": (replaced(lambda place: coco(place / "c.json", NAMES[:2])), "image(s) without labels"),
    "coco with an image twice": (
        replaced(lambda place: coco(place / "c.json", ("x1", "x1_img"))),
        "got the image name 'x1' twice",
    ),
    "other json": (replaced(lambda place: (place / "c.json").write_text("[1]")), "json of another kind"),
    "broken json": (replaced(lambda place: (place / "c.json").write_text("[1")), "cannot be read as json"),
    "two json": (
        replaced(lambda place: (coco(place / "c.json"), coco(place / "d.json"))),
        "got 2 json files",
    ),
    "geojson called json": (
        replaced(lambda place: write_outlines(place / "x1.json", LABELS)),
        "name it .geojson if it is GeoJSON",
    ),
    "outlines twice": (
        replaced(lambda place: [write_rois(place / f"{name}.zip", LABELS) for name in ("x1", "x1_RoiSet")]),
        "got the same name 'x1' twice",
    ),
    "masks without image": (lambda root: masks(root / "masks" / "y"), "label(s) without an image"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_does_not_fit_is_one_line(tmp_path: Path, case: str) -> None:
    root = tmp_path / "cells"
    LAYOUTS["masks/NAME/"](root)
    spoil, words = SPOILT[case]
    spoil(root)
    with pytest.raises(UserError) as error:
        folder(root, "train")[0]
    assert words in one_line(error)


def test_an_object_that_crosses_itself_is_named(tmp_path: Path) -> None:
    image(tmp_path / "images" / "x.png")
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
    (tmp_path / "masks").mkdir()
    text = json.dumps([{"geometry": bow, "properties": {"name": "bow"}}])
    (tmp_path / "masks" / "x.geojson").write_text(text)
    with pytest.raises(UserError, match=r"x\.geojson, object 1 \(bow\): got an outline that crosses itself"):
        folder(tmp_path, "train")[0]
