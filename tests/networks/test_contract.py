"""What networks share."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from segraft.networks import NETWORKS, create_network
from segraft.networks.contract import Network, Padded, foreground_head, initialise, set_prior
from segraft.types import Geometry
from shared.networks import SMALL_FILTERS, SMALL_PATCH


@pytest.mark.parametrize(("reach", "halo"), [(1, 8), (8, 8), (9, 16)])
def test_the_reach_is_rounded_up_to_the_stride(reach: int, halo: int) -> None:
    network = Padded(1, 2, (3, 4), stride=8, reach=reach)
    assert network.geometry == Geometry(2, 1, 2, (8, 8), (0, 0), (8, 8), (halo, halo))
    assert network.geometry.input_size((1, 17)) == (8, 24)


def test_a_network_without_features_does_not_run() -> None:
    with pytest.raises(NotImplementedError):
        Network(Geometry(2, 1, 2, (1, 1), (0, 0), (1, 1), (0, 0)), (3,))(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_foreground_head_has_one_channel(ndim: int) -> None:
    head = foreground_head(4, ndim)
    assert head(torch.rand(2, 4, *[3] * ndim)).shape == (2, 1, *[3] * ndim)
    assert sum(p.numel() for p in head.parameters()) == 4 * 4 + 4 + 2 * 4 + 4 + 1


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_fresh_weights_have_the_variance_of_he(slope: float) -> None:
    conv = nn.Conv2d(32, 64, 3)
    initialise(nn.Sequential(conv), slope)
    wanted = math.sqrt(2 / (1 + slope**2) / (32 * 9))
    assert conv.weight.std().item() == pytest.approx(wanted, rel=0.05)
    assert conv.bias is not None
    assert not conv.bias.any()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_a_fresh_network_can_begin_at_the_share_of_foreground(name: str, share: float) -> None:
    network = create_network(name, dim=4, filters=SMALL_FILTERS[name]).eval()
    with torch.no_grad():
        for parameter in network.foreground.parameters():
            if parameter.ndim > 1:
                parameter.zero_()  # what is left of the logits is the bias
    set_prior(network, share)
    output = network(torch.rand(1, 1, *SMALL_PATCH[network.ndim]))
    assert torch.allclose(output.foreground.sigmoid(), torch.tensor(share))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_nothing_or_all_stays_finite(share: float) -> None:
    network = create_network("resunet-tiny", dim=4, filters=SMALL_FILTERS["resunet-tiny"])
    set_prior(network, share)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
