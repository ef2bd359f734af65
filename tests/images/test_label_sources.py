"""Where labels come from: folders of masks, and what is refused there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segraft.errors import UserError
from segraft.images.label_sources import MaskFolder, OutlineFile, coco_file, single_sources
from segraft.images.writing import write_image
from shared.messages import one_line

SHAPE = (6, 8)


def masks(folder: Path, *boxes: tuple[slice, slice], value: int = 255) -> Path:
    """Write one mask for each box, in the manner of DSB2018."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, box in enumerate(boxes, 1):
        mask = np.zeros(SHAPE, np.uint8)
        mask[box] = value
        write_image(folder / f"{number}.png", mask)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        MaskFolder(folder).read(lambda: SHAPE)
    return one_line(error)


def test_the_later_mask_lies_on_top(tmp_path: Path) -> None:
    """In natural order: 10 comes after 9."""
    boxes = [np.s_[0:1, k : k + 1] for k in range(8)] + [np.s_[2:5, 2:6], np.s_[3:6, 4:8]]
    (masks(tmp_path, *boxes, value=1) / "notes.txt").write_text("no mask")
    labels = MaskFolder(tmp_path).read(lambda: SHAPE)
    assert labels[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert labels[4].tolist() == [0, 0, 9, 9, 10, 10, 10, 10]
    assert labels.dtype == np.uint32


def test_a_bilevel_png_and_an_empty_folder(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1, 2:4] = True
    Image.fromarray(mask).save(tmp_path / "a.png")
    assert np.array_equal(MaskFolder(tmp_path).read(lambda: (1, 1)), mask)
    (tmp_path / "a.png").unlink()
    assert np.array_equal(MaskFolder(tmp_path).read(lambda: SHAPE), np.zeros(SHAPE))


def test_bad_masks_are_named(tmp_path: Path) -> None:
    masks(tmp_path, np.s_[0:2, 0:2])
    write_image(tmp_path / "2.png", np.ones((5, 8), np.uint8))
    assert refusal(tmp_path).startswith(f"{tmp_path / '2.png'}: got shape (5, 8), expected (6, 8) as of 1.png")
    write_image(tmp_path / "2.png", np.arange(48, dtype=np.uint8).reshape(SHAPE) // 20)
    assert "2.png: got 3 different values" in refusal(tmp_path)
    write_image(tmp_path / "2.png", np.zeros((6, 8, 3), np.uint8))
    assert "2.png: got a picture" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["x.zip", "x.roi"])
@pytest.mark.parametrize("content", [b"", b"Iout", b"Iout\0\xe4\0\0" + bytes(20), b"PK\3\4 and so on"])
def test_broken_regions_are_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        OutlineFile(tmp_path / name).read(lambda: SHAPE)
    assert f"{name} cannot be read (" in one_line(error)
    assert "expected outlines of objects" in one_line(error)


def test_volumes_have_no_outlines(tmp_path: Path) -> None:
    (tmp_path / "x.geojson").write_text("[]")
    with pytest.raises(UserError, match="expected a plane"):
        OutlineFile(tmp_path / "x.geojson").read(lambda: (3, 6, 8))


def test_hidden_files_are_no_labels_and_one_json_is_enough(tmp_path: Path) -> None:
    for name in (".x.geojson", ".x.png", ".y.json", "x.geojson", "notes.txt"):
        (tmp_path / name).write_text("[]")
    (tmp_path / ".hidden").mkdir()
    assert [source.path.name for source in single_sources(tmp_path)] == ["x.geojson"]
    assert coco_file(tmp_path) is None
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=r"2 json files.*a\.json.*b\.json") as error:
        coco_file(tmp_path, tmp_path)
    assert one_line(error)
