"""The region adjacency graph: fragments that touch, and the affinities across their borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segraft.types import Offsets


@dataclass(frozen=True)
class RegionGraph:
    """Fragments as nodes, an edge where two of them touch; background (0) is no node.

    Fragments have consecutive ids from 1; node i is fragment i + 1.
    """

    count: int
    """Number of fragments."""
    edges: np.ndarray
    """Nodes of each edge, ``(edges, 2)``, the lower one first; sorted."""
    means: np.ndarray
    """Mean affinity across each edge, ``(edges,)``."""
    maxima: np.ndarray
    """Largest affinity across each edge, ``(edges,)``."""
    sizes: np.ndarray
    """Pairs of pixels across each edge, ``(edges,)``."""

    @property
    def graph(self) -> Any:
        """This graph as one of ``bioimage-cpp``, with edges in the order of ``edges``."""
        from bioimage_cpp.graph import UndirectedGraph

        return UndirectedGraph.from_unique_edges(self.count, self.edges)


def join(fragments: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return labels ``(*space)`` from 1 of the groups ``(nodes,)``, from 0, that fragments ``(*space)`` belong to."""
    return np.concatenate([np.zeros(1, np.uint64), groups.astype(np.uint64) + np.uint64(1)])[fragments]


def region_graph(fragments: np.ndarray, nearest: np.ndarray, offsets: Offsets) -> RegionGraph:
    """Connect fragments ``(*space)`` by their nearest affinities ``(ndim, *space)``."""
    from bioimage_cpp.graph import features, region_adjacency_graph

    graph = region_adjacency_graph(fragments, number_of_threads=1)
    table = features.affinity_features_complex(graph, fragments, nearest, offsets, number_of_threads=1)
    edges, columns = graph.uv_ids(), features.COMPLEX_EDGE_FEATURE_NAMES
    kept = edges[:, 0] > 0
    means, maxima, sizes = (table[kept, columns.index(name)] for name in ("mean", "max", "size"))
    return RegionGraph(int(fragments.max()), edges[kept] - np.uint64(1), means, maxima, sizes)
