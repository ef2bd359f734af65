"""The valid 3-D U-Net: its sizes, its place in the volume, and windows that agree."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.networks import create_network

FILTERS = (4, 6, 8)


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return create_network("mala", dim=3, filters=FILTERS).double().eval()


def output_size(size: int, pools: int) -> int:
    """Follow an axis in plane layer by layer; 0 where a pooling leaves a rest or nothing is left to convolve."""
    skips = []
    for _ in range(pools):
        skips.append(size - 4)
        if size <= 4 or skips[-1] % 3:
            return 0
        size = skips[-1] // 3
    for skip in reversed(skips):
        size = (size - 4) * 3
        if size <= 0:
            return 0
        assert (skip - size) % 2 == 0, "the crop is central"
    return max(0, size - 4)


@pytest.mark.parametrize("pools", [1, 2, 3])
def test_possible_sizes_are_those_that_pass_every_layer(pools: int) -> None:
    with torch.device("meta"):
        network: Any = create_network("mala", filters=(1,) * (pools + 1))
    found = {size: output_size(size, pools) for size in range(1, 330) if output_size(size, pools)}
    least, stride, lost = network.geometry.minimum[-1], network.geometry.stride[-1], network.geometry.margin[-1]
    assert list(found) == list(range(least, 330, stride))
    assert all(size - left == 2 * lost for size, left in found.items())
    for wanted in range(1, 80):
        assert (
            network.geometry.input_size((1, wanted, wanted))[1:] == (min(s for s in found if found[s] >= wanted),) * 2
        )


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ((56, 56, 56), (84, 268, 268)),
        ((25, 56, 56), (53, 268, 268)),
        ((9, 29, 29), (37, 241, 241)),
        ((1, 1, 1), (29, 214, 214)),
        ((2, 30, 3), (30, 268, 241)),
    ],
)
def test_four_levels_have_the_published_sizes(output: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network: Any = create_network("mala-tiny")
        geometry = network.geometry
        assert (geometry.stride, geometry.margin, geometry.halo) == ((1, 27, 27), (14, 106, 106), (0, 0, 0))
        assert network.geometry.input_size(output) == wanted
        space = network(torch.empty(1, 1, *wanted)).embedding.shape[2:]
    assert space == tuple(size - lost for size, lost in zip(wanted, (28, 212, 212), strict=True))


def test_impossible_sizes_are_answered_with_the_nearest() -> None:
    with torch.device("meta"):
        network: Any = create_network("mala-tiny")
        series = r"\(29, 30, 31, …\) × \(214, 241, 268, …\) × \(214, 241, 268, …\)"
        with pytest.raises(UserError, match=f"expected {series}, nearest 40 × 214 × 241 or 40 × 241 × 268;"):
            network(torch.empty(1, 1, 40, 240, 256))
        with pytest.raises(UserError, match="nearest 29 × 214 × 214;"):
            network(torch.empty(1, 1, 20, 100, 214))


def test_output_voxels_lie_context_inside_the_input(network: Any) -> None:
    """Weights that hand the first skip through make the network crop its input."""
    copy: Any = create_network("mala", dim=1, filters=FILTERS).double().eval()
    for parameter in copy.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        for pair in (copy.down[0], copy.up[-1].body):
            pair[2].weight[0, 0, 1, 1, 1] = 1
        copy.down[0][0].weight[0, 0, 1, 1, 1] = 1
        copy.up[-1].body[0].weight[0, FILTERS[0], 1, 1, 1] = 1  # after the channels from below
        copy.embedding.weight[0, 0] = 1
        x = torch.rand(1, 1, *copy.geometry.input_size((3, 11, 20)), dtype=torch.float64)
        z, y, _ = copy.geometry.margin
        assert torch.equal(copy(x).embedding, x[:, :, z:-z, y:-y, y:-y])


def window(network: Any, volume: Tensor, start: tuple[int, ...], output: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Both outputs of the smallest window that begins at ``start``."""
    region = tuple(slice(a, a + size) for a, size in zip(start, network.geometry.input_size(output), strict=True))
    with torch.no_grad():
        return network(volume[:, :, *region])[:2]


def test_windows_agree_where_both_are_defined(network: Any) -> None:
    volume = torch.rand(1, 1, *network.geometry.input_size((4, 20, 29)), dtype=torch.float64)
    whole = window(network, volume, (0, 0, 0), (4, 20, 29))
    assert whole[0].shape[2:] == (4, 20, 29)
    for z, y, x in [(1, 0, 0), (0, 9, 0), (2, 9, 9), (3, 0, 18)]:
        parts = window(network, volume, (z, y, x), (1, 11, 11))
        for part, all_of_it in zip(parts, whole, strict=True):
            torch.testing.assert_close(part, all_of_it[:, :, z : z + 1, y : y + 11, x : x + 11])


@pytest.mark.parametrize("shift", [1, 3, 8])
def test_windows_off_the_grid_disagree(network: Any, shift: int) -> None:
    """The stride is no larger than it must be."""
    volume = torch.rand(1, 1, *network.geometry.input_size((1, 11, 20)), dtype=torch.float64)
    whole = window(network, volume, (0, 0, 0), (1, 11, 20))[0]
    part = window(network, volume, (0, 0, shift), (1, 11, 11))[0]
    assert not torch.allclose(part, whole[..., shift : shift + 11])


def test_signals_neither_vanish_nor_explode_in_depth() -> None:
    network: Any = create_network("mala-tiny", filters=(8, 16, 32)).eval()
    with torch.no_grad():
        output = network.features(torch.rand(1, 1, *network.geometry.input_size((2, 20, 20))))
    for tensor in (*output.stages, output.embedding):
        assert 0.01 < tensor.std() < 10


def test_the_mean_brightness_does_not_outgrow_contrast() -> None:
    """Kernels that do not sum to 0 give mean cosines of 0.8 to 1 here."""
    cosines = []
    for seed in range(3):
        torch.manual_seed(seed)
        network: Any = create_network("mala-tiny", filters=(8, 16, 32)).eval()
        with torch.no_grad():
            embedding = network(torch.rand(1, 1, *network.geometry.input_size((1, 11, 11)))).embedding
        vectors = functional.normalize(embedding.flatten(2)[0], dim=0)
        cosines.append((vectors.T @ vectors).mean().item())
    assert max(cosines) < 0.7


def test_the_second_decoder_level_of_the_tiny_one_is_wide() -> None:
    with torch.device("meta"):
        wide, plain = (create_network(name, filters=(8, 16, 32, 64)) for name in ("mala-tiny", "mala"))
        two: Any = create_network("mala-tiny", filters=(8, 16))
    widths = [[level.body[0].out_channels for level in each.up] for each in (wide, plain, two)]  # type: ignore[attr-defined]
    assert widths == [[32, 32, 8], [32, 16, 8], [8]]


@pytest.mark.parametrize("name", ["mala", "mala-tiny"])
def test_fresh_networks_have_no_opinion_of_the_foreground(name: str) -> None:
    """Else the gradients of a wrong one let the last level die, which has as few as eight channels."""
    network = create_network(name, filters=FILTERS).train()
    logits = network(torch.rand(1, 1, *network.geometry.minimum)).foreground
    assert 0 < logits.abs().max() < 0.1
