"""The model: any size, any layout, tiled as whole, and clear words for what does not fit."""

from __future__ import annotations

import errno
import itertools
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import segraft
from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D
from segraft.model import checkpoint
from segraft.model.config import Segmentation
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner
from segraft.networks import create_network, resunet
from segraft.networks.contract import Network
from segraft.tensors import Output
from segraft.types import Geometry
from shared.models import a_config, a_model, lively

CONFIG: dict[str, Any] = {"network": {"name": "resunet", "in_channels": 1, "dim": 4, "filters": [2, 4, 8]}}


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images are equal up to the numbers of their objects."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(pairs.T) == len(np.unique(a)) == len(np.unique(b)) and bool(((a == 0) == (b == 0)).all())


class Brightness(Network):
    """An oracle: pixels of equal brightness have equal embeddings, black is background. No context needed."""

    ndim = 2

    def __init__(self) -> None:
        super().__init__(Geometry(2, 1, 8, stride=(1, 1), margin=(0, 0), minimum=(1, 1), halo=(0, 0)), ())
        self.levels = nn.Parameter(torch.arange(8) / 7)
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Output:
        self.seen.append(tuple(x.shape))
        near = (x - self.levels[:, None, None]).abs() < 1 / 14
        return Output(near.float(), 20 * (x - 0.07))


def squares() -> tuple[np.ndarray, np.ndarray]:
    """Six touching squares of different brightness on black, and their labels."""
    labels = np.zeros((50, 62), np.uint32)
    for number, (row, column) in enumerate(itertools.product(range(2), range(3))):
        labels[5 + 20 * row : 25 + 20 * row, 1 + 20 * column : 21 + 20 * column] = number + 1
    return (labels * 500 // 3 * 3 + (labels == 6) * 500).astype(np.uint16), labels


@pytest.fixture
def oracle() -> Model:
    return a_model(Brightness(), percentiles=(0.0, 100.0))


def test_objects_are_found(oracle: Model) -> None:
    image, truth = squares()
    labels = oracle.predict(image)
    assert labels.dtype == np.uint32
    assert same_partition(labels, truth)
    assert set(np.unique(labels)) == set(range(7))


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i4", "u8", "f2", "f4", "f8"])
def test_any_real_type_and_layout_gives_the_same(oracle: Model, dtype: str) -> None:
    image, truth = squares()
    image = (image // 16).astype(dtype)
    for view in (image, image[None], image[..., None], np.asfortranarray(image), np.repeat(image, 2, 1)[:, ::2]):
        assert same_partition(oracle.predict(view), truth)


def test_a_boolean_image_is_an_image(oracle: Model) -> None:
    image, truth = squares()
    assert same_partition(oracle.predict(image > 0), (truth > 0).astype(np.uint32))


def test_options_of_prediction(oracle: Model) -> None:
    image, truth = squares()
    assert oracle.predict(image, minimum_size=401).max() == 0
    assert oracle.predict(image, minimum_size=400).max() == 6
    assert oracle.predict(image, foreground_threshold=0.9999999).max() < 6
    mask = truth > 3
    assert same_partition(oracle.predict(image, true_foreground=mask), truth * mask)


def test_another_segmenter_than_the_stored_one_has_its_own_settings(oracle: Model) -> None:
    image, truth = squares()
    own = {"threshold": 0.0, "boundary": 0.5}
    oracle.config = replace(oracle.config, segmentation=Segmentation("waterz", settings=own))
    shattered = oracle.predict(image)
    assert oracle.predict(image, segmenter="waterz").max() == shattered.max()
    assert segraft.evaluate(oracle.predict(image, segmenter="multicut"), truth)["aji"] > 0.8
    with pytest.raises(UserError, match="unknown segmenter 'mutx'"):
        oracle.predict(image, segmenter="mutx")


def test_the_configuration_gives_the_defaults() -> None:
    image, _ = squares()
    model = a_model(Brightness(), percentiles=(0.0, 100.0), segmentation={"minimum_size": 401})
    assert model.predict(image).max() == 0
    assert model.predict(image, minimum_size=0).max() == 6


@pytest.mark.parametrize("tile", [None, 16])
def test_segments_of_dense_tissue_fill_the_plane(oracle: Model, tile: int | None) -> None:
    image, truth = squares()
    filled = oracle.predict(image, fill=True, tile=tile)
    assert (filled > 0).all()
    assert same_partition(np.where(truth > 0, filled, 0), truth)
    stored = Model(oracle.runner, replace(oracle.config, segmentation=Segmentation(fill=True)))
    assert same_partition(stored.predict(image, tile=tile), filled)
    assert np.array_equal(stored.predict(image, fill=False), oracle.predict(image))
    assert np.array_equal(stored.predict(image, true_foreground=truth > 0) > 0, truth > 0)


def test_rescaling_meets_the_training_pixel_size_and_comes_back(oracle: Model) -> None:
    image, truth = squares()
    large, large_truth = (np.kron(array, np.ones((2, 2), array.dtype)) for array in (image, truth))
    oracle.config = replace(oracle.config, voxel_size=(100.0, 100.0))
    given = {"voxel_size": (50.0, 50.0)}, {"scale": 0.5, "voxel_size": 7.0}  # a scale decides
    for options in ({"scale": 0.5}, {"scale": [0.5]}, {"scale": (0.5, 0.5)}, *given):
        labels = oracle.predict(large, **options, minimum_size=400)
        assert oracle.runner.network.seen[-1][2:] == image.shape
        assert labels.shape == large.shape
        # what blurs between squares of different brightness is lost, the rest keeps its place
        agree = np.mean([(labels[large_truth == k] == np.median(labels[large_truth == k])).mean() for k in range(1, 7)])
        assert agree > 0.8
        assert labels.max() == 6
    mask = large_truth == 1
    labels = oracle.predict(large, scale=0.33, true_foreground=mask)
    assert not labels[~mask].any()
    assert oracle.predict(large, scale=0.33).max() == len(np.unique(oracle.predict(large, scale=0.33))) - 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 0.0}, "positive"),
        ({"scale": (1.0, 2.0, 3.0)}, "one per axis"),
        ({"scale": math.nan}, "positive"),
        ({"scale": 1000.0}, "unit"),
        ({"voxel_size": (1.0, 1.0)}, "give scale"),
        ({"voxel_size": (1.0, -1.0), "scale": 2.0}, "positive"),
        ({"tile": 64, "max_memory": 2.0}, "one of them"),
        ({"foreground_threshold": 2.0}, "probability"),
        ({"minimum_size": -1}, "at least 0"),
        ({"tile": 0}, "positive"),
        ({"channels": [1]}, "channels"),
        ({"true_foreground": np.ones((3, 3), bool)}, "true foreground"),
    ],
)
def test_options_that_do_not_fit(oracle: Model, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        oracle.predict(squares()[0], **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((9, 9), np.nan), "NaN"),
        (np.where(np.eye(9), np.inf, 1), "infinite"),
        (np.eye(27, dtype=np.uint8).reshape(9, 9, 9)[..., 2:5], "got 3 channels, expected 1.*for example 0"),
        (np.zeros((30, 40, 50)), "2 axes of space"),
        (np.zeros(9), "axes of space"),
        (np.zeros((0, 9)), "at least one pixel"),
        (np.zeros((9, 9), complex), "complex"),
        (np.zeros((9, 9), "U3"), "<U3"),
    ],
)
def test_images_that_do_not_fit(oracle: Model, image: np.ndarray, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        oracle.predict(image)
    assert "\n" not in str(caught.value)


def test_channels_are_chosen_by_argument_or_configuration(oracle: Model) -> None:
    image, truth = squares()
    colour = np.stack([np.zeros_like(image), image, np.zeros_like(image)])
    assert same_partition(oracle.predict(colour, channels=[1]), truth)
    assert same_partition(oracle.predict(np.moveaxis(colour, 0, -1), channels=[1]), truth)
    oracle.config = replace(oracle.config, channels=(1,))
    assert same_partition(oracle.predict(colour), truth)
    assert oracle.predict(colour, channels=[0]).max() == 0


def test_a_colour_model_says_how_to_use_a_grey_image() -> None:
    model = a_model(lively(in_channels=3))
    with pytest.raises(UserError, match=r"got 1 channels, expected 3.*0 0 0"):
        model.predict(np.zeros((9, 9)))
    assert model.predict(np.zeros((9, 9)), channels=[0, 0, 0]).shape == (9, 9)


def test_a_narrow_image_with_its_channel_first_keeps_its_axes(oracle: Model) -> None:
    image, truth = squares()
    assert same_partition(oracle.predict(image[None, :, 1:4]), truth[:, 1:4])
    assert oracle.predict(image[None, :, 1:2]).shape == (len(image), 1)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_image_has_no_object(oracle: Model, value: int) -> None:
    assert not oracle.predict(np.full((20, 30), value, np.uint16)).any()


def test_more_instances_than_16_bits_hold(oracle: Model) -> None:
    y, x = np.mgrid[:512, :520]
    image = np.where((y % 2 == 0) & (x % 2 == 0), 255, 0).astype(np.uint8)
    assert oracle.predict(image).max() == 256 * 260 > 65535


@given(st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=12)
def test_any_size_is_predicted(height: int, width: int) -> None:
    model = a_model(lively())
    image = np.random.default_rng(height * 71 + width).random((height, width))
    assert model.predict(image).shape == (height, width)
    embedding, probability = model.embed(image)
    assert embedding.shape == (4, height, width)
    assert probability.shape == (height, width)
    assert np.isfinite(embedding).all()
    assert 0 <= probability.min() <= probability.max() <= 1


@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 80), st.integers(0, 99))
@settings(max_examples=15)
def test_tiled_is_whole(height: int, width: int, tile: int, seed: int) -> None:
    model = a_model(lively(), percentiles=(1.0, 99.8))
    rng = np.random.default_rng(seed)
    image = rng.random((height, width)) + np.kron(rng.random((30, 30)), np.ones((5, 5)))[:height, :width]
    for compute in (model.affinities, model.embed):
        for whole, parts in zip(compute(image), compute(image, tile=tile), strict=True):
            np.testing.assert_allclose(parts, whole, atol=2e-5)
    assert same_partition(model.predict(image, tile=tile), model.predict(image))


def test_tiled_objects_are_worth_comparing() -> None:
    """The network of the test above finds many objects, or equality would mean little."""
    assert a_model(lively(), percentiles=(1.0, 99.8)).predict(np.random.default_rng(0).random((150, 150))).max() > 20


def test_affinities_are_those_of_the_embedding() -> None:
    model = a_model(lively(), offsets=((-1, 0), (0, -1), (2, -3), (0, 9)))
    image = np.random.default_rng(1).random((33, 47))
    embedding, _ = model.embed(image)
    vectors = embedding / np.linalg.norm(embedding, axis=0)
    for tile in (None, 8):
        affinities, _ = model.affinities(image, tile=tile)
        np.testing.assert_allclose(
            affinities[2, :-2, 3:], (vectors[:, :-2, 3:] * vectors[:, 2:, :-3]).sum(0), atol=1e-5
        )
        assert not affinities[2, -2:].any()
        assert not affinities[2, :, :3].any()
        np.testing.assert_allclose(affinities[3, :, :-9], (vectors[:, :, :-9] * vectors[:, :, 9:]).sum(0), atol=1e-5)


def test_the_network_never_sees_more_than_a_tile() -> None:
    network = lively()
    seen: list[tuple[int, ...]] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2:]))
    a_model(network).affinities(np.zeros((40, 700)), tile=64)
    assert len(seen) == 11
    assert max(max(shape) for shape in seen) <= 64 + 2 * network.geometry.halo[0] + 32


PEAK = """
import resource, sys
import numpy as np
from shared.models import a_model
from test_model import Brightness

cell = np.pad(np.ones((8, 8), np.uint8), (0, 2))
image = np.kron(np.random.default_rng(0).integers(30, 255, (int(sys.argv[1]) // 10,) * 2).astype(np.uint8), cell)
a_model(Brightness()).predict(image, tile=256)
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(kilobytes if sys.platform == "darwin" else 1024 * kilobytes)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory in this way")
def test_memory_is_bounded_by_the_tile() -> None:
    """Beyond what a tile takes, a pixel takes its own few bytes (image, labels, foreground), not its affinities'."""
    paths = os.pathsep.join(
        [str(Path(segraft.__file__).parents[1]), str(Path(__file__).parent), str(Path(__file__).parents[1])]
    )
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", PEAK, str(side)], env={**os.environ, "PYTHONPATH": paths}))
        for side in (800, 2000)
    ]
    affinities = 4 * len(OFFSETS_2D)
    assert (peaks[1] - peaks[0]) / (2000**2 - 800**2) < affinities


def test_no_room_for_the_temporary_file(oracle: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(h5py.Dataset, "__setitem__", full)
    with pytest.raises(UserError, match=r"No space left on device.*make room"):
        oracle.predict(squares()[0], tile=16)


def test_large_images_are_cut_by_themselves(oracle: Model) -> None:
    oracle.affinities(np.zeros((1, 5000), np.uint8))
    assert len(oracle.runner.network.seen) == 1
    oracle.affinities(np.zeros((2100, 2100), np.uint8))
    assert len(oracle.runner.network.seen) == 1 + 9
    assert max(max(shape) for shape in oracle.runner.network.seen[1:]) <= 1024 + 27


@pytest.mark.parametrize("filters", [(2, 4, 8), (2, 4, 8, 16, 32)])
def test_the_halo_covers_the_receptive_field(monkeypatch: pytest.MonkeyPatch, filters: tuple[int, ...]) -> None:
    """Measured by gradients; positive weights and mean pooling let all that can influence a pixel do so."""
    functional = SimpleNamespace(**{name: getattr(nn.functional, name) for name in ("relu", "interpolate")})
    functional.max_pool2d = nn.functional.avg_pool2d
    monkeypatch.setattr(resunet, "functional", functional)
    network = create_network("resunet", filters=filters, dim=2).double().eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1)
    reach, stride, halo = 0, network.geometry.stride[0], network.geometry.halo[0]
    centre = halo + 2 * stride
    for column in range(stride):
        x = torch.rand(1, 1, stride, 2 * centre + stride, dtype=torch.float64, requires_grad=True)
        network(x).embedding[0, 0, 0, centre + column].backward()
        touched = x.grad[0, 0].abs().amax(0).nonzero()[:, 0]
        reach = max(reach, centre + column - int(touched.min()), int(touched.max()) - centre - column)
    assert halo - 2 * stride < reach <= halo


def test_a_network_in_training_is_run_in_eval_mode_and_goes_on() -> None:
    network = lively()
    model, image = a_model(network), np.random.default_rng(0).random((40, 40))
    expected = model.predict(image)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert np.array_equal(model.predict(image), expected)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(model.predict(image), expected)


def test_load_gives_the_model_that_was_saved(tmp_path: Path) -> None:
    network = lively()
    config = a_config(**CONFIG, offsets=((-1, 0), (0, -1), (-4, 0)), percentiles=(0.5, 99.5))
    checkpoint.save(tmp_path / "model.safetensors", network, config)
    image = np.random.default_rng(0).random((40, 50))
    model = segraft.load(tmp_path, device="cpu")
    assert isinstance(model.runner, TorchRunner)
    assert not model.runner.network.training
    assert model.offsets == ((-1, 0), (0, -1), (-4, 0))
    assert model.config.percentiles == (0.5, 99.5)
    same = Model(TorchRunner(network), config)
    for found, expected in zip(model.affinities(image), same.affinities(image), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert a_model(network).offsets == OFFSETS_2D


def test_too_little_memory_on_the_device(oracle: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Tensor) -> Output:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(oracle.runner.network, "forward", full)
    with pytest.raises(UserError, match="smaller tile"):
        oracle.predict(squares()[0])


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "model.safetensors", lively(), a_config(**CONFIG))
    image = np.random.default_rng(0).random((100, 90))
    a, b = (segraft.load(tmp_path, device).affinities(image)[0] for device in ("cpu", "cuda"))
    np.testing.assert_allclose(a, b, atol=2e-2)
