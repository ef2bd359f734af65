"""Pictures for proofreading: the map of where two models disagree, and the objects that they see most differently."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segraft.images.normalisation import Normalisation
from segraft.labels.borders import boundaries
from segraft.metrics.disagreement import Box, Doubt
from segraft.model.resize import nearest
from segraft.reporting.colours import rgb
from segraft.reporting.pictures import doubled, grey_or_colour

OWN, OTHER = rgb("#e69f00"), rgb("#56b4e9")
"""Colours of the outlines of the model, and of the other one; colour-blind readers tell them apart, too."""
HOT = rgb("#ff2d00")
"""Where models disagree wholly."""
FULL = 0.3
"""Disagreement that has the full colour."""
FADED = 0.6
"""How much of its light the image keeps below the colour."""
ROOM = 12
"""Pixels around an object that its picture shows."""
TILE = 180
"""Pixels of the side of a picture in the sheet."""
GAP, SEAM, LINE = 6, 2, 15
"""Pixels around the two pictures of an object, between them, and of a line of words below them."""
COLUMNS = 4
LONGEST = 40
"""Letters of an image's name that are shown."""


def map_picture(image: np.ndarray, labels: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
    """Draw disagreement ``(y, x)``, 0 to 1, in red on an image ``(C, y, x)`` with the outlines of labels ``(y, x)``.

    Returns ``(2 y, 2 x, 3)`` uint8.
    """
    picture = FADED * doubled(_colour(Normalisation()(image))).astype(np.float32)
    strength = doubled(np.minimum(disagreement / FULL, 1))[..., None]
    picture += strength * (np.array(HOT, np.float32) - picture)
    picture[boundaries(doubled(labels))] = OWN
    return picture.round().astype(np.uint8)


@dataclass(frozen=True)
class Cut:
    """What is shown of an object: the image around it, and the labels of both models."""

    words: str
    image: np.ndarray
    """``(y, x, 3)`` uint8."""
    own: np.ndarray
    """Labels ``(y, x)`` of the model."""
    other: np.ndarray
    """Labels ``(y, x)`` of the other model."""


@dataclass
class Sheet:
    """The objects that two models see most differently, of any number of images; memory is that of those shown."""

    size: int
    """How many are shown."""
    _worst: list[tuple[float, int, Cut]] = field(default_factory=list)
    _added: count = field(default_factory=count)

    def add(self, name: str, image: np.ndarray, labels: np.ndarray, others: np.ndarray, found: Sequence[Doubt]) -> None:
        """Add the objects of an image ``(C, *space)``, worst first, with both models' labels ``(*space)``."""
        scale = Normalisation().scale(image)
        for doubt in found[: self.size]:
            if doubt.score == 0 or (len(self._worst) == self.size and doubt.score <= self._worst[0][0]):
                return
            place = _place(doubt.box, labels.shape)
            pixels = _colour(scale(image[:, *place]))
            cut = Cut(_words(name, doubt), pixels, labels[place].copy(), others[place].copy())
            entry = (doubt.score, -next(self._added), cut)
            (heapq.heappush if len(self._worst) < self.size else heapq.heappushpop)(self._worst, entry)

    def draw(self) -> np.ndarray | None:
        """Draw all objects, the worst first in rows: ``(y, x, 3)`` uint8, None where there is none."""
        shown = [entry[2] for entry in sorted(self._worst, reverse=True)]
        if not shown:
            return None
        columns = min(COLUMNS, len(shown))
        width, height = 2 * TILE + SEAM + 2 * GAP, TILE + 2 * LINE + GAP
        picture = Image.new("RGB", (columns * width, -(-len(shown) // columns) * height), "white")
        pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
        for place, each in enumerate(shown):
            x, y = place % columns * width, place // columns * height
            for number, (labels, colour) in enumerate(((each.own, OWN), (each.other, OTHER))):
                picture.paste(_outlined(each.image, labels, colour), (x + GAP + number * (TILE + SEAM), y + GAP))
            for number, line in enumerate(f"{place + 1}. {each.words}".split("\n")):
                pen.text((x + GAP, y + GAP + TILE + number * LINE), line, "black", font)
        return np.asarray(picture)


def _words(name: str, doubt: Doubt) -> str:
    """What a picture shows, in two lines."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"
    at = ", ".join(f"{axis} {side.start}" for axis, side in zip("zyx"[-len(doubt.box) :], doubt.box, strict=True))
    return (
        f"{short}\n{f'object {doubt.id}' if doubt.id else 'none'} at {at}: {doubt.score:.2f}, the other {doubt.other}"
    )


def _place(box: Box, space: Sequence[int]) -> tuple[int | slice, ...]:
    """What is shown of an object in a box: its surroundings, of a volume in the middle section."""
    return (*((side.start + side.stop) // 2 for side in box[:-2]), *_window(box[-2:], space[-2:]))


def _window(box: Box, space: Sequence[int]) -> Box:
    """A square around a box ``(y, x)`` with some room, as far as the image goes."""
    side = max(each.stop - each.start for each in box) + 2 * ROOM
    starts = [
        max(0, min((each.start + each.stop - side) // 2, size - side)) for each, size in zip(box, space, strict=True)
    ]
    return tuple(slice(start, min(start + side, size)) for start, size in zip(starts, space, strict=True))


def _colour(image: np.ndarray) -> np.ndarray:
    """A normalised image ``(C, y, x)`` in colour, ``(y, x, 3)`` uint8."""
    pixels = grey_or_colour(image)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)


def _outlined(pixels: np.ndarray, labels: np.ndarray, colour: tuple[int, ...]) -> Image.Image:
    """Pixels ``(y, x, 3)`` with the outlines of labels ``(y, x)``, as large as a picture of the sheet."""
    space = tuple(max(1, round(side * TILE / max(labels.shape))) for side in labels.shape)
    large = np.stack([nearest(channel, space) for channel in np.moveaxis(pixels, -1, 0)], -1)
    large[boundaries(nearest(labels, space))] = colour
    return Image.fromarray(large)
