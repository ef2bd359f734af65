"""The pictures for proofreading."""

from __future__ import annotations

import numpy as np

from segraft.metrics.disagreement import doubts
from segraft.reporting.proofreading import COLUMNS, GAP, HOT, LINE, OTHER, OWN, SEAM, TILE, Sheet, map_picture


def scene(space: tuple[int, ...] = (40, 50)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image ``(1, *space)``, labels of two objects, and others that join them."""
    labels = np.zeros(space, np.uint32)
    labels[..., 5:15, 10:20], labels[..., 5:15, 20:30], labels[..., 25:35, 10:20] = 1, 2, 3
    others = np.where(labels == 2, 1, labels).astype(np.uint32)
    image = np.where(labels > 0, 200, 20)[None] + np.random.default_rng(0).integers(0, 9, (1, *space))
    return image, labels, others


def test_the_map_is_red_where_models_disagree_and_grey_elsewhere() -> None:
    image, labels, _ = scene()
    disagreement = np.zeros(labels.shape, np.float32)
    disagreement[8:11, 13:16] = 1
    picture = map_picture(image, labels, disagreement)
    assert picture.shape == (80, 100, 3)
    assert picture.dtype == np.uint8
    assert (picture[17:21, 27:31] == HOT).all()
    assert (picture[10, 22] == OWN).all()
    assert np.ptp(picture[70:, 60:].astype(int), axis=-1).max() == 0


def test_the_sheet_shows_the_worst_of_all_images() -> None:
    image, labels, others = scene()
    nothing = np.zeros(labels.shape, np.float32)
    sheet = Sheet(2)
    assert sheet.draw() is None
    sheet.add("alike", image, labels, labels, doubts(labels, labels, nothing))
    assert sheet.draw() is None
    sheet.add("joined", image, labels, others, doubts(labels, others, nothing))
    before = sheet.draw()
    assert before is not None
    assert before.shape == (TILE + 2 * LINE + GAP, 2 * (2 * TILE + SEAM + 2 * GAP), 3)
    own, other = (before[:, side : side + TILE].reshape(-1, 3) for side in (GAP, GAP + TILE + SEAM))
    assert (own == OWN).all(-1).sum() > 3 * TILE > 0 == (own == OTHER).all(-1).sum()
    assert (other == OTHER).all(-1).sum() > TILE
    lost = np.where(labels == 3, 0, labels)
    sheet.add("lost", image, labels, lost, doubts(labels, lost, nothing))
    after = sheet.draw()
    assert after is not None
    assert after.shape == before.shape
    assert (after != before).any()


def test_more_objects_than_columns_take_more_rows() -> None:
    image, labels, others = scene()
    sheet = Sheet(COLUMNS + 1)
    for number in range(COLUMNS):
        sheet.add(str(number), image, labels, others, doubts(labels, others, np.zeros(labels.shape, np.float32)))
    drawn = sheet.draw()
    assert drawn is not None
    assert drawn.shape[0] == 2 * (TILE + 2 * LINE + GAP)


def test_of_a_volume_the_middle_section_is_shown() -> None:
    image, labels, others = scene((5, 40, 50))
    image[:, :2] = image[:, 3:] = 0
    sheet = Sheet(1)
    sheet.add("volume", image, labels, others, doubts(labels, others, np.zeros(labels.shape, np.float32)))
    drawn = sheet.draw()
    assert drawn is not None
    assert (drawn[GAP : GAP + TILE, GAP : GAP + TILE] == OWN).all(-1).sum() > TILE


def test_no_picture_is_asked_for() -> None:
    image, labels, others = scene()
    sheet = Sheet(0)
    sheet.add("joined", image, labels, others, doubts(labels, others, np.zeros(labels.shape, np.float32)))
    assert sheet.draw() is None
