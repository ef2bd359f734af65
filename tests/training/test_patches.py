"""Patch k depends on (seed, k) alone, whatever the image's size and content."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.labels.borders import widen_borders
from segraft.training.augment import INTENSITY, VOLUMES_ONLY
from segraft.training.patches import Patches
from segraft.training.transforms import GEOMETRY
from segraft.types import Sample

VOLUMES = {"geometry": tuple(GEOMETRY), "intensity": tuple(INTENSITY)}
EVERYTHING = {room: tuple(name for name in names if name not in VOLUMES_ONLY) for room, names in VOLUMES.items()}
LATER = ("gain", "debris", "hot")
"""Intensities that earlier versions had not."""
EARLIER = EVERYTHING | {"intensity": tuple(name for name in EVERYTHING["intensity"] if name not in LATER)}


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
    patch, names = ((16, 24), EVERYTHING) if len(space) == 2 else ((2, 16, 8), VOLUMES)
    patches = Patches(samples, as_float, patch, 7, **names)
    forward = [patches[k] for k in range(12)]
    torch.manual_seed(1)
    fresh = Patches(samples, as_float, patch, 7, **names)
    for k in reversed(range(12)):
        assert same(fresh[k], forward[k])
    assert not same(forward[0], forward[3])
    assert not same(Patches(samples, as_float, patch, 8, **names)[0], forward[0])
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
    patch, names = ((size, 24), EVERYTHING) if len(space) == 2 else ((2, size, 12), VOLUMES)
    one = sample(space, channels=2)
    image, labels = Patches([one], as_float, patch, 3, **names)[k]
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
    plain = Patches(samples, as_float, (32, 32), 5, geometry=EVERYTHING["geometry"])
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
        ([], {}, "training images: got none"),
        ([sample((9, 9))], {"patch": (0, 4)}, "patch"),
        ([sample((9, 9))], {"patch": (2, 4, 4)}, "expected .channels, z, y, x"),
        ([sample((9, 9))], {"channels": (1,)}, "channels"),
        ([sample((9, 9))], {"seed": -1}, "seed: got -1"),
        ([sample((9, 9))], {"geometry": ("flop",)}, "unknown geometry augmentation"),
        ([sample((9, 9))], {"geometry": ("misalign",)}, "'misalign': got 2-D images, expected volumes"),
        ([sample((9, 9))], {"intensity": ("missing",)}, "'missing': got 2-D images, expected volumes"),
        ([sample((9, 9))], {"border": -1}, "image 0: border width: got -1"),
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


def stripes(space):
    """An image of all 12 bits and its objects in stripes, by integer arithmetic only."""
    y, x = np.indices(space)
    return Sample(((y * 1031 + x * x * 37) % 4096).astype(np.uint16)[None], (y // 9 * 7 + x // 11) % 23, "stripes")


def test_patches_of_a_seed_never_change():
    """Golden: patches of a seed are part of what makes a run of an earlier version repeatable."""
    samples = [stripes((120, 140)), stripes((70, 60))]
    exact = Patches(samples, as_float, (96, 64), 5, ("flip", "rotate90"))
    digest = hashlib.sha256(b"".join(part.numpy().tobytes() for k in range(8) for part in exact[k])).hexdigest()
    assert digest[:16] == "4e1465fad860549d"
    patches = [
        Patches(samples, Normalisation((1.0, 99.8), compressed=False), (96, 64), 5, **EARLIER)[k] for k in range(8)
    ]
    digest = hashlib.sha256(b"".join(labels.numpy().tobytes() for _, labels in patches)).hexdigest()
    assert digest[:16] == "5ae83940c07b6e7f"
    means = [round(float(image.double().mean()), 5) for image, _ in patches]
    assert means == pytest.approx([0.57382, 0.47495, 0.3916, 0.55555, 0.46348, 0.40033, 0.49772, 0.55198], abs=2e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int8, np.float16, bool])
def test_volumes_stay_narrow_in_memory_and_their_patches_are_those_of_normalised_ones(dtype):
    rng = np.random.default_rng(0)
    volumes = []
    for seed in range(2):
        image = (rng.random((2, 6, 40, 30)) ** 2 * 120).astype(dtype)
        volumes.append(Sample(image, sample((6, 40, 30), seed=seed).labels, f"volume {seed}"))
    normalisation = Normalisation((2.0, 99.0))
    patch, names = (4, 24, 20), {"geometry": VOLUMES["geometry"], "intensity": ("noise", "missing", "sections")}
    narrow = Patches(volumes, normalisation, patch, 1, channels=(1, 0), **names)
    # A function is asked for the whole volume.
    whole = Patches(volumes, lambda image: normalisation(image), patch, 1, channels=(1, 0), **names)
    assert {image.dtype for image in narrow._images} == {np.dtype(dtype)}
    assert {image.dtype for image in whole._images} == {np.dtype(np.float32)}
    for k in range(12):
        (image, labels), (expected, truth) = narrow[k], whole[k]
        assert torch.equal(labels, truth)
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-5)
    geometry = VOLUMES["geometry"]
    one, other = (Patches(volumes, way, patch, 1, geometry) for way in (normalisation, lambda x: normalisation(x)))
    assert all(same(one[k], other[k]) for k in range(12))


@pytest.mark.parametrize("objects", [1, 127, 128, 40_000])
def test_labels_take_the_narrowest_type_that_holds_them(objects):
    labels = np.arange(2 * 200 * 210).reshape(2, 200, 210) % (objects + 2) - 1
    patches = Patches([Sample(np.zeros((1, *labels.shape), np.uint8), labels, "many")], as_float, labels.shape, 0)
    assert patches._labels[0].dtype == {1: np.int8, 127: np.int8, 128: np.int16, 40_000: np.int32}[objects]
    assert np.array_equal(patches[0][1], labels)
    assert np.array_equal(np.sort(np.concatenate(patches.object_sizes())), np.sort(np.bincount(labels[labels > 0])[1:]))


@pytest.mark.parametrize("space", [(40, 30), (3, 40, 30)])
def test_borders_are_widened_once_and_for_all(space):
    one = sample(space)
    labels = np.kron(one.labels, np.ones((5, 5), int))[..., : space[-2], : space[-1]].astype(np.uint16)
    patches = Patches([Sample(one.image, labels, "cells")], as_float, space, 0, border=1)
    truth = widen_borders(labels, 1)
    found = patches[0][1].numpy()
    assert np.array_equal(found <= 0, truth <= 0)
    assert np.array_equal(found[truth <= 0], truth[truth <= 0])
    assert {-1, 0, 1} <= set(found.ravel().tolist())
    sizes = np.unique(truth[truth > 0], return_counts=True)[1]
    assert np.array_equal(np.sort(np.concatenate(patches.object_sizes())), np.sort(sizes))
    assert Patches([Sample(one.image, None, "unlabelled")], as_float, space, 0, border=1)[0][1].max() == -1


def test_an_object_that_its_borders_swallow_has_no_size():
    labels = np.repeat([1, 1, 1, 2, 3, 3, 3], 4)[None, ::4].repeat(6, axis=0)
    patches = Patches([Sample(np.zeros((1, *labels.shape)), labels, "thin")], as_float, labels.shape, 0, border=1)
    assert np.concatenate(patches.object_sizes()).tolist() == [12, 12]
    assert patches[0][1][0].tolist() == [1, 1, 0, 0, 0, 2, 2]


@pytest.mark.parametrize("extent", [6, 20])
def test_the_middle_of_patches_with_a_margin_meets_every_pixel(extent):
    """As valid convolutions need, which leave of a patch only its middle, here one pixel; also of a smaller image."""
    image = np.arange(extent * 7, dtype=np.float32).reshape(1, extent, 7)
    patches = Patches([Sample(image, image[0].astype(int) + 1, "numbered")], as_float, (9, 7), 0, margin=(4, 3))
    drawn = [patches[k] for k in range(1500)]
    assert {int(pixels[0, 4, 3]) for pixels, _ in drawn} == set(range(extent * 7))
    assert all(labels[4, 3] > 0 for _, labels in drawn)
    assert any((labels == -1).any() for _, labels in drawn)


def test_the_share_of_foreground_is_that_of_the_known_pixels():
    labels = np.zeros((10, 10), np.int64)
    labels[:2, :5], labels[5:] = 3, -1
    image = np.zeros((1, 10, 10), np.float32)
    both = [Sample(image, labels, "a"), Sample(image, None, "b")]
    assert Patches(both, as_float, (8, 8), 0).foreground_share() == 10 / 50
    assert Patches(both[1:], as_float, (8, 8), 0).foreground_share() == 0.5
