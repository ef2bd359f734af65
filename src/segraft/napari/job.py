"""Segmenting what a layer shows, without napari: choices, progress, an end on request, labels with their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError, out_of_memory
from segraft.labels.measured_objects import Row, table
from segraft.model.config import ModelConfig
from segraft.model.model import Model, load
from segraft.model.model_file import read_config, shipped
from segraft.model.object_size import fitted
from segraft.model.options import AUTO, PredictOptions
from segraft.model.tiling import tiles
from segraft.napari.watched import Watched


class Stopped(Exception):
    """The user ended the work."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a user chooses; None leaves it to the model, see ``Model.predict``."""

    model: str | Path
    """The name of a model in the package, a model file or a run folder."""
    foreground_threshold: float | None = None
    minimum_size: int | None = None
    tile: int | None = None
    object_size: float | str | None = None

    @property
    def options(self) -> PredictOptions:
        """The options of a prediction: all but the model. Raises ``UserError`` for what no model could do."""
        return PredictOptions(**{name: value for name, value in vars(self).items() if name != "model"})


@dataclass(frozen=True)
class Found:
    """What was found: labels of the shape of the layer, and a column for each measurement, ``index`` the ids."""

    labels: np.ndarray
    features: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        """How many objects."""
        return len(self.features["index"])


def path_of(model: str | Path) -> Path:
    """A model's name or path; ``UserError`` where nothing was given."""
    if not str(model).strip():
        raise UserError(f"model: got none, expected one of {', '.join(shipped())}, a model file or a run folder")
    return Path(model)


def size_of(text: str) -> float | str | None:
    """The size of objects that a user typed: a number, ``auto``, or nothing; ``UserError`` for anything else."""
    word = text.strip().lower()
    if word in ("", AUTO):
        return word or None
    try:
        return float(word)
    except ValueError as error:
        raise UserError(f"object size: got {text!r}, expected a diameter in pixels, or {AUTO}; change it") from error


def configuration(model: str | Path) -> ModelConfig:
    """What is stored with a model, without its weights; ``UserError`` where there is none."""
    return read_config(path_of(model))


class Job:
    """One piece of work, made to run in a thread of its own: `progress` and `stop` may be called from others.

    Parameters
    ----------
    data : grey values of a layer, ``(*space)``, with channels where the model sees several or the layer is ``rgb``, and
        further axes before them, whose planes are segmented one by one
    choices : of the user
    rgb : whether the last axis of the data is that of colours
    voxel_size : of the last axes in nm, as many as are known; if those of an image are, measurements are in µm
    """

    def __init__(self, data: Any, choices: Choices, rgb: bool = False, voxel_size: Sequence[float] = ()) -> None:
        self.data, self.choices, self.rgb, self.voxel_size = data, choices, rgb, voxel_size
        self._plane, self._planes, self._done, self._total, self._stopped = 0, 1, 0, 0, False

    @property
    def progress(self) -> float:
        """Part of the planes, and of the network's windows in the present one, that are done, 0 to 1."""
        part = min(self._done / self._total, 1.0) if self._total else 0.0
        return min((self._plane + part) / self._planes, 1.0)

    def stop(self) -> None:
        """End the work at the next window of the network."""
        self._stopped = True

    def run(self) -> Found | str:
        """Segment all of it; or say why not, in one line: it was ended, the choices do not fit, or the memory."""
        try:
            return self._run()
        except (Stopped, UserError) as error:
            return str(error)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return "the memory is too small for tiles of this size, expected smaller ones; set a tile"

    def _run(self) -> Found:
        path, options = path_of(self.choices.model), self.choices.options
        loaded = load(path)
        model = Model(Watched(loaded.runner, self._tell), loaded.config)
        options.check(model.runner, model.config)
        leading = self._leading(model)
        places = list(np.ndindex(leading))
        self._planes = len(places) or 1
        labels: np.ndarray | None = None
        rows: list[Row] = []
        names: list[str] = []
        for number, place in enumerate(places):
            image = model.channels_first(np.asarray(self.data[place]))
            found = self._segmented(model, image, options)
            self._plane, self._total = number + 1, 0
            self._check()
            measured = table(found, image, self._sizes(found.ndim))
            labels = np.zeros((*leading, *found.shape), np.uint32) if labels is None else labels
            labels[place] = np.where(found > 0, found + np.uint32(len(rows)), 0)  # ids of a stack are unique
            rows += [{**row, "id": len(rows) + k, **_named(place)} for k, row in enumerate(measured.rows, 1)]
            names = measured.names
        if labels is None:
            raise UserError("image: got a stack of no planes, expected one at least; choose another layer")
        return Found(labels, _columns(rows, [*names, *_named((0,) * len(leading))]))

    def _leading(self, model: Model) -> tuple[int, ...]:
        """The axes before those of one image."""
        axes = model.geometry.ndim + (self.rgb or model.geometry.in_channels > 1)
        shape = tuple(self.data.shape)
        if len(shape) < axes:
            raise UserError(
                f"image: got {len(shape)} axes, expected {axes} or more for a {model.geometry.ndim}-D model of "
                f"{model.geometry.in_channels} channels; choose another layer or model"
            )
        return shape[: len(shape) - axes]

    def _sizes(self, ndim: int) -> Sequence[float] | None:
        return None if len(self.voxel_size) < ndim else self.voxel_size[-ndim:]

    def _segmented(self, model: Model, image: np.ndarray, options: PredictOptions) -> np.ndarray:
        """Segment an image ``(C, *space)``, of which the windows are counted first."""
        options = fitted(model.segment, image, options, model.config)
        factors = options.factors(model.config, model.geometry.ndim)
        space = tuple(max(1, round(size * factor)) for size, factor in zip(image.shape[1:], factors, strict=True))
        tile = options.tile_shape(model.runner, model.config, space)
        self._done, self._total = 0, sum(1 for _ in tiles(space, tile, model.geometry, model.offsets))
        return model.segment(image, options)

    def _tell(self) -> None:
        self._check()
        self._done += 1

    def _check(self) -> None:
        if self._stopped:
            raise Stopped("stopped")


def _named(place: tuple[int, ...]) -> dict[str, int]:
    """The place of a plane in a stack, by axis."""
    return {f"axis_{axis}": index for axis, index in enumerate(place)}


def _columns(rows: list[Row], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of a table, as napari keeps them: ids are its ``index``, and what is not known is NaN."""
    columns = {name: np.array([np.nan if row[name] is None else row[name] for row in rows]) for name in names}
    return {"index": columns.pop("id").astype(np.int64), **columns}
