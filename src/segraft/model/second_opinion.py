"""Two opinions on one image, and where they disagree: of two models, or of one on the image and on it turned round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from segraft.errors import UserError
from segraft.graphs.offsets import ends
from segraft.metrics.disagreement import Doubt, Graph, affinity_disagreement, common_offsets, doubts
from segraft.model.maps import Maps
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.model.resize import resize


@dataclass(frozen=True)
class Compared:
    """What two opinions say of one image."""

    image: np.ndarray
    """``(C, *space)``, as the first model sees it."""
    labels: np.ndarray
    """The first one's segmentation ``(*space)``."""
    others: np.ndarray
    """The second one's ``(*space)``."""
    disagreement: np.ndarray
    """Of their affinities at each pixel, 0 to 1, float32 ``(*space)``."""

    def doubts(self) -> list[Doubt]:
        """The objects, the most doubtful first; see `segraft.metrics.disagreement.doubts`."""
        return doubts(self.labels, self.others, self.disagreement)


def second_opinion(
    model: Model, image: np.ndarray, other: Model | None = None, options: PredictOptions | None = None
) -> Compared:
    """Segment an image by a model and by another one, and measure where their affinities disagree; no truth is needed.

    Parameters
    ----------
    image : as `segraft.model.model.Model.predict` takes it
    other : the second opinion; without one the model itself, on the image turned by 180° (a volume mirrored)
    options : of both predictions

    Raises
    ------
    UserError : the models cannot be compared (see `check_comparable`), or the image does not fit one of them
    """
    options = options or PredictOptions()
    second = other or model
    check_comparable(model, second, options)
    own = model.channels_first(image, options.channels)
    space = own.shape[1:]
    look = turned_maps if other is None else Model.maps
    with model.maps(own, options) as mine, look(second, second.channels_first(image, options.channels), options) as its:
        differs = affinity_disagreement(_graph(model, mine, options), _graph(second, its, options))
        labels, others = model.labels(mine, options, space), second.labels(its, options, space)
    return Compared(own, labels, others, resize(differs[None], space)[0])


def check_comparable(model: Model, other: Model, options: PredictOptions) -> None:
    """Raise ``UserError`` unless two models have the same axes and pixel size, and offsets in common."""
    axes = [each.geometry.ndim for each in (model, other)]
    if len(set(axes)) > 1:
        raise UserError(f"models: got one of {axes[0]} axes and one of {axes[1]}, expected the same; compare others")
    if options.factors(model.config, axes[0]) != options.factors(other.config, axes[0]):
        raise UserError(
            f"models: got pixels of {model.config.voxel_size} and {other.config.voxel_size} nm in training, expected "
            "the same; compare others, or give scale in place of the voxel size"
        )
    common_offsets(model.offsets, other.offsets)


def _graph(model: Model, maps: Maps, options: PredictOptions) -> Graph:
    """What is foreground, and how its pixels belong together."""
    threshold = options.segmentation(model.config).foreground_threshold
    return Graph(maps.affinities, model.offsets, maps.probability > threshold)


@contextmanager
def turned_maps(model: Model, image: np.ndarray, options: PredictOptions) -> Iterator[Maps]:
    """What a model says of an image ``(C, *space)`` that it sees reversed along every axis of space, turned back.

    With all axes reversed an edge becomes one of the opposite offset, which starts at its other end, so that no
    affinity is lost, whatever the offsets. Raises ``UserError`` as `segraft.model.model.Model.maps`.
    """
    space = tuple(range(1, image.ndim))
    with model.maps(np.flip(image, space), options) as maps:
        for number, offset in enumerate(model.offsets):
            maps.affinities[number] = turned_back(np.asarray(maps.affinities[number]), offset)
        yield replace(maps, probability=np.flip(maps.probability))


def turned_back(affinities: np.ndarray, offset: tuple[int, ...]) -> np.ndarray:
    """Affinities ``(*space)`` of one offset in a reversed image as those of the image; 0 without a partner."""
    here, there = ends(offset)
    result = np.zeros_like(affinities)
    result[here] = np.flip(affinities)[there]
    return result
