"""ImageJ's regions to labels and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiread, roiwrite

from segraft.errors import UserError
from segraft.labels.imagej import read_rois, write_rois
from segraft.labels.shapes import draw
from shared.labels import LABELS
from shared.messages import one_line

SHAPE = (12, 14)
POINTS = [[1, 1], [6, 1], [6, 4], [3, 4], [3, 9], [1, 9]]


def drawn(path: Path, *regions: ImagejRoi) -> np.ndarray:
    """The labels that regions give, through a file."""
    roiwrite(path, regions[0] if path.suffix == ".roi" else list(regions))
    return draw(read_rois(path), SHAPE, str(path))


def region(kind: ROI_TYPE, **options: object) -> ImagejRoi:
    return ImagejRoi(roitype=kind, left=2, top=1, right=12, bottom=11, **options)


@given(LABELS)
def test_labels_come_back(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("regions") / "x.zip"
    write_rois(path, labels)
    assert np.array_equal(draw(read_rois(path), labels.shape, "x"), labels)
    assert [roi.name for roi in roiread(path)] == [str(number) for number in np.unique(labels[labels > 0])]


@pytest.mark.parametrize("kind", [ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED])
@pytest.mark.parametrize("shift", [0, 0.25])
def test_polygons(tmp_path: Path, kind: ROI_TYPE, shift: float) -> None:
    expected = np.zeros(SHAPE, int)
    expected[1:4, 1:6] = expected[4:9, 1:3] = 1
    polygon = ImagejRoi.frompoints(np.array(POINTS) + shift if shift else np.array(POINTS))
    polygon.roitype = kind
    assert np.array_equal(drawn(tmp_path / "x.roi", polygon), expected)


def test_a_rectangle_and_one_between_pixels(tmp_path: Path) -> None:
    expected = np.zeros(SHAPE, int)
    expected[1:11, 2:12] = 1
    assert np.array_equal(drawn(tmp_path / "x.roi", region(ROI_TYPE.RECT)), expected)
    finer = region(ROI_TYPE.RECT, xd=2.4, yd=1.6, widthd=3.0, heightd=2.0)
    finer.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    expected[:] = 0
    expected[2:4, 2:5] = 1
    assert np.array_equal(drawn(tmp_path / "y.roi", finer), expected)


def test_an_oval_has_the_pixels_whose_centres_it_encloses(tmp_path: Path) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    inside = (x - 7) ** 2 + (y - 6) ** 2 < 25
    assert inside.sum() == 80
    assert np.array_equal(drawn(tmp_path / "x.roi", region(ROI_TYPE.OVAL)), inside)


def test_the_later_region_of_a_zip_lies_on_top(tmp_path: Path) -> None:
    polygon = ImagejRoi.frompoints(np.array(POINTS), name="polygon")
    labels = drawn(tmp_path / "x.zip", region(ROI_TYPE.RECT, name="box"), polygon)
    assert (labels[1:4, 1:6] == 2).all()
    assert (labels == 1).sum() == 100 - 12 - 5
    assert drawn(tmp_path / "y.zip").sum() == 0


@pytest.mark.parametrize("kind", [ROI_TYPE.POINT, ROI_TYPE.LINE, ROI_TYPE.POLYLINE])
def test_regions_without_area_are_refused(tmp_path: Path, kind: ROI_TYPE) -> None:
    line = ImagejRoi.frompoints(np.array(POINTS), name="spot")
    line.roitype = kind
    with pytest.raises(UserError) as error:
        drawn(tmp_path / "x.zip", line)
    assert f"object 1 (spot): got a region of the kind {kind.name.lower()}" in one_line(error)


@pytest.mark.parametrize(
    ("options", "kind"), [({"subtype": ROI_SUBTYPE.TEXT}, "text"), ({"rounded_rect_arc_size": 4}, "rounded rectangle")]
)
def test_texts_and_round_corners_are_refused(tmp_path: Path, options: dict[str, Any], kind: str) -> None:
    with pytest.raises(UserError, match=f"the kind {kind}"):
        drawn(tmp_path / "x.zip", region(ROI_TYPE.RECT, **options))


def test_volumes_have_no_regions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2-D"):
        write_rois(tmp_path / "x.zip", np.ones((2, 3, 4), np.uint32))
    assert not list(tmp_path.iterdir())
