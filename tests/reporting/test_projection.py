"""Embeddings as colours: principal components, fitted once and applied to others."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.reporting.projection import fit_projection


def regions(dim: int = 16, seed: int = 0) -> np.ndarray:
    """An embedding ``(dim, 20, 30)`` of four regions of one direction each, with a little noise."""
    rng = np.random.default_rng(seed)
    index = np.arange(30)[None] // 8 + np.zeros((20, 1), int)
    return rng.normal(size=(4, dim))[index].transpose(2, 0, 1) + 0.02 * rng.normal(size=(dim, 20, 30))


def test_colours_tell_regions_apart() -> None:
    embedding = regions()
    colours = fit_projection(embedding)(embedding)
    assert colours.shape == (20, 30, 3)
    assert 0 <= colours.min() <= colours.max() <= 1
    middles = colours[10, [4, 12, 20, 27]]
    assert min(np.abs(middles[i] - middles[j]).max() for i in range(4) for j in range(i)) > 0.3
    assert np.abs(colours[:, :8] - colours[10, 4]).max() < 0.2


def test_axes_are_the_principal_ones() -> None:
    embedding = regions()
    units = (embedding / np.linalg.norm(embedding, axis=0)).reshape(16, -1)
    centred = units - units.mean(1, keepdims=True)
    _, _, rows = np.linalg.svd(centred.T, full_matrices=False)
    agreement = np.abs((fit_projection(embedding).axes * rows[:3]).sum(1))
    np.testing.assert_allclose(agreement, 1, atol=1e-9)


def test_lengths_do_not_matter_and_the_same_embedding_has_the_same_colours() -> None:
    embedding = regions()
    projection = fit_projection(embedding)
    lengths = np.random.default_rng(1).uniform(0.5, 3, (20, 30))
    np.testing.assert_allclose(projection(embedding * lengths), projection(embedding), atol=1e-9)
    np.testing.assert_allclose(fit_projection(embedding * lengths)(embedding), projection(embedding), atol=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_few_dimensions(dim: int) -> None:
    embedding = regions(dim)
    colours = fit_projection(embedding)(embedding)
    assert colours.shape == (20, 30, 3)
    assert np.isfinite(colours).all()


def test_a_constant_embedding_has_one_colour() -> None:
    embedding = np.ones((16, 4, 5), np.float32)
    colours = fit_projection(embedding)(embedding)
    assert np.ptp(colours.reshape(-1, 3), axis=0).max() < 1e-6
    assert np.isfinite(fit_projection(np.zeros((16, 4, 5)))(embedding)).all()
