"""Generated cells obey their settings and depend on nothing but (seed, split, index)."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.data.synthetic import COUNTS, Colony, synthetic
from segraft.errors import UserError


def cells(**options):
    return synthetic(None, "train", size=(128, 128), **options)


def hidden(density, occlusion, seed):
    """Part of the cells' area that lies below other cells."""
    colony = Colony((160, 160), np.random.default_rng(seed))
    colony.fill(density, occlusion)
    return 1 - np.count_nonzero(colony.labels) / sum(colony.areas)


def test_samples_have_the_promised_shapes_and_types():
    sample = synthetic(None, "val", size=(70, 90))[0]
    assert sample.image.shape == (1, 70, 90)
    assert sample.image.dtype == np.uint16
    assert sample.labels.shape == (70, 90)
    assert sample.labels.dtype == np.int32
    assert sample.labels.max() > 5


@given(
    st.integers(0, 10**6),
    st.sampled_from([(1, 1), (1, 200), (90, 30), (64, 64)]),
    st.floats(0.05, 0.9),
    st.floats(0.0, 1.0),
)
@settings(max_examples=20, deadline=None)
def test_ids_are_consecutive_and_the_image_has_contrast(seed, size, density, occlusion):
    sample = synthetic(None, "train", size=size, density=density, occlusion=occlusion, seed=seed)[3]
    present = np.unique(np.append(0, sample.labels))
    assert np.array_equal(present, np.arange(len(present)))
    assert sample.image.shape == (1, *size)
    if 0 < np.count_nonzero(sample.labels) < sample.labels.size and size == (64, 64):
        inside = sample.labels > 0
        assert sample.image[0][inside].mean() > sample.image[0][~inside].mean()


def test_an_image_depends_on_seed_split_and_index_only():
    one, again = cells(count=5), cells(count=2)
    last = one[4]
    assert np.array_equal(one[1].image, again[1].image)
    assert np.array_equal(one[1].labels, again[1].labels)
    assert np.array_equal(one[4].image, last.image)
    assert np.array_equal(pickle.loads(pickle.dumps(one))[4].image, last.image)
    assert not np.array_equal(one[0].labels, one[1].labels)
    assert not np.array_equal(cells(seed=1)[0].labels, one[0].labels)


def test_splits_share_no_image():
    images = [synthetic(None, split, size=(40, 40))[i].image for split in COUNTS for i in range(3)]
    assert len({image.tobytes() for image in images}) == len(images)


def test_counts():
    assert {split: len(synthetic(None, split)) for split in COUNTS} == COUNTS
    samples = cells(count=3)
    assert len(list(samples)) == 3
    with pytest.raises(IndexError):
        samples[3]


def test_density_is_the_part_that_is_covered():
    covered = [
        np.mean([(sample.labels > 0).mean() for sample in cells(count=4, density=density)])
        for density in (0.1, 0.3, 0.5, 0.7)
    ]
    assert np.allclose(covered, (0.1, 0.3, 0.5, 0.7), atol=0.03)


def test_occlusion_is_the_overlap_of_neighbours():
    overlaps = [np.mean([hidden(0.5, occlusion, seed) for seed in range(4)]) for occlusion in (0.0, 0.3, 0.6, 1.0)]
    assert overlaps[0] == 0
    assert np.all(np.diff(overlaps) > 0.02)


def test_no_cell_vanishes_and_touching_cells_are_common():
    colony = Colony((160, 160), np.random.default_rng(0))
    colony.fill(0.6, 0.4)
    seen = np.bincount(colony.labels.ravel())[1:]
    assert np.all(seen >= 0.6 * np.array(colony.areas))
    labels = cells(density=0.5, occlusion=0.0)[0].labels
    right, left = labels[:, 1:], labels[:, :-1]
    touching = (right != left) & (right > 0) & (left > 0)
    assert len(np.unique(right[touching])) > 0.2 * labels.max()


def test_borders_between_touching_cells_can_be_seen():
    """Averaged over an image's borders, they are darker (or, with a membrane stain, brighter) than the cells."""
    for sample in cells(count=8, density=0.6, occlusion=0.0):
        labels, image = sample.labels, sample.image[0].astype(float) - sample.image.min()
        left, right = labels[:, 3:-4], labels[:, 4:-3]
        touching = (left != right) & (left > 0) & (right > 0)
        y, x = np.nonzero(touching & (labels[:, :-7] == left) & (labels[:, 7:] == right))
        border = image[y, x + 3] + image[y, x + 4]
        assert abs(border.mean() / (image[y, x] + image[y, x + 7]).mean() - 1) > 0.05


def test_an_image_is_made_quickly():
    samples = synthetic(None, "train", count=3)
    began = time.process_time()
    list(samples)
    assert (time.process_time() - began) / 3 < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "training"}, "unknown split 'training'"),
        ({"count": 0}, "count: got 0"),
        ({"size": (32,)}, "size"),
        ({"size": (32, 0)}, "size"),
        ({"density": 0.0}, "density: got 0"),
        ({"density": 1.0}, "density: got 1"),
        ({"density": float("nan")}, "density: got nan"),
        ({"occlusion": -0.1}, "occlusion: got -0.1"),
        ({"occlusion": 1.5}, "occlusion: got 1.5"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_mistakes_get_one_clear_line(options, message):
    arguments = {"split": "train", **options}
    with pytest.raises(UserError, match=message) as caught:
        synthetic(None, **arguments)
    assert "\n" not in str(caught.value)
