"""The affinity term of a teacher that gives labels, against the formula written out pair by pair."""

from __future__ import annotations

import pytest
import torch

from segraft import ranks
from segraft.graphs.affinity import embedding_affinities
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses.label_affinity import LabelAffinity
from segraft.types import Offsets
from shared.ranks import on_ranks


@pytest.mark.parametrize("background", ["object", "separate"])
@pytest.mark.parametrize(("space", "offsets"), [((7, 9), OFFSETS_2D[:4]), ((3, 5, 6), OFFSETS_3D)])
def test_the_mean_over_known_pairs(space: tuple[int, ...], offsets: Offsets, background: str) -> None:
    labels = torch.randint(-1, 3, (2, *space))
    affinities = embedding_affinities(torch.randn(2, 3, *space, dtype=torch.float64), offsets)
    errors = []
    for image in range(2):
        for number, offset in enumerate(offsets):
            for here in torch.cartesian_prod(*(torch.arange(size) for size in space)).tolist():
                there = [a + b for a, b in zip(here, offset, strict=True)]
                if not all(0 <= each < size for each, size in zip(there, space, strict=True)):
                    continue
                p, q = labels[image][tuple(here)], labels[image][tuple(there)]
                if p >= 0 and q >= 0:
                    same = float(p == q and (p > 0 or background == "object"))
                    errors.append((float(affinities[image, number][tuple(here)]) - same) ** 2)
    term = LabelAffinity(background)(affinities, labels, offsets)["intra_affinity"]
    assert float(term) == pytest.approx(sum(errors) / len(errors))


def test_nothing_known_teaches_nothing() -> None:
    embedding = torch.randn(1, 3, 8, 8, requires_grad=True)
    labels = torch.full((1, 8, 8), -1)
    term = LabelAffinity("object")(embedding_affinities(embedding, OFFSETS_2D), labels, OFFSETS_2D)["intra_affinity"]
    term.backward()
    assert term.item() == 0
    assert embedding.grad is not None
    assert not embedding.grad.any()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_ranks_have_their_share() -> None:
    """The first rank's image is all unknown; the mean is that over the pairs of both."""
    affinities = embedding_affinities(torch.randn(2, 3, 8, 8), OFFSETS_2D)
    labels = torch.randint(0, 3, (2, 8, 8))
    labels[0] = -1

    def shared() -> float:
        part = slice(0, 2) if ranks.count() == 1 else slice(ranks.number(), ranks.number() + 1)
        return LabelAffinity("object")(affinities[part], labels[part], OFFSETS_2D)["intra_affinity"].item()

    first, second = on_ranks(shared)
    assert first == 0
    assert (first + second) / 2 == pytest.approx(shared())
