"""Generated neurites obey their settings and depend on nothing but (seed, split, index)."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from segraft.data.neurites import ANISOTROPY, COUNTS, Tubes, grow, neurites
from segraft.errors import UserError

SMALL = (12, 64, 64)


def volume(split="train", index=0, size=SMALL, **options):
    return neurites(None, split, size=size, **options)[index]


def masks(labels):
    """Each object in its own box."""
    return [labels[place] == number for number, place in enumerate(find_objects(labels), start=1)]


def largest_part(mask):
    parts, _ = label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    return sizes.max() / sizes.sum()


def elongation(mask):
    """Length of an object over its mean width, in pixels: from the second moments of its voxels."""
    points = np.argwhere(mask) * (ANISOTROPY, 1, 1)
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(points.T) + np.eye(3)))
    return spread[2] / np.sqrt(spread[0] * spread[1])


@pytest.fixture(scope="module")
def timed():
    """A volume of the usual size, and the seconds that it took."""
    began = time.process_time()
    return neurites(None, "train")[0], time.process_time() - began


@pytest.fixture
def usual(timed):
    return timed[0]


def test_samples_have_the_promised_shapes_and_types(usual):
    assert usual.image.shape == (1, 32, 160, 160)
    assert usual.image.dtype == np.uint8
    assert usual.labels.shape == (32, 160, 160)
    assert usual.labels.dtype == np.int32
    assert usual.voxel_size == (40, 8, 8)
    assert 30 < usual.labels.max() < 150
    np.testing.assert_array_equal(np.unique(usual.labels), np.arange(usual.labels.max() + 1))


def test_processes_are_long_whole_and_touch(usual):
    labels = usual.labels
    assert np.mean([largest_part(mask) for mask in masks(labels)]) > 0.98
    assert np.median([elongation(mask) for mask in masks(labels)]) > 1.5
    left, right = labels[:, :, :-1], labels[:, :, 1:]
    touching = (left != right) & (left > 0) & (right > 0)
    assert len(np.unique(left[touching])) > 0.9 * labels.max()


def test_membranes_between_processes_are_dark(usual):
    labels, image = usual.labels, usual.image[0].astype(float)
    left, right = labels[..., 4:-5], labels[..., 5:-4]
    z, y, x = np.nonzero((left != right) & (labels[..., :-9] == left) & (labels[..., 9:] == right))
    border = (image[z, y, x + 4] + image[z, y, x + 5]).mean() / 2
    inside = (image[z, y, x] + image[z, y, x + 9]).mean() / 2
    assert border < 0.6 * inside


def test_sections_have_noise_of_their_own(usual):
    """Neighbouring sections of one process look less alike than neighbouring rows would without noise."""
    image, labels = usual.image[0].astype(float), usual.labels
    inside = (labels[1:] == labels[:-1]) & (labels[1:] > 0)
    step = (image[1:] - image[:-1])[inside]
    assert 5 < step.std() < 60
    assert np.std(image.mean(axis=(1, 2))) > 1, "each section has its brightness"


@pytest.mark.parametrize("density", [0.3, 0.6, 0.95, 1.0])
def test_density_is_the_part_that_is_filled(density):
    filled = np.mean([(volume(index=index, density=density).labels > 0).mean() for index in range(2)])
    assert abs(filled - density) < 0.03
    if density == 1:
        assert filled == 1


def test_calibre_is_about_the_diameter(usual):
    thin = volume(calibre=10.0, size=(16, 96, 96)).labels.max()
    thick = volume(calibre=30.0, size=(16, 96, 96)).labels.max()
    assert thin > 3 * thick
    widths = [np.count_nonzero(usual.labels[16] == number) for number in np.unique(usual.labels[16])[1:]]
    assert 12 < np.sqrt(np.mean(widths)) < 36


def test_growing_gives_each_voxel_to_the_nearest_core():
    cores = np.zeros((3, 9, 9), np.int32)
    cores[1, 2, 2], cores[0, 7, 6] = 1, 2
    seeds = {number: np.argwhere(cores == number)[0] for number in (1, 2)}
    for density in (0.4, 1.0):
        grown = grow(cores, density)
        distances = np.stack(
            [
                np.linalg.norm(
                    (np.indices(cores.shape).transpose(1, 2, 3, 0) - seeds[number]) * (ANISOTROPY, 1, 1), axis=-1
                )
                for number in (1, 2)
            ]
        )
        near = distances.min(axis=0)
        filled = grown > 0
        tied = np.isclose(distances[0], distances[1])
        np.testing.assert_array_equal(grown[filled & ~tied], distances.argmin(axis=0)[filled & ~tied] + 1)
        assert np.count_nonzero(filled) == int(density * cores.size)
        if density < 1:
            assert near[filled].max() <= near[~filled].min() + 1e-9


def test_cores_do_not_touch_and_are_whole():
    tubes = Tubes((12, 64, 64), 20.0, np.random.default_rng(0))
    tubes.fill()
    assert tubes.labels.max() > 5
    assert all(largest_part(mask) == 1 for mask in masks(tubes.labels))


def test_a_volume_depends_on_seed_split_and_index_only():
    one, again = neurites(None, "train", size=SMALL, count=3), neurites(None, "train", size=SMALL)
    assert np.array_equal(one[2].image, again[2].image)
    assert np.array_equal(pickle.loads(pickle.dumps(one))[2].labels, again[2].labels)
    others = [one[0], one[1], volume(seed=1), volume("val"), volume("test")]
    assert len({sample.image.tobytes() for sample in others}) == 5


def test_counts():
    assert {split: len(neurites(None, split)) for split in COUNTS} == COUNTS
    with pytest.raises(IndexError):
        neurites(None, "val", count=3)[3]


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 40, 40), (20, 3, 5)])
def test_odd_sizes(size):
    sample = volume(size=size)
    assert sample.image.shape == (1, *size)
    assert sample.labels.shape == size


def test_a_volume_is_made_quickly(timed):
    assert timed[1] < 2.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "training"}, "unknown split 'training'"),
        ({"count": 0}, "count: got 0"),
        ({"size": (32, 32)}, "size"),
        ({"size": (8, 32, 0)}, "size"),
        ({"density": 0.0}, "density: got 0"),
        ({"density": 1.1}, "density: got 1.1"),
        ({"density": float("nan")}, "density: got nan"),
        ({"calibre": 5.0}, "calibre: got 5"),
        ({"calibre": float("inf")}, "calibre: got inf"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_mistakes_get_one_clear_line(options, message):
    arguments = {"split": "train", **options}
    with pytest.raises(UserError, match=message) as caught:
        neurites(None, **arguments)
    assert "\n" not in str(caught.value)
