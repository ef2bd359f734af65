"""How the images of a prediction are segmented, one by one, with what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from segraft.commands.doubts import Doubts
from segraft.errors import UserError
from segraft.images.channels import FEW
from segraft.images.normalisation import Unlike
from segraft.images.reading import read_image
from segraft.images.stacks import Stack, open_stack
from segraft.images.voxel_size import read_voxel_size
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.terminal.progress import messages, track
from segraft.types import Sample


@dataclass(frozen=True)
class Task:
    """One image to segment: how messages call it, how it is read, and its name, where that is known before."""

    source: str
    read: Callable[[], Sample | Stack]
    name: str | None = None
    path: Path | None = None
    """Its file, where it has one."""


@dataclass(frozen=True)
class Segmenting:
    """How every image is segmented."""

    model: Model
    options: PredictOptions
    true_foreground: bool
    planes: bool
    """The first axis of files counts planes."""
    doubts: Doubts = field(default_factory=Doubts)

    def check(self, drawn: bool) -> None:
        """Raise ``UserError`` for a mistake in the options, once; ``drawn``: outlines of the labels are asked for."""
        ndim = self.model.geometry.ndim
        if drawn and ndim != 2:
            raise UserError(f"overlay or outlines: got a {ndim}-D model, expected a 2-D one to draw in; omit them")
        if self.planes and ndim != 2:
            raise UserError(
                f"planes: got a {ndim}-D model, which takes a stack as a volume, expected a 2-D one; omit it"
            )
        self.options.check(self.model.runner, self.model.config)

    def __call__(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels ``(*space)`` of a sample and the image ``(C, *space)`` as the model saw it."""
        if self.true_foreground and sample.labels is None:
            raise UserError(f"{sample.name}: got no labels, expected some for foreground truth; use the learnt one")
        mask = sample.labels > 0 if self.true_foreground and sample.labels is not None else None
        image = self._image(sample)
        with self.model.maps(image, self.options) as maps:
            labels = self.model.labels(maps, self.options, image.shape[1:], mask)
        self.doubts.look(sample.name, image, labels, maps.scale)
        return labels, image

    def alike(self, tasks: Sequence[Task]) -> Segmenting:
        """The same with one scale for all images, measured on them; those that cannot be read are left out.

        Raises ``UserError`` where they differ in type, and where none can be read.
        """
        shared = self.model.shared_scale(self.options.percentiles)
        for task in track(tasks, "measuring", messages()):
            try:
                for name, image in self._images(task.read()):
                    shared.add(image, name)
            except Unlike:
                raise
            except UserError:
                continue  # which is told when its turn comes
        return replace(self, options=replace(self.options, range=shared.ends(), percentiles=None))

    def compare(self, source: Sample | Stack) -> None:
        """Doubt pixels of another size than those of the training, unless the user has told of it."""
        if self.options.voxel_size is None and self.options.scale is None:
            stored = (source.voxel_size or ())[-self.model.geometry.ndim :]
            self.doubts.compare(source.name, stored, self.model.config)

    def doubted(self) -> list[str]:
        """What is doubtful of the images that were segmented, in words."""
        return self.doubts.lines(self.model.config)

    def _images(self, source: Sample | Stack) -> Iterator[tuple[str, np.ndarray]]:
        """The images ``(C, *space)`` of a sample, or of a stack plane by plane, with their names."""
        planes = [source.image] if isinstance(source, Sample) else source.planes()
        for plane in planes:
            yield source.name, self._image(Sample(plane, None, source.name))

    def _image(self, sample: Sample) -> np.ndarray:
        """Return the image with the model's channels; the message on others tells of planes where it may be these."""
        try:
            return self.model.channels_first(sample.image, self.options.channels)
        except UserError as error:
            unclear = self.model.geometry.ndim == 2 and sample.image.ndim == 3 and sample.image.shape[-1] > FEW
            if self.planes or not unclear:
                raise
            raise UserError(f"{error}; if the first axis counts planes, time or z, add --planes") from error

    def open(self, path: Path, name: str) -> Sample | Stack:
        """Read an image file, its channel axis where it is stored; a stack for a 2-D model is read by plane later."""
        geometry = self.model.geometry
        stack = open_stack(path, name, geometry.in_channels, self.planes) if geometry.ndim == 2 else None
        return stack or Sample(read_image(path), None, name, read_voxel_size(path))

    def voxel_size(self, stored: tuple[float, ...] | None) -> tuple[float, ...] | None:
        """Size of voxels in nm per axis: as the user says, else as stored in a file; None if neither tells it.

        Of a stack for a model of images, the size of its planes' pixels.
        """
        ndim = self.model.geometry.ndim
        return self.options.pixel_size(ndim) or (stored[-ndim:] if stored and len(stored) >= ndim else None)
