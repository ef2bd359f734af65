"""Training patches: an endless sequence in which patch k depends only on ``(seed, k)``.

No worker, order, batch size or interruption changes what patch k is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segraft.data.augment import apply_geometry, apply_intensity, check_names, draw_geometry
from segraft.errors import UserError
from segraft.labels import UNKNOWN
from segraft.types import Sample

Normalise = Callable[[np.ndarray], np.ndarray]


class Patches(Dataset[tuple[Tensor, Tensor]]):
    """Augmented random patches of normalised samples, which are read once and kept in memory.

    ``patches[k]``, for any integer k >= 0, is an image ``(C, *patch)`` float32 and labels ``(*patch)`` int64:
    objects are numbered from 1 within the patch, 0 is background, -1 is unknown or outside the image. Every
    sample is visited once in each run of ``len(samples)`` patches, in an order that changes from run to run.
    A sample without labels is all unknown.

    Parameters
    ----------
    samples : the ``Sample``s of a data set
    normalisation : maps an image ``(C, *space)`` as stored to float32 of the same shape
    patch : shape in pixels, ``(y, x)`` or ``(z, y, x)``
    geometry, intensity : names of `segraft.data.augment.GEOMETRY` and `INTENSITY`
    channels : indices of the image channels to keep; None keeps all

    Raises
    ------
    UserError : no samples, shapes that do not fit together, unknown names, a channel that is not there
    """

    def __init__(
        self,
        samples: Sequence,
        normalisation: Normalise,
        patch: Sequence[int],
        seed: int,
        geometry: Sequence[str] = (),
        intensity: Sequence[str] = (),
        channels: Sequence[int] | None = None,
    ) -> None:
        check_names(geometry, intensity)
        if len(patch) not in (2, 3) or min(patch) < 1:
            raise UserError(f"patch {tuple(patch)}; wanted positive sizes; give (y, x) or (z, y, x)")
        if seed < 0:
            raise UserError(f"seed {seed}; wanted an integer of 0 or more; give another")
        if len(samples) == 0:
            raise UserError("no images to train on; wanted at least one; check the folder and the split")
        self.patch = tuple(patch)
        self.seed = seed
        self.geometry = tuple(geometry)
        self.intensity = tuple(intensity)
        self._images: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        for index in range(len(samples)):
            self._keep(samples[index], normalisation, channels)

    def _keep(self, sample: Sample, normalisation: Normalise, channels: Sequence[int] | None) -> None:
        _check_sample(sample, len(self.patch), channels)
        stored = sample.image if channels is None else sample.image[list(channels)]
        if self._images and len(stored) != len(self._images[0]):
            raise UserError(
                f"{sample.name} has {len(stored)} channels, earlier images {len(self._images[0])}; "
                "wanted the same for all; choose the channels to use"
            )
        try:
            self._images.append(np.asarray(normalisation(stored), np.float32))
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
        if sample.labels is None:
            self._labels.append(np.full(stored.shape[1:], UNKNOWN, np.int32))
        else:
            self._labels.append(_number(sample.labels).astype(np.int32))

    def median_size(self) -> float:
        """Pixels of the median object; 0 without objects."""
        sizes = np.concatenate([np.bincount(labels[labels > 0])[1:] for labels in self._labels])
        return float(np.median(sizes)) if sizes.size else 0.0

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(int(k), len(self._images))
        index = _generator(self.seed, 0, epoch).permutation(len(self._images))[place]
        image, labels = self._images[index], self._labels[index]
        rng = _generator(self.seed, 1, k)
        geometry = draw_geometry(self.geometry, rng, self.patch)
        start = [
            int(rng.integers(min(0, extent - size), max(0, extent - size) + 1))
            for extent, size in zip(labels.shape, geometry.source_shape(self.patch), strict=True)
        ]
        image, labels = apply_geometry(geometry, image, labels, start, self.patch)
        image = apply_intensity(self.intensity, image, rng)
        # A copy: turned arrays have negative strides, and changes must not reach the kept image.
        pixels = np.array(image, np.float32, order="C")
        return torch.from_numpy(pixels), torch.from_numpy(_number(labels))


def _generator(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, number)))


def _number(labels: np.ndarray) -> np.ndarray:
    """Number the objects from 1 in id order, int64; 0 and -1 stay."""
    ids, inverse = np.unique(labels, return_inverse=True)
    numbers = np.where(ids > 0, np.cumsum(ids > 0), np.minimum(ids.astype(np.int64), 0))
    return np.asarray(numbers[inverse].reshape(labels.shape))


def _check_sample(sample: Sample, ndim: int, channels: Sequence[int] | None) -> None:
    space = sample.image.shape[1:]
    axes = "y, x" if ndim == 2 else "z, y, x"
    if len(space) != ndim or 0 in sample.image.shape:
        raise UserError(
            f"{sample.name} has shape {sample.image.shape}; wanted (channels, {axes}) without an empty axis; "
            "give a patch with as many sizes as the images have axes"
        )
    if sample.labels is not None and sample.labels.shape != space:
        raise UserError(
            f"labels of {sample.name} have shape {sample.labels.shape}; wanted the image's {space}; "
            "pair each image with its own labels"
        )
    if channels is not None and not all(0 <= channel < len(sample.image) for channel in channels):
        raise UserError(
            f"channels {tuple(channels)} of {sample.name}; wanted some of 0 to {len(sample.image) - 1}; "
            "choose channels that every image has"
        )
