"""Several processes train as one with the whole batch, where the network's forward is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from segraft import ranks
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import DISTILLERS
from segraft.losses.distiller import Setup
from segraft.networks import create_network
from segraft.settings import DistillSettings
from segraft.training.module import TrainingModule
from segraft.training.pool import Pool
from shared.ranks import on_ranks

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
STEPS, BATCH = 3, 4


def a_module(out: Path, method: str) -> TrainingModule:
    """A student and its teacher with fresh weights, whose batch normalisation takes the statistics that it has."""
    networks = [create_network("resunet-tiny", 1, 4, (2, 4, 4)) for _ in range(2)]
    settings = DistillSettings(dataset="none", out=out, teacher=out, method=method).for_dimension(2)
    setup = Setup(*networks, patch=(16, 16), offsets=OFFSETS_2D, batch=BATCH, bank_size=6, bank_samples=4)
    distiller = DISTILLERS[method].from_setup(setup)
    module = TrainingModule(networks[0], OFFSETS_2D, settings, Pool((), 1, 0), distiller, networks[1]).train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    return module


def a_batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of which the first half has objects and the second hardly any; much of one is unknown."""
    generator = torch.Generator().manual_seed(step)
    labels = torch.randint(1, 4, (BATCH, 4, 4), generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2)
    labels[1, :10] = -1
    labels[2] = 0
    labels[3, 1:] = 0
    return torch.randn(BATCH, 1, 16, 16, generator=generator), labels


def steps(module: TrainingModule) -> list[dict[str, Any]]:
    """Loss terms, gradients and the bank of a few steps of this rank's part of each batch."""
    found = []
    for step in range(STEPS):
        parts = [part.chunk(ranks.count())[ranks.number()] for part in a_batch(step)]
        module.zero_grad()
        terms = module.loss_terms(*parts)
        sum(terms.values()).backward()
        gradients = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
        averaged = {name: ranks.summed(gradient) / ranks.count() for name, gradient in gradients.items()}
        bank = {name: buffer.clone() for name, buffer in module.distiller.named_buffers()}
        found.append({"terms": ranks.averaged(terms), "gradients": averaged, "state": bank})
    return found


@pytest.mark.parametrize("method", DISTILLERS)
def test_two_ranks_learn_what_one_learns_of_the_whole_batch(tmp_path: Path, method: str) -> None:
    """Terms, gradients and the memory bank, though the ranks' images have other numbers of objects and known pixels."""
    module = a_module(tmp_path, method)
    first, second = on_ranks(lambda: steps(module))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    alone = steps(module)
    assert all(gradient.abs().max() > 0 for gradient in alone[0]["gradients"].values())
    torch.testing.assert_close(first, alone, rtol=1e-4, atol=1e-7)
