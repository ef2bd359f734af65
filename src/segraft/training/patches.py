"""Training patches: an endless sequence in which patch k depends only on ``(seed, k)``.

No worker, order, batch size or interruption changes what patch k is.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation, Scale, SharedScale, Unlike
from segraft.labels.borders import widen_borders
from segraft.labels.check import UNKNOWN
from segraft.labels.masks import Masks
from segraft.labels.relabel import consecutive
from segraft.training.augment import apply_intensity, blank, check_names
from segraft.training.transforms import SCALES, apply_geometry, draw_geometry
from segraft.types import Sample

Normalise = Callable[[np.ndarray], np.ndarray]


class Patches(Dataset[tuple[Tensor, ...]]):
    """Augmented random patches of normalised samples, which are read once and kept in memory.

    ``names`` are those of the samples. ``masks`` says what their label images hold together, ``pixel_sizes`` which
    there are, in nm per axis, each with the name of its first sample.

    ``patches[k]``, for any integer k >= 0, is an image ``(C, *patch)`` float32 and labels ``(*patch)`` int64:
    objects are numbered from 1 within the patch, 0 is background, -1 is unknown or outside the image. Every
    sample is visited once in each run of ``len(samples)`` patches, in an order that changes from run to run.
    A sample without labels is all unknown. Where a teacher labelled the samples, its labels follow in each patch, moved
    and numbered as the truth; where it did not they are -1. In memory, volumes of 8 and 16 bits stay as narrow as they
    are stored, and labels take the narrowest type that holds their number of objects.

    Parameters
    ----------
    samples : the ``Sample``s of a data set
    normalisation : a `Normalisation`, or a function from an image ``(C, *space)`` to float32 of the same shape
    patch : shape in pixels, ``(y, x)`` or ``(z, y, x)``
    geometry, intensity : names of `segraft.training.transforms.GEOMETRY` and `INTENSITY`
    channels : indices of the image channels to keep; None keeps all
    border : pixels from another object within which an object's own become background, and the truth's background
        becomes unknown, as `segraft.labels.borders.widen_borders` says; None leaves labels as they are
    margin : pixels per axis by which a patch may reach beyond the image on each side, where it is mirrored: as many as
        valid convolutions lose, so that their output gets to the image's ends; none by default
    scales : smallest and largest magnification of the transform called scale
    blanks : part of the patches that show nothing but noise, and no object
    taught : gives a teacher's labels ``(*space)`` of a sample, None where it has none; no teacher's labels by default

    Raises
    ------
    UserError : no samples, shapes that do not fit together, unknown names or such for volumes only, a channel that
        is not there, a border that cannot be
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
        border: int | None = None,
        margin: Sequence[int] | None = None,
        scales: tuple[float, float] = SCALES,
        blanks: float = 0.0,
        taught: Callable[[Sample], np.ndarray | None] | None = None,
    ) -> None:
        if len(patch) not in (2, 3) or min(patch) < 1:
            raise UserError(f"patch: got {tuple(patch)}, expected positive sizes; give (y, x) or (z, y, x)")
        check_names(geometry, intensity, len(patch))
        if seed < 0:
            raise UserError(f"seed: got {seed}, expected an integer of 0 or more; give another")
        if len(samples) == 0:
            raise UserError("training images: got none, expected at least one; check the folder and the split")
        self.patch = tuple(patch)
        self.margin = tuple(margin or (0,) * len(patch))
        self.seed = seed
        self.geometry = tuple(geometry)
        self.intensity = tuple(intensity)
        self.scales = scales
        self.blanks = blanks
        self._images: list[np.ndarray] = []
        self._normalise: list[Normalise] = []
        self._labels: list[np.ndarray] = []
        self._taught: list[np.ndarray] = []
        self.taught = taught is not None
        self.names: list[str] = []
        self.masks = Masks()
        self.pixel_sizes: dict[tuple[float, ...], str] = {}
        self._shared = SharedScale(normalisation) if isinstance(normalisation, Normalisation) else None
        for index in range(len(samples)):
            sample = samples[index]
            self._keep(sample, normalisation, channels, border)
            if taught is not None:
                self._taught.append(_narrow(taught(sample), sample.image.shape[1:], border))

    def _keep(
        self, sample: Sample, normalisation: Normalise, channels: Sequence[int] | None, border: int | None
    ) -> None:
        _check_sample(sample, len(self.patch), channels)
        stored = sample.image if channels is None else sample.image[list(channels)]
        if self._images and len(stored) != len(self._images[0]):
            raise UserError(
                f"{sample.name}: got {len(stored)} channels, expected {len(self._images[0])} as in earlier images; "
                "choose the channels to use"
            )
        try:
            image, normalise = _prepare(stored, normalisation)
            labels = _narrow(sample.labels, stored.shape[1:], border)
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
        self._measure(stored)
        if sample.voxel_size is not None:
            self.pixel_sizes.setdefault(sample.voxel_size, sample.name)
        self.names.append(sample.name)
        self._images.append(image)
        self._normalise.append(normalise)
        self._labels.append(labels)
        if sample.labels is not None:
            self.masks.look(sample.name, labels)

    def object_sizes(self) -> list[np.ndarray]:
        """Pixels of each object, ``(n,)``, image by image."""
        return [_sizes(labels) for labels in self._labels]

    def _measure(self, image: np.ndarray) -> None:
        """Take an image into the scale of all together, which there is none of where they differ in type."""
        try:
            if self._shared is not None:
                self._shared.add(image)
        except Unlike:
            self._shared = None

    def scale(self) -> dict[str, Any]:
        """What a model keeps of the scale of all images together, where they have one type: nothing or both.

        ``ranges``, the grey values of each channel that become 0 and 1, and the ``pixel_type``.
        """
        if self._shared is None:
            return {}
        return {"ranges": self._shared.scale().ranges, "pixel_type": self._shared.pixel_type}

    def foreground_share(self) -> float:
        """Part of the known pixels that lies in objects; 0.5 without known pixels."""
        inside = sum(int(np.count_nonzero(labels > 0)) for labels in self._labels)
        known = sum(int(np.count_nonzero(labels != UNKNOWN)) for labels in self._labels)
        return inside / known if known else 0.5

    def labelled_by_teacher(self) -> int:
        """How many of the images a teacher labelled."""
        return sum(bool((labels != UNKNOWN).any()) for labels in self._taught)

    def drawn_by(self, seed: int) -> Patches:
        """The same images in the sequence of another seed; they are not copied."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def fingerprint(self) -> str:
        """A hash of all that patch k depends on beside k: the images as they are scaled, labels, and settings."""
        choices = (self.patch, self.margin, self.seed, sorted(self.geometry), sorted(self.intensity), self.scales)
        digest = hashlib.sha256(repr((*choices, self.blanks)).encode())
        for image, normalise, labels in zip(self._images, self._normalise, self._labels, strict=True):
            for array in (image, labels):
                digest.update(repr((array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).data)
            if isinstance(normalise, Scale):
                digest.update(repr(normalise).encode())
        for labels in self._taught:
            digest.update(repr(labels.dtype.str).encode())
            digest.update(labels.data)
        return digest.hexdigest()

    def __getitem__(self, k: int) -> tuple[Tensor, ...]:
        epoch, place = divmod(int(k), len(self._images))
        index = generator(self.seed, 0, epoch).permutation(len(self._images))[place]
        image, labels, further = self._images[index], self._labels[index], self._taught[index : index + 1]
        rng = generator(self.seed, 1, k)
        geometry = draw_geometry(self.geometry, rng, self.patch, self.scales)
        start = []
        for extent, size, margin in zip(labels.shape, geometry.source_shape(self.patch), self.margin, strict=True):
            first, last = sorted((-margin, extent - size + margin))
            start.append(int(rng.integers(first, last + 1)))
        normalise = self._normalise[index]
        image, *moved = apply_geometry(geometry, image, labels, start, self.patch, normalise, *further)
        if self.blanks and rng.random() < self.blanks:
            image, moved = blank(image.shape, rng), [np.zeros_like(each) for each in moved]
        image = apply_intensity(self.intensity, image, rng)
        # A copy: turned arrays have negative strides, and changes must not reach the kept image.
        pixels = np.array(image, np.float32, order="C")
        return torch.from_numpy(pixels), *(torch.from_numpy(numbered(each)) for each in moved)


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Random numbers that depend on nothing but a seed, what they are for and a count."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, number)))


def _prepare(image: np.ndarray, normalisation: Normalise) -> tuple[np.ndarray, Normalise]:
    """The image to keep, and what makes float32 of its windows: a volume that is narrower before is normalised then.

    Only a `Normalisation` is known to treat each pixel by itself once it has measured the image.
    """
    narrow = image.ndim == 4 and image.dtype.itemsize < np.dtype(np.float32).itemsize
    if narrow and isinstance(normalisation, Normalisation):
        return np.ascontiguousarray(image), normalisation.scale(image)
    return np.asarray(normalisation(image), np.float32), np.asarray


def _narrow(labels: np.ndarray | None, space: Sequence[int], border: int | None) -> np.ndarray:
    """Labels to keep: signed, numbered from 1, with widened borders where ``border`` is given."""
    if labels is None:
        return np.full(space, UNKNOWN, np.int8)
    if border is not None:
        labels = widen_borders(labels, border)
    numbers = consecutive(labels)
    narrow = numbers.astype(np.min_scalar_type(-int(numbers.max()) - 1))
    narrow[labels == UNKNOWN] = UNKNOWN
    return narrow


def numbered(labels: np.ndarray) -> np.ndarray:
    """Number the objects from 1 in id order, int64; 0 and -1 stay."""
    return np.where(labels == UNKNOWN, UNKNOWN, consecutive(labels).astype(np.int64))


def _sizes(labels: np.ndarray) -> np.ndarray:
    """Pixels of each object; counted plane by plane, because a count takes 8 bytes a pixel."""
    counts = np.zeros(max(int(labels.max()), 0) + 1, np.int64)
    for plane in labels.reshape(-1, *labels.shape[-2:]):
        counts += np.bincount(plane[plane > 0], minlength=len(counts))
    return counts[counts > 0]


def _check_sample(sample: Sample, ndim: int, channels: Sequence[int] | None) -> None:
    space = sample.image.shape[1:]
    axes = "y, x" if ndim == 2 else "z, y, x"
    if len(space) != ndim or 0 in sample.image.shape:
        raise UserError(
            f"{sample.name}: got shape {sample.image.shape}, expected (channels, {axes}) without an empty axis; "
            "give a patch with as many sizes as the images have axes"
        )
    if sample.labels is not None and sample.labels.shape != space:
        raise UserError(
            f"labels of {sample.name}: got shape {sample.labels.shape}, expected the image's {space}; "
            "pair each image with its own labels"
        )
    if channels is not None and not all(0 <= channel < len(sample.image) for channel in channels):
        raise UserError(
            f"channels of {sample.name}: got {tuple(channels)}, expected some of 0 to {len(sample.image) - 1}; "
            "choose channels that every image has"
        )
