"""What prediction writes for one image or stack: labels, and on request a table, outlines and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.images.stacks import Stack
from segraft.images.writing import write_image, write_labels
from segraft.labels.measured_objects import Table, write_rows, write_table
from segraft.labels.outlines import write_outlines
from segraft.reporting.overlay import overlay as draw_overlay


@dataclass(frozen=True)
class Products:
    """Where the results for one image go, by kind: ``labels`` and what else was asked for."""

    paths: dict[str, Path]

    @classmethod
    def of(cls, out: Path, suffix: str, extras: Sequence[str], name: str) -> Products:
        """Paths of the results for the image ``name``; overlays lie apart from the label images."""
        paths = {
            "labels": out / f"{name}{suffix}",
            "table": out / f"{name}.csv",
            "outlines": out / f"{name}.geojson",
            "overlay": out / "overlays" / f"{name}.png",
        }
        return cls({kind: paths[kind] for kind in ("labels", *extras)})

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return all(path.exists() for path in self.paths.values())

    def write(self, labels: np.ndarray, image: np.ndarray, voxel_size: Sequence[float] | None) -> None:
        """Write all of them, from labels ``(*space)`` and the image ``(C, *space)``; the labels last.

        ``voxel_size`` is that of the image in nm per axis, None where it is not known.
        """
        if path := self.paths.get("table"):
            write_table(path, labels, image, voxel_size)
        if path := self.paths.get("outlines"):
            write_outlines(path, labels)
        if path := self.paths.get("overlay"):
            write_image(path, draw_overlay(image, labels))
        write_labels(self.paths["labels"], labels, "Z" if labels.ndim == 3 else "", voxel_size)

    def check_stack(self, stack: Stack) -> None:
        """Raise ``UserError`` for what cannot show the planes of a stack."""
        unfit = [kind for kind in self.paths if kind in ("overlay", "outlines")]
        unfit += ["format png"] * (self.paths["labels"].suffix == ".png")
        if unfit:
            raise UserError(
                f"{' and '.join(unfit)}: got a stack of {' × '.join(map(str, stack.shape))} planes, expected a single "
                "image; choose tif, h5 or zarr without overlay and outlines"
            )

    def write_stack(self, stack: Stack, labels: np.ndarray, objects: Table, voxel_size: Sequence[float] | None) -> None:
        """Write labels ``(*axes, y, x)`` and the table of all planes; the labels last.

        ``voxel_size`` is that of the stack in nm, with z or without, None where it is not known.
        """
        if path := self.paths.get("table"):
            write_rows(path, objects)
        write_labels(self.paths["labels"], labels, stack.axes, voxel_size)
