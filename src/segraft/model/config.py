"""What is stored beside the weights: everything that prediction needs to know, each default in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np

from segraft.coerce import coerce
from segraft.errors import UserError, choose
from segraft.graphs.offsets import USUAL
from segraft.images.normalisation import Normalisation
from segraft.segment import SEGMENTERS
from segraft.segment.filling import fill
from segraft.segment.fragments import THICKNESS
from segraft.types import Offsets, Stored

Made = TypeVar("Made")
FORMAT = 4
"""Number of the layout written here; older ones are upgraded, newer ones refused."""
PERCENTILES = (1.0, 99.8)
"""Of each channel of each image, what became 0, and what became 1, before format 3."""


@dataclass(frozen=True)
class NetworkConfig:
    """The arguments of ``create_network``."""

    name: str
    in_channels: int = 1
    dim: int = 16
    filters: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Segmentation:
    """How affinities and foreground become labels."""

    segmenter: str = "mutex"
    """A name of ``SEGMENTERS``."""
    foreground_threshold: float = 0.5
    """Probability above which a pixel is part of an object."""
    thickness: float = THICKNESS
    """Segments that are nowhere thicker, in pixels and in plane, join a larger one that they touch."""
    minimum_size: int = 0
    """Segments of fewer pixels join a larger one that they touch, or vanish; in pixels of the training images."""
    fill: bool = False
    """Whether segments grow over everything that was not segmented, in plane, as in dense tissue."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The segmenter's own settings by name."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        choose("segmenter", self.segmenter, SEGMENTERS)
        if not 0 <= self.foreground_threshold <= 1:
            raise UserError(f"foreground threshold: got {self.foreground_threshold}, expected a probability, 0 to 1")
        for name, value in (("thickness", self.thickness), ("minimum size", self.minimum_size)):
            if not 0 <= value < inf:
                raise UserError(f"{name}: got {value}, expected at least 0 pixels")

    def changed(self, **choices: str | float | int | None) -> Segmentation:
        """Return the segmentation with those choices that are not None; another segmenter has its default settings."""
        chosen: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
        if chosen.get("segmenter", self.segmenter) != self.segmenter:
            chosen["settings"] = {}
        return replace(self, **chosen)

    def segment(self, affinities: Stored, offsets: Offsets, foreground: np.ndarray) -> np.ndarray:
        """Labels ``(*space)`` from affinities ``(N, *space)`` inside a boolean foreground ``(*space)``.

        Raises ``UserError`` where settings or offsets do not fit the segmenter.
        """
        segmenter = SEGMENTERS[self.segmenter]
        rules = {"thickness": self.thickness, "minimum_size": self.minimum_size}
        labels = segmenter(affinities, offsets, foreground, **rules, **self.settings)
        return fill(labels, affinities) if self.fill else labels


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that is stored beside the weights, and all that `Model` knows beside its runner."""

    network: NetworkConfig
    offsets: Offsets
    """Displacements of the affinities, in pixels."""
    percentiles: tuple[float, float] | None = None
    """Of each channel of each image, what becomes 0, and what becomes 1; None for the ends of what it shows."""
    ranges: tuple[tuple[float, float], ...] | None = None
    """Of each channel of the training images together, the grey values that became 0 and 1; None where unknown."""
    pixel_type: str | None = None
    """Type of all training images' pixels, "uint8" for example; None where unknown."""
    voxel_size: tuple[float, ...] | None = None
    """Pixel size of the training images per axis, in nm; None where it is not known."""
    object_size: float | None = None
    """Typical diameter of the objects of the training images, in pixels; None where it is not known."""
    channels: tuple[int, ...] | None = None
    """Indices of the image channels to use; None for all."""
    segmentation: Segmentation = field(default_factory=Segmentation)
    training: dict[str, Any] = field(default_factory=dict)
    """How the model was trained, for people to read."""

    @property
    def normalisation(self) -> Normalisation:
        """How each image is scaled by itself."""
        return Normalisation(self.percentiles, compressed=self.percentiles is None)

    @classmethod
    def usual(cls, network: NetworkConfig, ndim: int) -> ModelConfig:
        """The defaults for a network that sees images (``ndim`` 2) or volumes (3)."""
        return cls(network=network, offsets=USUAL[ndim])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Read what ``to_dict`` made, or a file of an older format held.

        Raises ``UserError`` for a newer format; ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
        """
        number = int(values["format"])
        if number > FORMAT:
            raise UserError(f"got format {number}, expected one up to {FORMAT}; update segraft")
        current = dict(upgraded_from_1(values) if number == 1 else values)
        if number < 3:  # nothing but percentiles was known
            current = {"percentiles": PERCENTILES, **current}
        del current["format"]
        current["network"] = as_made(NetworkConfig, current["network"])
        current["segmentation"] = as_made(Segmentation, current.get("segmentation") or {})
        current["offsets"] = tuple(tuple(int(k) for k in offset) for offset in current["offsets"])
        return as_made(cls, current)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, with its format number."""
        return {"format": FORMAT, **asdict(self)}


def config_of(path: Path, text: str) -> ModelConfig:
    """A configuration from JSON in a file; ``UserError`` for a newer one, and for what is none."""
    try:
        return ModelConfig.from_dict(json.loads(text))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} has a damaged configuration ({type(error).__name__}: {reason}); "
            "expected what segraft writes; copy the file again, or train again"
        ) from error


def upgraded_from_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Format 1 called percentiles ``normalisation: low, high``, and kept a segmenter's settings among the others."""
    current = {name: value for name, value in values.items() if name != "normalisation"}
    scaling, own = dict(values.get("normalisation") or {}), dict(values.get("segmentation") or {})
    current["percentiles"] = (scaling.get("low", PERCENTILES[0]), scaling.get("high", PERCENTILES[1]))
    common = {"segmenter": "segmenter", "foreground": "foreground_threshold", "minimum_size": "minimum_size"}
    current["segmentation"] = {new: own.pop(old) for old, new in common.items() if own.get(old) is not None}
    current["segmentation"]["settings"] = {name: value for name, value in own.items() if name not in common}
    return current


def as_made(kind: type[Made], values: Mapping[str, Any]) -> Made:
    """A dataclass from values as JSON has them: lists become tuples, and every type is checked."""
    hints = get_type_hints(kind)
    nested = ("network", "segmentation", "offsets")  # made already
    return kind(
        **{name: value if name in nested else coerce(name, hints[name], value) for name, value in values.items()}
    )
