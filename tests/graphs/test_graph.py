"""A network's two graphs of a batch: what they hold, and that nothing is made twice."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from segraft.graphs.affinity import embedding_affinities, unit_affinities
from segraft.graphs.embedding import unit
from segraft.graphs.graph import Graph
from segraft.graphs.instances import batch_nodes
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank, image_grams
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D

SPACES = {2: (5, 6), 3: (2, 3, 4)}
OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D}
FIELDS = ("units", "affinities", "nodes", "unit_nodes", "present")


def a_batch(ndim: int = 2, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """An embedding and labels of two images."""
    return torch.randn(2, 3, *SPACES[ndim]).to(dtype), torch.randint(-1, 4, (2, *SPACES[ndim]))


@pytest.mark.parametrize("ndim", [2, 3])
def test_it_holds_units_affinities_and_nodes(ndim: int) -> None:
    embedding, labels = a_batch(ndim)
    graph = Graph.of(embedding, labels, OFFSETS[ndim])
    nodes, present = batch_nodes(embedding, labels)
    wanted = unit(embedding), embedding_affinities(embedding, OFFSETS[ndim]), nodes, unit(nodes, dim=-1), present
    for name, tensor in zip(FIELDS, wanted, strict=True):
        assert torch.equal(getattr(graph, name), tensor), name


def test_what_is_made_already_is_taken_as_it_is() -> None:
    embedding, labels = a_batch()
    units = unit(embedding)
    affinities = unit_affinities(units, OFFSETS_2D)
    graph = Graph.of(embedding, labels, OFFSETS_2D, units, affinities)
    assert graph.units is units
    assert graph.affinities is affinities
    of_units = Graph.of(embedding, labels, OFFSETS_2D, units)
    assert of_units.units is units
    assert torch.equal(of_units.affinities, affinities)
    assert torch.equal(of_units.nodes, Graph.of(embedding, labels, OFFSETS_2D).nodes)


@pytest.mark.parametrize(("given", "wanted"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_precision_is_at_least_single(given: torch.dtype, wanted: torch.dtype) -> None:
    graph = Graph.of(*a_batch(dtype=given), OFFSETS_2D)
    assert all(getattr(graph, name).dtype == wanted for name in FIELDS[:-1])
    assert graph.present.dtype == torch.bool


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", FIELDS[:-1])
def test_derivatives_are_right(name: str, ndim: int) -> None:
    embedding, labels = a_batch(ndim)
    of = lambda e: getattr(Graph.of(e, labels, OFFSETS[ndim]), name)  # noqa: E731
    assert torch.autograd.gradcheck(of, (embedding.requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("label", [0, -1])
def test_images_without_instances_have_no_nodes(label: int) -> None:
    embedding, labels = a_batch()
    graph = Graph.of(embedding, torch.full_like(labels, label), OFFSETS_2D)
    assert graph.nodes.shape == graph.unit_nodes.shape == (2, 0, 3)
    assert graph.present.shape == (2, 0)


def test_without_offsets_there_are_no_affinities() -> None:
    graph = Graph.of(*a_batch(), ())
    assert graph.affinities.shape == (2, 0, 5, 6)
    assert graph.units.any()


def test_the_bank_keeps_the_mean_outer_products_of_its_unit_vectors() -> None:
    embedding, labels = a_batch(dtype=torch.float32)
    graph = Graph.of(embedding, labels, OFFSETS_2D)
    grams, bank = image_grams(graph), MemoryBank(2, 3)
    bank.push(embedding, labels)
    assert torch.equal(bank.grams, grams)
    for image in range(2):
        pixels, nodes = graph.units[image].flatten(1).T, graph.unit_nodes[image, graph.present[image]]
        for which, vectors in ((PIXELS, pixels), (INSTANCES, nodes)):
            torch.testing.assert_close(grams[image, which], vectors.T @ vectors / len(vectors))


def test_it_cannot_be_changed_and_its_parts_belong_together() -> None:
    graph = Graph.of(*a_batch(), OFFSETS_2D)
    with pytest.raises(FrozenInstanceError):
        graph.nodes = graph.unit_nodes  # type: ignore[misc]
    with pytest.raises(TypeCheckError):
        Graph(graph.units[:1], graph.affinities, graph.nodes, graph.unit_nodes, graph.present)
