"""One contract for all networks, and the counts of the paper's tables."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from segraft.errors import UserError
from segraft.networks import NETWORKS, complexity, create_network, pyramid
from segraft.networks.contract import Network

SMALL: dict[str, tuple[int, ...]] = {  # every network has as few channels here as make a test quick
    "resunet": (4, 6, 8, 10),
    "resunet-tiny": (4, 8, 16, 32, 64),
    "resunet-swift": (4, 8, 16, 32),
    "nested-unet": (8, 16, 32),
    "mobilenet": (4, 4, 6, 8, 8, 12, 16, 20, 40),
    "mala": (4, 8, 12),
    "mala-tiny": (4, 6, 8),
}
OUTPUT = {2: (32, 32), 3: (2, 11, 11)}
IMAGE, VOLUME = (1, 3, 544, 544), (1, 1, 84, 268, 268)
COUNTS = [  # options, input, parameters in millions, multiply-adds of convolutions in 1e9
    ({"name": "resunet"}, IMAGE, 33.61, 581.8),
    ({"name": "resunet-tiny"}, IMAGE, 0.2960, 5.62),
    ({"name": "resunet-swift"}, IMAGE, 0.2964, 1.48),
    ({"name": "resunet", "width": 2}, IMAGE, 0.0747, 1.43),
    ({"name": "resunet", "width": 3}, IMAGE, 0.1670, 3.18),
    ({"name": "resunet", "width": 7}, IMAGE, 0.9030, 17.08),
    ({"name": "nested-unet"}, IMAGE, 36.63, 622.6),
    ({"name": "mobilenet"}, IMAGE, 2.25, 19.3),
    ({"name": "mala"}, VOLUME, 84.02, 366.4),
    ({"name": "mala-tiny"}, VOLUME, 0.3676, 21.76),
]
LEVELS = [(1, 1), (1, 1, 1), (1, 1, 1, 1, 1)]
PADDED = [(name, levels) for name in ("resunet", "resunet-swift", "nested-unet") for levels in LEVELS]


@pytest.fixture(scope="module", params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str) -> Network:
    torch.manual_seed(0)
    return create_network(name, in_channels=2, dim=5, filters=SMALL[name]).eval()


def an_image(network: Network, batch: int = 1, output: tuple[int, ...] | None = None) -> Tensor:
    return torch.rand(batch, network.geometry.in_channels, *network.geometry.input_size(output or OUTPUT[network.ndim]))


def strides(network: Network) -> tuple[int, ...]:
    return network.geometry.stride


def test_a_network_says_what_it_is(network: Network, name: str) -> None:
    assert (network.geometry.in_channels, network.geometry.dim, network.filters) == (2, 5, SMALL[name])
    assert len(network.geometry.margin) == len(strides(network)) == len(network.geometry.minimum) == network.ndim
    assert all(halo % stride == 0 for halo, stride in zip(network.geometry.halo, strides(network), strict=True))
    assert all(network.geometry.margin) != all(network.geometry.halo), (
        "either the border is lost, or zeros beyond it matter"
    )


@pytest.mark.parametrize("more", [0, 1, 3])
def test_the_smallest_input_covers_an_output_of_any_size(network: Network, more: int) -> None:
    wanted = tuple(size + more * (axis + 1) for axis, size in enumerate(OUTPUT[network.ndim]))
    x = an_image(network, 2, wanted)
    with torch.no_grad():
        output = network(x)
    space = tuple(size - 2 * lost for size, lost in zip(x.shape[2:], network.geometry.margin, strict=True))
    assert output.embedding.shape == (2, 5, *space)
    assert output.foreground.shape == (2, 1, *space)
    assert output.stages == ()
    assert all(
        size - stride < least <= size for size, least, stride in zip(space, wanted, strides(network), strict=True)
    )


def test_the_smallest_image_is_large_enough(network: Network) -> None:
    assert network.geometry.input_size((1,) * network.ndim) == network.geometry.minimum
    with torch.no_grad():
        assert network(torch.rand(1, 2, *network.geometry.minimum)).embedding.isfinite().all()


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("change", ["one more", "one less", "too small", "nothing"])
def test_sizes_that_do_not_fit_are_refused(network: Network, axis: int, change: str) -> None:
    size, stride = network.geometry.minimum[axis] + strides(network)[axis], strides(network)[axis]
    space = list(network.geometry.input_size(OUTPUT[network.ndim]))
    space[axis] = {"one more": size + 1, "one less": size - 1, "too small": size - 2 * stride, "nothing": 0}[change]
    with pytest.raises(UserError, match=r"image size: got .*, expected .*, nearest .* takes any size"):
        network(torch.rand(1, 2, *space))


def test_features_are_the_stages_from_the_bottleneck_up(network: Network) -> None:
    x = an_image(network)
    with torch.no_grad():
        plain, output = network(x), network.features(x)
    assert torch.equal(plain.embedding, output.embedding)
    assert torch.equal(plain.foreground, output.foreground)
    widths = [stage.shape[-1] for stage in output.stages]
    assert widths == sorted(set(widths)), "from coarse to fine, each stage of another size"
    assert len(widths) >= 3
    assert widths[-1] <= output.embedding.shape[-1]
    if any(network.geometry.halo):
        assert all(x.shape[-1] % width == 0 for width in widths)
        assert widths[0] == x.shape[-1] // network.geometry.stride[0]


def test_evaluation_is_deterministic_and_image_by_image(network: Network) -> None:
    x = an_image(network, 2)
    with torch.no_grad():
        first, again, alone = network(x), network(x), network(x[:1])
    assert torch.equal(first.embedding, again.embedding)
    torch.testing.assert_close(first.embedding[:1], alone.embedding, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.foreground[:1], alone.foreground, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter(network: Network) -> None:
    output = network(an_image(network))
    loss = sum((head * torch.randn_like(head)).sum() for head in output[:2])
    gradients = torch.autograd.grad(loss, list(network.parameters()))  # type: ignore[arg-type]
    for (name, _), gradient in zip(network.named_parameters(), gradients, strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.any(), name


@pytest.mark.parametrize("padded", ["resunet", "nested-unet", "mobilenet"])
def test_padded_networks_name_the_nearest_sizes(padded: str) -> None:
    network: Network = create_network(padded, in_channels=2, filters=SMALL[padded])
    s = network.geometry.stride[0]
    low, high = f"{s} × {2 * s}", f"{2 * s} × {3 * s}"
    with pytest.raises(UserError, match=f"expected multiples of {s}, nearest {low} or {high}; .* takes any size"):
        network(torch.rand(1, 2, s + 1, 3 * s - 1))
    with pytest.raises(UserError, match=f"nearest {s} × {s};"):
        network(torch.rand(1, 2, s, 1))


@pytest.mark.parametrize("before", [(1, 3), (2,), (1, 2, 4)], ids=["channels", "no batch", "one axis more"])
def test_images_of_another_kind_are_refused(network: Network, before: tuple[int, ...]) -> None:
    axes = "y, x" if network.ndim == 2 else "z, y, x"
    with pytest.raises(UserError, match=rf"got shape \(.*, expected \(batch, 2, {axes}\)"):
        network(torch.rand(*before, *network.geometry.minimum))


def test_weights_can_be_stored_and_restored(network: Network, name: str) -> None:
    torch.manual_seed(1)
    other = create_network(name, in_channels=2, dim=5, filters=SMALL[name]).eval()
    x = an_image(network)
    with torch.no_grad():
        assert not torch.equal(other(x).embedding, network(x).embedding)
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(x).embedding, network(x).embedding)


def test_the_network_can_be_exported(network: Network) -> None:
    x = an_image(network)
    program = torch.export.export(network, (x,)).module()
    with torch.no_grad():
        for found, wanted in zip(program(x)[:2], network(x)[:2], strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_network_can_be_exported_for_all_sizes(network: Network) -> None:
    axes = enumerate(zip(network.geometry.minimum, strides(network), strict=True), start=2)
    sizes = {axis: stride * Dim(f"k{axis}", min=least // stride + 1) + least % stride for axis, (least, stride) in axes}
    x, other = an_image(network, 2), an_image(network, 3, tuple(size + 30 for size in OUTPUT[network.ndim]))
    program = torch.export.export(network, (x,), dynamic_shapes=({0: Dim("batch"), **sizes},)).module()
    with torch.no_grad():
        for found, wanted in zip(program(other)[:2], network(other)[:2], strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "filters"), [*PADDED, ("mobilenet", (1,) * 9)])
def test_nothing_beyond_the_halo_matters(name: str, filters: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """With positive weights, and means in place of maxima, every pixel in reach has a gradient."""
    monkeypatch.setattr(functional, "max_pool2d", functional.avg_pool2d)
    network: Network = create_network(name, dim=1, filters=filters).eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    stride, halo = network.geometry.stride[0], network.geometry.halo[0]
    x = torch.ones(1, 1, stride, 2 * halo + stride, dtype=torch.float64, requires_grad=True)
    embedding = network.double()(x).embedding[0, 0, 0]
    reach = 0
    for centre in range(halo, halo + stride):
        (gradient,) = torch.autograd.grad(embedding[centre], x, retain_graph=True)
        seen = gradient[0, 0].sum(0).nonzero()
        reach = max(reach, centre - int(seen.min()), int(seen.max()) - centre)
    assert halo - 2 * stride <= reach <= halo
    assert halo % stride == 0


@pytest.mark.slow
def test_the_network_in_its_full_size_runs(name: str) -> None:
    network: Network = create_network(name).eval()
    with torch.no_grad():
        output = network.features(torch.rand(1, 1, *network.geometry.minimum))
    assert all(tensor.isfinite().all() for tensor in (output.embedding, output.foreground, *output.stages))
    assert output.embedding.shape[1] == 16


@pytest.mark.parametrize(("options", "shape", "millions", "billions"), COUNTS)
def test_counts_are_those_of_the_table(
    options: dict[str, Any], shape: tuple[int, ...], millions: float, billions: float
) -> None:
    with torch.device("meta"):
        network = create_network(**options, in_channels=shape[1])
    parameters, macs = complexity(network, shape)
    assert parameters / 1e6 == pytest.approx(millions, rel=0.01)
    assert macs / 1e9 == pytest.approx(billions, rel=0.01)


def test_complexity_counts_by_hand_and_leaves_the_network_alone() -> None:
    network = create_network("resunet", dim=3, filters=(1, 2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters, macs = complexity(network, (2, 1, 8, 8))

    def block(inputs: int, outputs: int) -> int:
        return 9 * (2 * inputs * outputs + outputs * outputs)

    assert parameters == sum(p.numel() for p in network.parameters())
    assert macs == 2 * 64 * (block(1, 1) + block(1, 2) + block(2, 2) + 2 * 3 + 2 * 2 + 2)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_width_is_short_for_five_filters() -> None:
    widths = [
        {name: p.shape for name, p in create_network("resunet", **options).named_parameters()}
        for options in ({"width": 4}, {"filters": (4, 8, 16, 32, 64)})
    ]
    tiny = {name: p.shape for name, p in create_network("resunet-tiny").named_parameters()}
    assert widths[0] == widths[1] == tiny
    with torch.device("meta"):
        assert pyramid("nested-unet", 64) == create_network("nested-unet").filters


def test_names_of_weights_stay_what_stored_models_hold() -> None:
    blocks = ["entry", "down.0", "up.0"]
    layers = [f"{block}.{layer}" for block in blocks for layer in ("body.0", "body.2", "shortcut")]
    names = [f"{layer}.{kind}" for layer in layers for kind in ("0", "1")]
    heads = ["embedding", "foreground.0", "foreground.1", "foreground.3"]
    found = {key.rpartition(".")[0] for key in create_network("resunet", filters=(1, 2)).state_dict()}
    assert found == {*names, *heads}


@settings(max_examples=8)
@given(
    st.sampled_from(["resunet", "nested-unet", "mala", "mala-tiny"]),
    st.lists(st.integers(1, 4), min_size=2, max_size=3),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_any_filters_will_do(name: str, filters: list[int], channels: int, dim: int) -> None:
    network: Network = create_network(name, channels, dim, tuple(filters)).eval()
    assert strides(network)[-1] == (2 if network.ndim == 2 else 3) ** (len(filters) - 1)
    assert network(torch.rand(1, channels, *network.geometry.minimum)).embedding.shape[1] == dim


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "resnet"}, "unknown network 'resnet'; known: .*did you mean 'resunet'"),
        (
            {"name": "resunet", "filters": (8, 16), "width": 4},
            r"got both width 4 and filters \(8, 16\)",
        ),
        ({"name": "resunet", "filters": (8,)}, "two filters or more"),
        ({"name": "resunet", "filters": ()}, "two filters or more"),
        ({"name": "resunet", "filters": (8, 0)}, "expected positive"),
        ({"name": "resunet", "in_channels": 0}, "in_channels 0.*expected positive"),
        ({"name": "resunet", "dim": -1}, "dim -1.*expected positive"),
        ({"name": "resunet", "width": 0}, "expected positive"),
        (
            {"name": "mala", "width": 4},
            "width: got 4 for mala, expected none, for only resunet, resunet-tiny, resunet-swift, nested-unet have",
        ),
        ({"name": "mobilenet", "width": 4}, "width: got 4 for mobilenet"),
        ({"name": "mobilenet", "filters": (8, 16)}, r"got 2, \(8, 16\), expected 9: first"),
        ({"name": "nested-unet", "filters": (8,)}, "two filters or more"),
        ({"name": "mala", "filters": (8,)}, "two filters or more"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        create_network(**options)


def test_a_fresh_network_is_finite_in_training(name: str) -> None:
    network: Network = create_network(name, filters=SMALL[name]).train()
    output = network(an_image(network, 2))
    assert all(head.isfinite().all() for head in output[:2])


def test_fresh_embeddings_tell_pixels_apart(name: str) -> None:
    """Otherwise all affinities begin at 1, where the cosine has no slope."""
    network: Network = create_network(name, filters=SMALL[name]).train()
    with torch.no_grad():
        vectors = functional.normalize(network(an_image(network, 2)).embedding.transpose(0, 1).flatten(1), dim=0)
    assert (vectors.T @ vectors).mean() < 0.9
