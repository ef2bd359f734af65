"""Say what a model is, how it was trained and how it segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segraft.model import model_file
from segraft.model.model import load
from segraft.networks import EXTENTS


def info(path: str | Path) -> str:
    """Say what a model is, how it was trained and how it segments, as lines of text; with its card if it has one.

    Parameters
    ----------
    path : run folder, model file, or name of a model that comes with the package

    Raises ``UserError`` when there is no model.
    """
    model, file = load(path, device="cpu"), model_file.locate(path)
    extent = EXTENTS[model.geometry.ndim]
    parameters, macs = model.runner.complexity(model.geometry.input_size(extent))
    lines = {
        "file": f"{file} ({file.stat().st_size / 1e6:.2f} MB)",
        "run by": model.runner.engine,
        "parameters": f"{parameters:,}",
        "multiply-adds": f"{macs / 1e9:.3g} G for {' × '.join(map(str, extent))} pixels",
    }
    for section, values in model.config.to_dict().items():
        lines[section.replace("_", " ")] = _as_text(values)
    width = max(map(len, lines))
    text = "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items())
    card = model_file.card(file)
    return text if card is None else f"{text}\n\n{card.rstrip()}"


def _as_text(value: Any) -> str:
    """A part of a configuration as text."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_as_text(item)}" for name, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(_as_text, value)) + ")"
    return "–" if value is None else str(value)
