"""One contract for all networks, and the counts of the paper's tables."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.networks import NETWORKS, complexity, create_network

SIZE = 32
COUNTS = [  # options, parameters in millions, multiply-adds of convolutions in 1e9 for 3 × 544 × 544
    ({"name": "resunet"}, 33.61, 581.8),
    ({"name": "resunet-tiny"}, 0.2960, 5.62),
    ({"name": "resunet", "width": 2}, 0.0747, 1.43),
    ({"name": "resunet", "width": 3}, 0.1670, 3.18),
    ({"name": "resunet", "width": 7}, 0.9030, 17.08),
]


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return create_network(request.param, in_channels=2, dim=5).eval()


def an_image(network: Any, batch: int = 1) -> Tensor:
    return torch.rand(batch, network.in_channels, *[max(SIZE, network.stride)] * network.ndim)


def test_outputs_have_the_size_of_the_image(network: Any) -> None:
    assert (network.in_channels, network.dim) == (2, 5)
    x = torch.rand(3, 2, network.stride, 2 * network.stride)
    with torch.no_grad():
        output = network(x)
    assert output.embedding.shape == (3, 5, *x.shape[2:])
    assert output.foreground.shape == (3, 1, *x.shape[2:])
    assert output.stages == ()


def test_features_are_the_stages_from_the_bottleneck_up(network: Any) -> None:
    x = an_image(network)
    with torch.no_grad():
        plain, output = network(x), network.features(x)
    assert torch.equal(plain.embedding, output.embedding)
    assert torch.equal(plain.foreground, output.foreground)
    widths = [stage.shape[-1] for stage in output.stages]
    assert widths[0] == x.shape[-1] // network.stride
    assert widths[-1] == x.shape[-1]
    assert widths == sorted(widths)
    assert len(widths) >= 3


def test_evaluation_is_deterministic_and_image_by_image(network: Any) -> None:
    x = an_image(network, 2)
    with torch.no_grad():
        first, again, alone = network(x), network(x), network(x[:1])
    assert torch.equal(first.embedding, again.embedding)
    torch.testing.assert_close(first.embedding[:1], alone.embedding, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.foreground[:1], alone.foreground, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter(network: Any) -> None:
    output = network(an_image(network))
    loss = sum((head * torch.randn_like(head)).sum() for head in output[:2])
    gradients = torch.autograd.grad(loss, list(network.parameters()))  # type: ignore[arg-type]
    for (name, _), gradient in zip(network.named_parameters(), gradients, strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.any(), name


def test_sizes_that_do_not_fit_are_answered_with_the_nearest(network: Any) -> None:
    s = network.stride
    low, high = f"{s} × {2 * s}", f"{2 * s} × {3 * s}"
    with pytest.raises(UserError, match=f"wanted multiples of {s}, nearest {low} or {high}; .* takes any size"):
        network(torch.rand(1, 2, s + 1, 3 * s - 1))
    with pytest.raises(UserError, match=f"nearest {s} × {s} or {s} × {s};"):
        network(torch.rand(1, 2, s, 1))


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (2, 32, 32), (1, 2, 4, 32, 32)])
def test_images_of_another_kind_are_refused(network: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"has shape \(.*; wanted \(batch, 2, y, x\)"):
        network(torch.rand(shape))


def test_weights_can_be_stored_and_restored(network: Any, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["network"]
    torch.manual_seed(1)
    other = create_network(name, in_channels=2, dim=5).eval()
    x = an_image(network)
    with torch.no_grad():
        assert not torch.equal(other(x).embedding, network(x).embedding)
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(x).embedding, network(x).embedding)


def test_the_network_can_be_exported(network: Any) -> None:
    x = an_image(network)
    program = torch.export.export(network, (x,)).module()
    with torch.no_grad():
        for found, wanted in zip(program(x)[:2], network(x)[:2], strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("filters", [(1, 1), (1, 1, 1), (1, 1, 1, 1, 1)])
def test_nothing_beyond_the_halo_matters(filters: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """With positive weights, and means in place of maxima, every pixel in reach has a gradient."""
    monkeypatch.setattr(functional, "max_pool2d", functional.avg_pool2d)
    network: Any = create_network("resunet", dim=1, filters=filters).eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    stride, halo = network.stride, network.halo
    x = torch.ones(1, 1, stride, 2 * halo + stride, dtype=torch.float64, requires_grad=True)
    embedding = network.double()(x).embedding[0, 0, 0]
    reach = 0
    for centre in range(halo, halo + stride):
        (gradient,) = torch.autograd.grad(embedding[centre], x, retain_graph=True)
        seen = gradient[0, 0].sum(0).nonzero()
        reach = max(reach, centre - int(seen.min()), int(seen.max()) - centre)
    assert halo - 2 * stride <= reach <= halo
    assert halo % stride == 0


@pytest.mark.parametrize(("options", "millions", "billions"), COUNTS)
def test_counts_are_those_of_the_table(options: dict[str, Any], millions: float, billions: float) -> None:
    with torch.device("meta"):
        network = create_network(**options, in_channels=3)
    parameters, macs = complexity(network, (1, 3, 544, 544))
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


@settings(max_examples=5)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(1, 3), st.integers(1, 4))
def test_any_filters_will_do(filters: list[int], channels: int, dim: int) -> None:
    network: Any = create_network("resunet", channels, dim, tuple(filters)).eval()
    assert network.stride == 2 ** (len(filters) - 1)
    assert network(torch.rand(1, channels, network.stride, network.stride)).embedding.shape[1] == dim


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "resnet"}, "unknown network 'resnet'; known: .*did you mean 'resunet'"),
        (
            {"name": "resunet", "filters": (8, 16), "width": 4},
            r"both width 4 and filters \(8, 16\) are given; give one",
        ),
        ({"name": "resunet", "filters": (8,)}, "two or more filters"),
        ({"name": "resunet", "filters": ()}, "two or more filters"),
        ({"name": "resunet", "filters": (8, 0)}, "positive numbers"),
        ({"name": "resunet", "in_channels": 0}, "in_channels 0.*positive numbers"),
        ({"name": "resunet", "dim": -1}, "dim -1.*positive numbers"),
        ({"name": "resunet", "width": 0}, "positive numbers"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        create_network(**options)


@pytest.mark.parametrize("name", NETWORKS)
def test_student_and_teacher_start_finite_in_training(name: str) -> None:
    network: Any = create_network(name).train()
    output = network(an_image(network, 2))
    assert all(head.isfinite().all() for head in output[:2])
