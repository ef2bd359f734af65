"""The scores of one pair of label images and of a set."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.metrics.scores import COUNTS, SCORES
from segraft.metrics.scoring import evaluate, summarise

EMPTY = np.zeros((4, 4), int)


def columns(*labels):
    return np.repeat([labels], 4, 0)


def test_all_scores_come_by_their_names_in_their_order():
    scores = evaluate(columns(1, 1, 2), columns(1, 1, 1))
    names = "sbd dic aji dice f1 pq sq dq voi voi_split voi_merge arand n_predicted n_true tp fp fn"
    assert list(scores) == names.split() == [*SCORES, *COUNTS]


def test_scores_are_plain_numbers_that_json_takes():
    scores = evaluate(columns(1, 1, 2).astype(np.uint32), columns(1, 0, 3).astype(np.uint16))
    assert {type(value) for value in scores.values()} == {int, float}
    assert json.loads(json.dumps(scores)) == scores


@pytest.mark.parametrize(
    ("predicted", "truth"), [(EMPTY, EMPTY), (EMPTY + 1, EMPTY), (EMPTY, EMPTY + 1), (EMPTY, EMPTY - 1)]
)
def test_empty_images_have_finite_scores(predicted, truth):
    scores = evaluate(predicted, truth)
    assert all(np.isfinite(value) for value in scores.values())
    same = scores["n_predicted"] == scores["n_true"] == 0
    assert scores["aji"] == scores["pq"] == scores["sbd"] == scores["dice"] == int(same)


@pytest.mark.parametrize("space", [(1, 1), (1, 500), (500, 1), (1, 1, 1), (1, 1, 60)])
def test_tiny_and_elongated_images(space):
    scores = evaluate(np.ones(space, np.uint8), np.ones(space, bool))
    assert scores["pq"] == scores["aji"] == 1
    assert scores["voi"] == scores["arand"] == 0


def test_more_objects_than_16_bits_hold():
    truth = np.arange(1, 70_001).reshape(200, 350)
    scores = evaluate(truth[::-1, ::-1][::-1, ::-1], truth)
    assert scores["tp"] == scores["n_true"] == 70_000
    assert scores["pq"] == 1


@pytest.mark.parametrize(
    ("predicted", "truth", "says"),
    [
        (EMPTY, EMPTY[:3], r"\(4, 4\).*\(3, 4\)"),
        (EMPTY + 0.5, EMPTY, "predicted labels.*float64"),
        (EMPTY, EMPTY.astype(np.float32) + 0.25, "true labels.*float32"),
        (EMPTY, EMPTY - 2, "-2"),
        (EMPTY, np.zeros((20, 30, 4), np.uint8), "--dataset bbbc039"),
    ],
)
def test_mistakes_are_answered_in_one_line(predicted, truth, says):
    with pytest.raises(UserError, match=says) as error:
        evaluate(predicted, truth)
    assert "\n" not in str(error.value)


def test_a_set_has_the_means_over_images_and_pooled_counts():
    images = [
        evaluate(columns(1, 1, 2, 3), columns(1, 1, 1, 3)),
        evaluate(columns(1, 0, 0, 0), columns(1, 0, 2, 2)),
    ]
    scores = summarise(images)
    assert set(scores) == {*SCORES, *COUNTS, "f1_pooled", "pq_pooled"}
    for name in SCORES:
        assert scores[name] == pytest.approx((images[0][name] + images[1][name]) / 2)
    assert (scores["tp"], scores["fp"], scores["fn"]) == (3, 1, 1)
    assert scores["f1_pooled"] == pytest.approx(6 / 8)
    assert scores["pq_pooled"] == pytest.approx(6 / 8 * (2 / 3 + 1 + 1) / 3)
    assert {type(value) for value in scores.values()} == {int, float}


def test_pooling_is_scoring_the_images_side_by_side():
    """F1 and PQ of one large image with both images' objects, numbered apart."""
    pairs = [
        (columns(1, 1, 2, 3), columns(1, 1, 1, 3)),
        (columns(1, 0, 0, 0), columns(1, 0, 2, 2)),
        (EMPTY, EMPTY),
    ]
    apart = [np.where(image > 0, image + 10 * k, 0) for k, pair in enumerate(pairs) for image in pair]
    together = evaluate(np.hstack(apart[0::2]), np.hstack(apart[1::2]))
    scores = summarise([evaluate(*pair) for pair in pairs])
    assert scores["f1_pooled"] == pytest.approx(together["f1"])
    assert scores["pq_pooled"] == pytest.approx(together["pq"])


def test_a_set_of_one_image_scores_as_the_image():
    image = evaluate(columns(1, 1, 2), columns(1, 1, 1))
    scores = summarise([image])
    assert {name: scores[name] for name in image} == pytest.approx(image)
    assert scores["f1_pooled"] == image["f1"]
    assert scores["pq_pooled"] == pytest.approx(image["pq"])


def test_a_set_of_empty_images_is_right():
    scores = summarise([evaluate(EMPTY, EMPTY)] * 2)
    assert scores["f1_pooled"] == scores["pq_pooled"] == scores["aji"] == 1


def test_a_set_without_images_is_a_mistake():
    with pytest.raises(UserError, match="no image"):
        summarise([])


def test_images_of_usual_size_are_scored_in_milliseconds():
    rows, columns = np.divmod(np.arange(520 * 696).reshape(520, 696), 696)
    truth = (rows // 40) * 18 + columns // 40 + 1
    evaluate(truth, truth)
    start = time.perf_counter()
    evaluate(np.roll(truth, 3, 1), truth)
    assert time.perf_counter() - start < 0.1  # a few milliseconds, on a machine that does other things as well
