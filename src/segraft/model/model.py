"""From an image to instances: a runner with all that is needed to use it, on images of any size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from segraft.errors import UserError, not_installed
from segraft.images.channels import check_count, grey, model_layout
from segraft.images.normalisation import Scale, SharedScale
from segraft.images.windows import crop
from segraft.labels.relabel import consecutive
from segraft.model import affinities as of_window
from segraft.model import onnx_file
from segraft.model.config import ModelConfig
from segraft.model.maps import Maps
from segraft.model.model_file import locate
from segraft.model.object_size import fitted
from segraft.model.options import PredictOptions
from segraft.model.passes import run_tiles
from segraft.model.resize import nearest, resize
from segraft.model.runner import Runner
from segraft.model.runtimes import open_exported
from segraft.model.tiling import Region, Tile, overlap, scratch, within
from segraft.types import Geometry, Offsets, Space, Stored


def load(path: str | Path, device: str = "auto") -> Model:
    """Load a trained model from its file or run folder onto a device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    A file of `segraft.export` is run by ONNX Runtime, on the CPU or on CUDA, or by OpenVINO on the CPU. Raises
    ``UserError`` when there is no model or device, it is damaged, or what runs it is not installed.
    """
    file = locate(path)
    if onnx_file.is_onnx(file):
        config, known = onnx_file.read(file)
        return Model(open_exported(file, known, device), config)
    try:
        from segraft.model.torch_runner import restored  # imported for no other file
    except ImportError as error:
        raise not_installed(error) or error from error
    return Model(*restored(file, device))


class Model:
    """A trained model, as ``segraft.load`` returns it.

    Parameters
    ----------
    runner : runs the network
    config : everything that is stored beside the weights
    """

    def __init__(self, runner: Runner, config: ModelConfig) -> None:
        self.runner, self.config = runner, config

    @property
    def geometry(self) -> Geometry:
        """Sizes that the network takes and gives."""
        return self.runner.geometry

    @property
    def offsets(self) -> Offsets:
        """Displacements of the affinities, in pixels."""
        return self.config.offsets

    def predict(
        self,
        image: np.ndarray,
        *,
        segmenter: str | None = None,
        foreground_threshold: float | None = None,
        thickness: float | None = None,
        minimum_size: int | None = None,
        fill: bool | None = None,
        tile: int | Sequence[int] | None = None,
        max_memory: float | None = None,
        scale: float | Sequence[float] | None = None,
        voxel_size: float | Sequence[float] | None = None,
        object_size: float | Literal["auto"] | None = None,
        channels: Sequence[int] | None = None,
        percentiles: tuple[float, float] | None = None,
        range: Sequence[float] | None = None,
        normalise: str | None = None,
        true_foreground: np.ndarray | None = None,
    ) -> np.ndarray:
        """Segment an image ``(*space)``, ``(C, *space)`` or ``(*space, C)``; returns labels ``(*space)``, uint32.

        Parameters
        ----------
        segmenter : a name of ``SEGMENTERS``, with its default settings, in place of the configuration's
        foreground_threshold : probability above which a pixel is part of an object; by default the configuration's
        thickness : segments that are nowhere thicker, in pixels of the training images, join a larger one that they
            touch; by default the configuration's
        minimum_size : segments of fewer pixels of this image join a larger one that they touch, or vanish; by default
            the configuration's number, in pixels of the training images
        fill : whether segments grow over everything in their plane that is not segmented, as in dense tissue; by
            default as the configuration says, never with a ``true_foreground``
        tile : side in pixels, or one per axis, of the parts that the network computes at once, to bound its memory; by
            default none for images up to 2048², else 1024. The labels are those of the whole image, up to their
            numbers. Affinities are kept in a temporary file and segmented by connected pieces of the foreground.
        max_memory : in place of ``tile``: gigabytes that a part may take, 4 by default for volumes
        scale : factor, one or per axis, that brings the image to the pixel size of the training images
        voxel_size : the image's pixel size in nm, one or per axis, in place of ``scale``
        object_size : typical diameter of the objects in pixels, in place of ``scale``; or ``auto``, from a first look
        channels : indices of the channels to use
        percentiles : of the image's pixels, which become 0 and 1, in place of how the model scales grey values
        range : grey values that become 0 and 1, two for all channels or two each; that of several images is what
            `measure` returns
        normalise : ``image``, each by itself; or ``training``, as the training images together
        true_foreground : boolean ``(*space)``, in place of the learnt foreground

        Raises
        ------
        UserError : shape, channels or options do not fit, or pixels are NaN or infinite
        """
        options = PredictOptions(
            segmenter=segmenter,
            foreground_threshold=foreground_threshold,
            thickness=thickness,
            minimum_size=minimum_size,
            fill=fill,
            tile=tile,
            max_memory=max_memory,
            scale=scale,
            voxel_size=voxel_size,
            object_size=object_size,
            percentiles=percentiles,
            range=range,
            normalise=normalise,
        )
        return self.segment(self.channels_first(image, channels), options, true_foreground)

    def measure(
        self,
        images: Iterable[np.ndarray],
        *,
        percentiles: tuple[float, float] | None = None,
        channels: Sequence[int] | None = None,
    ) -> tuple[float, ...]:
        """Return the range of grey values of what several images show together, for the ``range`` of `predict`.

        Two numbers for each channel. Raises ``UserError`` where an image cannot be used, and where there is none.
        """
        shared = self.shared_scale(percentiles)
        for image in images:
            shared.add(self.channels_first(image, channels))
        return shared.ends()

    def shared_scale(self, percentiles: tuple[float, float] | None = None) -> SharedScale:
        """What measures one scale for several images, by percentiles or as the model does."""
        usual = self.config.normalisation
        return SharedScale(replace(usual, percentiles=percentiles or usual.percentiles))

    def segment(
        self, image: np.ndarray, options: PredictOptions, true_foreground: np.ndarray | None = None
    ) -> np.ndarray:
        """Segment an image that `channels_first` returned; see `predict`."""
        with self.maps(image, options) as maps:
            return self.labels(maps, options, image.shape[1:], true_foreground)

    @contextmanager
    def maps(
        self, image: np.ndarray, options: PredictOptions, region: Region | None = None, stored: bool = False
    ) -> Iterator[Maps]:
        """What the network says of an image that `channels_first` returned, at the pixel size of the training images.

        Affinities of tiled images, and of others where ``stored``, are kept in a temporary file, which is gone
        afterwards. With a ``region``, one slice per axis of space with start and stop, its embedding is kept, too.
        """
        space = image.shape[1:]
        options = fitted(self.segment, image, options, self.config)
        target = options.target(self.config, space)
        tile = options.tile_shape(self.runner, self.config, target)
        with scratch((len(self.offsets), *target), stored=stored or tile is not None) as room:
            yield self._maps(resize(image, target), options.scale_of(image, self.config), tile, room, region)

    def labels(
        self, maps: Maps, options: PredictOptions, space: Space, true_foreground: np.ndarray | None = None
    ) -> np.ndarray:
        """Segment the `maps` of an image ``(C, *space)``; see `predict`."""
        target = maps.probability.shape
        segmentation = options.segmentation(self.config, math.prod(target) / math.prod(space))
        if true_foreground is None:
            inside = maps.probability > segmentation.foreground_threshold
        else:
            inside = nearest(_mask(true_foreground, space), target)
            segmentation = replace(segmentation, fill=False)
        labels = segmentation.segment(maps.affinities, self.offsets, inside)
        return labels if target == space else _back(labels, space, true_foreground)

    def embed(
        self, image: np.ndarray, *, tile: int | Sequence[int] | None = None, channels: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the embedding ``(D, *space)`` and the foreground probability ``(*space)`` of an image, float32."""
        stored = self.channels_first(image, channels)
        space = stored.shape[1:]
        embedding, probability = np.empty((self.geometry.dim, *space), np.float32), np.empty(space, np.float32)
        scale = self.config.normalisation.scale(stored)
        for part, vectors, logits in self._run(stored, scale, self._tile(tile, None, space), ()):
            embedding[:, *part.core] = vectors
            probability[part.core] = of_window.probability(logits)
        return embedding, probability

    def affinities(
        self,
        image: np.ndarray,
        *,
        tile: int | Sequence[int] | None = None,
        max_memory: float | None = None,
        channels: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return affinities ``(N, *space)``, in [-1, 1], and the foreground probability ``(*space)``, float32.

        ``tile`` and ``max_memory`` bound what the network takes, as in ``predict``.
        """
        stored = self.channels_first(image, channels)
        affinities = np.empty((len(self.offsets), *stored.shape[1:]), np.float32)
        scale = self.config.normalisation.scale(stored)
        maps = self._maps(stored, scale, self._tile(tile, max_memory, stored.shape[1:]), affinities)
        return affinities, maps.probability

    def channels_first(self, image: np.ndarray, channels: Sequence[int] | None = None) -> np.ndarray:
        """Bring an image to ``(C, *space)`` with the channels of the training; ``UserError`` where that fails."""
        image, count = np.asarray(image), self.geometry.in_channels
        chosen = channels if channels is not None else self.config.channels
        arranged = model_layout(image.shape, self.geometry.ndim, count, chosen)(image)
        if count == 1 and chosen is None:
            arranged = grey(arranged)
        check_count(arranged, image.shape, count)
        return arranged

    def _tile(self, tile: int | Sequence[int] | None, max_memory: float | None, space: Space) -> Space | None:
        return PredictOptions(tile=tile, max_memory=max_memory).tile_shape(self.runner, self.config, space)

    def _maps(
        self, image: np.ndarray, scale: Scale, tile: Space | None, into: Stored, region: Region | None = None
    ) -> Maps:
        """Write the affinities of an image ``(C, *space)`` tile by tile; return them with the foreground."""
        probability = np.empty(image.shape[1:], np.float32)
        embedding = None
        if region is not None:
            embedding = np.empty((self.geometry.dim, *(axis.stop - axis.start for axis in region)), np.float32)
        for part, vectors, logits in self._run(image, scale, tile, self.offsets):
            core = within(part.core, part.context)
            into[:, *part.core] = of_window.affinities(vectors, self.offsets)[:, *core]
            probability[part.core] = of_window.probability(logits)
            if embedding is not None and region is not None and (shared := overlap(part.core, region)):
                embedding[:, *within(shared, region)] = vectors[:, *within(shared, part.context)]
        of_window.check(probability)
        return Maps(into, probability, embedding, scale)

    def _run(
        self, image: np.ndarray, scale: Scale, tile: Space | None, offsets: Offsets
    ) -> Iterator[tuple[Tile, np.ndarray, np.ndarray]]:
        """Yield each tile, its embedding ``(D, *context)`` and its foreground logits ``(*core)``."""
        return run_tiles(self.runner, partial(crop, image), image.shape[1:], scale, tile, offsets)


def _mask(mask: np.ndarray, space: Space) -> np.ndarray:
    """Check a foreground that a user gives."""
    mask = np.asarray(mask)
    if mask.shape != space:
        raise UserError(f"true foreground: got shape {mask.shape}, expected that of the image, {space}")
    return mask.astype(bool)


def _back(labels: np.ndarray, space: Space, true_foreground: np.ndarray | None) -> np.ndarray:
    """Bring labels back to the shape of the image, and inside the true foreground where there is one."""
    labels = nearest(labels, space)
    if true_foreground is not None:
        labels = np.where(_mask(true_foreground, space), labels, 0)
    return consecutive(labels)
