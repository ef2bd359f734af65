"""Patch k depends on (seed, k) alone, whatever the image's size and content."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.data.augment import GEOMETRY, INTENSITY
from segraft.data.patches import Patches
from segraft.errors import UserError
from segraft.types import Sample

EVERYTHING = {"geometry": tuple(GEOMETRY), "intensity": tuple(INTENSITY)}


def as_float(image):
    return image.astype(np.float32)


def sample(shape, channels=1, seed=0, objects=9):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, objects + 1, shape)
    return Sample(rng.random((channels, *shape)).astype(np.float32), labels, f"image {seed}")


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("space", [(40, 50), (5, 30, 20)])
def test_a_patch_depends_on_seed_and_number_only(space):
    samples = [sample(space, seed=seed) for seed in range(3)]
    patch = (16, 24) if len(space) == 2 else (2, 16, 8)
    patches = Patches(samples, as_float, patch, 7, **EVERYTHING)
    forward = [patches[k] for k in range(12)]
    torch.manual_seed(1)
    fresh = Patches(samples, as_float, patch, 7, **EVERYTHING)
    for k in reversed(range(12)):
        assert same(fresh[k], forward[k])
    assert not same(forward[0], forward[3])
    assert not same(Patches(samples, as_float, patch, 8, **EVERYTHING)[0], forward[0])
    assert patches[2**40][0].shape == (1, *patch)


def test_workers_change_nothing():
    patches = Patches([sample((40, 50))], as_float, (16, 16), 0, **EVERYTHING)
    loader = torch.utils.data.DataLoader(patches, batch_size=2, sampler=range(6), num_workers=1)
    for step, (images, labels) in enumerate(loader):
        for row in range(2):
            assert same((images[row], labels[row]), patches[2 * step + row])


def test_every_image_is_visited_once_per_round_in_changing_order():
    samples = [Sample(np.full((1, 8, 8), i, np.float32), None, str(i)) for i in range(7)]
    patches = Patches(samples, as_float, (4, 4), 0)
    rounds = [[int(patches[7 * r + i][0].mean()) for i in range(7)] for r in range(4)]
    assert all(sorted(visited) == list(range(7)) for visited in rounds)
    assert len({tuple(visited) for visited in rounds}) > 1


def test_positions_cover_the_whole_image():
    image = np.arange(36, dtype=np.float32).reshape(1, 6, 6)
    patches = Patches([Sample(image, None, "ramp")], as_float, (3, 3), 0)
    corners = [float(patches[k][0].min()) for k in range(400)]
    assert len(set(corners)) == 16


@given(
    st.integers(0, 2**20),
    st.one_of(
        st.tuples(st.integers(1, 30), st.integers(1, 30)),
        st.tuples(st.integers(1, 4), st.integers(1, 16), st.integers(1, 16)),
        st.sampled_from([(1, 1), (1, 400), (400, 1), (1, 1, 1), (3, 1, 90)]),
    ),
    st.integers(1, 24),
)
@settings(max_examples=60, deadline=None)
def test_any_image_gives_whole_patches(k, space, size):
    patch = (size, 24) if len(space) == 2 else (2, size, 12)
    one = sample(space, channels=2)
    image, labels = Patches([one], as_float, patch, 3, **EVERYTHING)[k]
    assert image.shape == (2, *patch)
    assert labels.shape == patch
    assert image.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert torch.isfinite(image).all()
    present = set(labels.unique().tolist())
    objects = present - {-1, 0}
    assert objects == set(range(1, len(objects) + 1))
    assert len(objects) <= len(np.unique(one.labels[one.labels > 0]))
    assert min(present) >= -1


def test_outside_a_small_image_pixels_are_mirrored_and_unknown():
    one = Sample(np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3), np.full((3, 3), 4), "small")
    patches = Patches([one], as_float, (8, 8), 0)
    for k in range(20):
        image, labels = patches[k]
        assert int((labels == 1).sum()) == 9
        assert int((labels == -1).sum()) == 55
        assert set(image.unique().tolist()) <= set(range(1, 10))
        assert image[0][labels == 1].tolist() == list(range(1, 10))


def test_intensity_leaves_labels_untouched():
    samples = [sample((40, 40))]
    plain = Patches(samples, as_float, (32, 32), 5, geometry=tuple(GEOMETRY))
    changed = Patches(samples, as_float, (32, 32), 5, **EVERYTHING)
    assert all(torch.equal(plain[k][1], changed[k][1]) for k in range(8))
    assert not all(torch.equal(plain[k][0], changed[k][0]) for k in range(8))


def test_backgrounds_unknowns_and_images_without_labels():
    image = np.zeros((1, 20, 20), np.uint16)
    empty = Patches([Sample(image, np.zeros((20, 20), np.uint8), "empty")], as_float, (8, 8), 0)
    assert not empty[0][1].any()
    unlabelled = Patches([Sample(image, None, "unlabelled")], as_float, (8, 8), 0)
    assert (unlabelled[0][1] == -1).all()
    labels = np.full((20, 20), 2**40)
    labels[:10] = -1
    partly = Patches([Sample(image, labels, "partly")], as_float, (20, 20), 0)[0][1]
    assert (partly[:10] == -1).all()
    assert (partly[10:] == 1).all()


def test_objects_that_a_crop_cuts_keep_one_number():
    labels = np.zeros((9, 9), int)
    labels[:, [0, 8]] = 5
    labels[0] = 5
    patch = Patches([Sample(np.zeros((1, 9, 9)), labels, "arch")], as_float, (4, 9), 0)
    assert all(set(patch[k][1].unique().tolist()) <= {0, 1} for k in range(10))


def test_channels_are_chosen_and_kept_images_are_not_touched():
    one = sample((12, 12), channels=3)
    patches = Patches([one], as_float, (12, 12), 0, channels=(2, 0))
    image, _ = patches[0]
    assert np.array_equal(image.numpy(), one.image[[2, 0]])
    image.zero_()
    assert np.array_equal(patches[0][0].numpy(), one.image[[2, 0]])


@pytest.mark.parametrize(
    ("samples", "settings_", "message"),
    [
        ([], {}, "no images"),
        ([sample((9, 9))], {"patch": (0, 4)}, "patch"),
        ([sample((9, 9))], {"patch": (2, 4, 4)}, "wanted .channels, z, y, x"),
        ([sample((9, 9))], {"channels": (1,)}, "channels"),
        ([sample((9, 9))], {"seed": -1}, "seed -1"),
        ([sample((9, 9))], {"geometry": ("flop",)}, "unknown geometry augmentation"),
        ([sample((9, 9)), sample((9, 9), channels=3)], {}, "3 channels"),
        ([Sample(np.zeros((1, 9, 9)), np.zeros((8, 9), int), "odd")], {}, "labels of odd"),
        ([Sample(np.zeros((1, 0, 9)), None, "hollow")], {}, "hollow"),
    ],
)
def test_mistakes_get_one_clear_line(samples, settings_, message):
    arguments = {"patch": (4, 4), "seed": 0, **settings_}
    with pytest.raises(UserError, match=message) as caught:
        Patches(samples, as_float, **arguments)
    assert "\n" not in str(caught.value)
