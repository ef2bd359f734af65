"""From an image to instances: a trained network with all that is needed to run it, on images of any size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segraft.errors import UserError, choose
from segraft.graphs.affinity import OFFSETS_2D, OFFSETS_3D_LONG, embedding_affinities
from segraft.images.channels import to_channels_first
from segraft.images.normalisation import Normalisation
from segraft.labels.relabel import consecutive
from segraft.model import checkpoint
from segraft.model.tile_memory import fitting_tile
from segraft.model.tiling import Space, Tile, cut, scratch, tiles, within
from segraft.model.torch_runner import find_device
from segraft.segment import SEGMENTERS
from segraft.types import Offsets, Stored

TILE = 1024
"""Side of the core of an automatic tile of an image."""
LARGE = 2048**2
"""Images of more pixels are cut into tiles."""
VOLUME = 4.0
"""Gigabytes that a tile of a volume may take by default."""
COMMON = ("segmenter", "foreground", "minimum_size")
"""What a configuration says of any segmenter; the rest are the settings of the one that it names."""
LARGEST_SCALE = 50
"""Scales beyond this (or below its inverse) are taken for a mistaken unit."""


def load(path: str | Path, device: str = "auto") -> Model:
    """Load a trained model from its file or run folder onto a device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises ``UserError`` when there is no model, it is damaged, or there is no such device.
    """
    target = find_device(device)
    network: Any
    network, config = checkpoint.restore(path)
    if network.ndim == 2:
        network.to(memory_format=torch.channels_last)  # a third faster on the CPU
    return Model(network.to(target).eval().requires_grad_(False), config)


class Model:
    """A network with its configuration, as ``segraft.load`` returns it.

    Parameters
    ----------
    network : with the attributes of ``segraft.networks.contract.Network``; runs where its weights are, in eval mode
    config : what is stored beside the weights (``model.checkpoint``); of its keys ``normalisation``, ``offsets``,
        ``channels``, ``voxel_size`` and ``segmentation`` are used here, each with a default
    """

    def __init__(self, network: nn.Module, config: dict[str, Any]) -> None:
        self.network: Any = network
        self.config = config
        offsets = config.get("offsets") or (OFFSETS_2D if self.network.ndim == 2 else OFFSETS_3D_LONG)
        self.offsets: Offsets = tuple(tuple(int(k) for k in offset) for offset in offsets)
        self.normalisation = Normalisation(**config.get("normalisation", {}))

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.network.parameters()).device

    def predict(
        self,
        image: np.ndarray,
        *,
        segmenter: str | None = None,
        foreground: float | None = None,
        minimum_size: int | None = None,
        tile: int | Sequence[int] | None = None,
        memory: float | None = None,
        scale: float | Sequence[float] | None = None,
        voxel_size: Sequence[float] | None = None,
        channels: Sequence[int] | None = None,
        true_foreground: np.ndarray | None = None,
    ) -> np.ndarray:
        """Segment an image ``(*space)``, ``(C, *space)`` or ``(*space, C)``; returns labels ``(*space)``, uint32.

        Parameters
        ----------
        segmenter : a name of ``SEGMENTERS``, with its default settings, in place of the configuration's
        foreground : probability above which a pixel is part of an object; by default that of the configuration
        minimum_size : segments of fewer pixels of this image join a larger one that they touch, or vanish; by default
            the configuration's number, in pixels of the training images
        tile : side in pixels, or one per axis, of the parts that the network computes at once, to bound its memory; by
            default none for images up to 2048², else 1024. The labels are those of the whole image, up to their
            numbers. Affinities are kept in a temporary file and segmented by connected pieces of the foreground.
        memory : in place of ``tile``: gigabytes that a part may take, 4 by default for volumes
        scale : factor, one or per axis, that brings the image to the pixel size of the training images
        voxel_size : the image's pixel size in nm, one or per axis, in place of ``scale``
        channels : indices of the channels to use
        true_foreground : boolean ``(*space)``, in place of the learnt foreground

        Raises
        ------
        UserError : shape, channels or options do not fit, or pixels are NaN or infinite
        """
        stored = self.channels_first(image, channels)
        space = stored.shape[1:]
        settings = self.config.get("segmentation", {})
        threshold = settings.get("foreground", 0.5) if foreground is None else foreground
        smallest = settings.get("minimum_size", 0) if minimum_size is None else minimum_size
        if not 0 <= threshold <= 1 or smallest < 0:
            raise UserError(
                f"foreground {threshold} and minimum size {smallest} came; wanted a probability and at least 0 pixels"
            )
        factors = self._scale(scale, voxel_size)
        target = tuple(max(1, round(size * factor)) for size, factor in zip(space, factors, strict=True))
        if minimum_size is not None:
            smallest = round(smallest * math.prod(target) / math.prod(space))
        usual = settings.get("segmenter", "mutex")
        segment = choose("segmenter", segmenter or usual, SEGMENTERS)
        others = {name: value for name, value in settings.items() if name not in COMMON and segmenter in (None, usual)}
        resized, parts = _resize(stored, target), self._tile(tile, memory, target)
        with scratch((len(self.offsets), *target), stored=parts is not None) as affinities:
            probability = self._affinities(resized, parts, affinities)
            inside = (
                probability > threshold if true_foreground is None else _nearest(_mask(true_foreground, space), target)
            )
            labels = segment(affinities, self.offsets, inside, minimum_size=smallest, **others)
        return labels if target == space else self._back(labels, space, true_foreground)

    def embed(
        self, image: np.ndarray, *, tile: int | Sequence[int] | None = None, channels: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the embedding ``(D, *space)`` and the foreground probability ``(*space)`` of an image, float32."""
        stored = self.channels_first(image, channels)
        space = stored.shape[1:]
        embedding, probability = np.empty((self.network.dim, *space), np.float32), np.empty(space, np.float32)
        for part, vectors, logits in self._run(stored, self._tile(tile, None, space), ()):
            embedding[:, *part.core] = vectors[0].cpu().numpy()
            probability[part.core] = logits.sigmoid().cpu().numpy()
        return embedding, probability

    def affinities(
        self,
        image: np.ndarray,
        *,
        tile: int | Sequence[int] | None = None,
        memory: float | None = None,
        channels: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return affinities ``(N, *space)``, in [-1, 1], and the foreground probability ``(*space)``, float32.

        ``tile`` and ``memory`` bound what the network takes, as in ``predict``.
        """
        stored = self.channels_first(image, channels)
        space = stored.shape[1:]
        affinities = np.empty((len(self.offsets), *space), np.float32)
        return affinities, self._affinities(stored, self._tile(tile, memory, space), affinities)

    def _affinities(self, image: np.ndarray, tile: Space | None, into: Stored) -> np.ndarray:
        """Write the affinities of an image ``(C, *space)`` tile by tile; return the foreground."""
        probability = np.empty(image.shape[1:], np.float32)
        for part, vectors, logits in self._run(image, tile, self.offsets):
            core = within(part.core, part.context)
            into[:, *part.core] = embedding_affinities(vectors, self.offsets)[0][:, *core].cpu().numpy()
            probability[part.core] = logits.sigmoid().cpu().numpy()
        if np.isnan(probability.max()):
            raise UserError("the network's output is NaN; wanted numbers; its weights are damaged: train again")
        return probability

    def _run(self, image: np.ndarray, tile: Space | None, offsets: Offsets) -> Iterator[tuple[Tile, Tensor, Tensor]]:
        """Yield each tile, its embedding ``(1, D, *context)`` and foreground logits ``(*core)``, on the device."""
        space, normalise = image.shape[1:], self.normalisation.scale(image)
        for part in tiles(space, tile, self.network, offsets):
            embedding, foreground = self._forward(normalise(cut(image, part.window)))
            context, core = within(part.context, part.output), within(part.core, part.output)
            yield part, embedding[:, :, *context], foreground[0, 0][core]

    @torch.inference_mode()
    def _forward(self, window: np.ndarray) -> tuple[Tensor, Tensor]:
        """Run the network in float32 and eval mode on a window ``(C, *window)``; training goes on afterwards."""
        device, training = self.device, self.network.training
        x = torch.from_numpy(np.ascontiguousarray(window))[None].to(device)
        self.network.eval()
        try:
            with torch.autocast(device.type, enabled=False):
                output = self.network(x)
        except torch.OutOfMemoryError as error:
            came = f"a tile of {' × '.join(map(str, window.shape[1:]))} pixels"
            raise UserError(f"{device} has no memory for {came}; wanted smaller ones; set a smaller tile") from error
        finally:
            if training:
                self.network.train()
        return output.embedding, output.foreground

    def channels_first(self, image: np.ndarray, channels: Sequence[int] | None) -> np.ndarray:
        """Bring an image to ``(C, *space)`` with the channels that the network was trained on."""
        image, wanted = np.asarray(image), self.network.in_channels
        shape = image.shape
        if not image.size:
            raise UserError(f"an image came with shape {shape}; wanted at least one pixel; export it again")
        channels = channels if channels is not None else self.config.get("channels")
        first = len(shape) == self.network.ndim + 1 and shape[0] == wanted and (wanted == 1 or shape[-1] != wanted)
        if channels is not None or not first:
            image = to_channels_first(image, self.network.ndim, channels)
        if len(image) != wanted:
            example = " ".join(map(str, range(wanted))) if len(image) > wanted else " ".join("0" * wanted)
            raise UserError(
                f"an image of shape {shape} came, with {len(image)} channels; wanted {wanted}, as in training; "
                f"choose which (channels, for example {example})"
            )
        return image

    def _tile(self, tile: int | Sequence[int] | None, memory: float | None, space: Space) -> Space | None:
        """Shape of the tiles: as wanted, or None for images that the network computes at once."""
        if tile is not None and memory is not None:
            raise UserError("both tile and memory came; wanted one of them; leave the other away")
        if tile is None and memory is None and len(space) == 2:
            return (TILE, TILE) if math.prod(space) > LARGE else None
        if tile is None:
            found = fitting_tile(self.network, space, self.offsets, (VOLUME if memory is None else memory) * 1e9)
            return None if all(a >= b for a, b in zip(found, space, strict=True)) else found
        shape = _per_axis(tile, len(space))
        if len(shape) != len(space) or min(shape) < 1:
            raise UserError(
                f"tile came as {tile}; wanted a positive number of pixels, 512 for example, or one per axis"
            )
        return shape

    def _scale(self, scale: float | Sequence[float] | None, voxel_size: Sequence[float] | None) -> tuple[float, ...]:
        """Factor per axis from the image's pixels to those of the training images."""
        ndim, trained = self.network.ndim, self.config.get("voxel_size")
        if scale is not None and voxel_size is not None:
            raise UserError("both scale and voxel size came; wanted one of them; leave the other away")
        if voxel_size is not None and not trained:
            raise UserError("a voxel size came, but the model does not know that of its training images; give scale")
        if scale is None and voxel_size is None:
            return (1.0,) * ndim
        given: tuple[float, ...] = _per_axis(scale if voxel_size is None else voxel_size, ndim)
        if len(given) != ndim or not all(math.isfinite(size) and size > 0 for size in given):
            name = "scale" if voxel_size is None else "voxel size"
            raise UserError(f"{name} came as {tuple(given)}; wanted {ndim} positive numbers, one per axis")
        factors = (
            tuple(a / b for a, b in zip(given, trained or given, strict=True)) if voxel_size is not None else given
        )
        if not all(1 / LARGEST_SCALE <= factor <= LARGEST_SCALE for factor in factors):
            limits = f"{1 / LARGEST_SCALE} to {LARGEST_SCALE}"
            raise UserError(f"the image would be resized by {factors}; wanted {limits}; check the unit (nm)")
        return factors

    def _back(self, labels: np.ndarray, space: Space, true_foreground: np.ndarray | None) -> np.ndarray:
        """Bring labels back to the shape of the image, and inside the true foreground where there is one."""
        labels = _nearest(labels, space)
        if true_foreground is not None:
            labels = np.where(_mask(true_foreground, space), labels, 0)
        return consecutive(labels)


def _per_axis(value: Any, ndim: int) -> tuple[Any, ...]:
    """One value per axis, from one for all or one each."""
    values = (value,) if np.isscalar(value) else tuple(value)
    return values * ndim if len(values) == 1 else values


def _mask(mask: np.ndarray, space: Space) -> np.ndarray:
    """Check a foreground that a user gives."""
    mask = np.asarray(mask)
    if mask.shape != space:
        raise UserError(f"the true foreground came with shape {mask.shape}; wanted that of the image, {space}")
    return mask.astype(bool)


def _nearest(array: np.ndarray, shape: Space) -> np.ndarray:
    """Resize ``(*space)`` by taking the nearest pixel, which keeps labels what they are."""
    picks = [((np.arange(new) + 0.5) * old / new).astype(np.intp) for old, new in zip(array.shape, shape, strict=True)]
    return array if array.shape == shape else array[np.ix_(*picks)]


def _resize(image: np.ndarray, shape: Space) -> np.ndarray:
    """Resize ``(C, *space)`` linearly, smoothed first where it shrinks; the same image for the same shape."""
    if image.shape[1:] == shape:
        return image
    from skimage.transform import resize  # slow to import, and rarely needed

    channels = [resize(channel.astype(np.float32), shape, order=1, anti_aliasing=True) for channel in image]
    return np.stack(channels).astype(np.float32)
