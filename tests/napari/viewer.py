"""Use the plugin in a real viewer of napari, which needs a display; ``test_viewer.py`` starts this in its environment.

Writes a screenshot to the path that is given, and what it saw as one line of JSON. ``cells.h5`` lies beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

PATIENCE = 240
"""Seconds that a piece of work may take."""
SIZE = (1100, 720)


def wait(until: Callable[[], bool]) -> None:
    """Let the viewer work until something is so."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end, "it takes too long"
        QApplication.processEvents()
        time.sleep(0.02)


def rest() -> None:
    """Let the viewer draw."""
    end = time.monotonic() + 1
    wait(lambda: time.monotonic() > end)


def segment(widget: Any) -> str:
    """Press the button and wait; return what the widget says then."""
    widget.segment.native.click()
    wait(lambda: widget.job is None)
    return str(widget.said.value)


def use(viewer: napari.Viewer, picture: str, spoilt: str) -> dict[str, Any]:
    """All that a user does; returns what was seen."""
    viewer.window.resize(*SIZE)
    _, widget = viewer.window.add_plugin_dock_widget("segraft", "Segment objects")
    seen: dict[str, Any] = {"without image": segment(widget)}
    viewer.open_sample("segraft", "nuclei_touching")
    image = viewer.layers[0]
    image.scale, image.units, image.translate = (0.5, 0.5), ("um", "um"), (3, 4)
    seen["settings"] = [widget.foreground_threshold.value, widget.minimum_size.value, widget.about.value]
    seen["said"] = segment(widget)
    labels = viewer.layers[1]
    seen["layer"] = [type(labels).__name__, labels.name, str(labels.data.dtype), list(labels.data.shape)]
    seen["place"] = [labels.scale.tolist(), labels.translate.tolist(), [str(unit) for unit in labels.units]]
    seen["count"] = int(labels.data.max())
    areas = labels.features.set_index("index")["area_um2"]
    seen["areas fit"] = np.allclose(areas, np.bincount(labels.data.ravel())[1:] / 4)
    seen["columns"] = list(labels.features.columns)
    viewer.reset_view()
    rest()
    viewer.screenshot(picture, canvas_only=False, flash=False)
    seen["stopped"] = stopped(viewer, widget)
    widget.object_size.enabled, widget.object_size.value = True, "large"
    seen["typed"], widget.object_size.value = segment(widget), ""
    widget.model.value, widget.file.value = widget.model.choices[-1], spoilt
    seen["spoilt"] = [segment(widget), widget.file.visible]
    seen["layers"] = len(viewer.layers)
    seen["files"] = files(viewer, Path(picture).parent)
    return seen


def files(viewer: napari.Viewer, folder: Path) -> list[Any]:
    """Open an h5 file, and save the labels as outlines."""
    saved = viewer.layers[1].save(str(folder / "outlines.geojson"), plugin="segraft")
    opened = viewer.open(folder / "cells.h5", plugin="segraft")
    count = len(json.loads(Path(saved[0]).read_text(encoding="utf-8"))["features"])
    return [count, [[type(layer).__name__, layer.name, layer.scale.tolist()] for layer in opened]]


def stopped(viewer: napari.Viewer, widget: Any) -> list[Any]:
    """Begin with many planes, and cancel when the first is done."""
    widget.image.value = viewer.add_image(np.stack([viewer.layers[0].data] * 500), name="stack")
    widget.segment.native.click()
    wait(lambda: widget.job.progress > 0)
    rest()
    during = [widget.cancel.enabled, widget.segment.enabled, widget.progress.visible]
    widget.cancel.native.click()
    wait(lambda: widget.job is None)
    return [*during, widget.said.value, widget.cancel.enabled, widget.segment.enabled]


if __name__ == "__main__":
    opened = napari.Viewer()
    print(json.dumps(use(opened, *sys.argv[1:])))
    opened.close()
