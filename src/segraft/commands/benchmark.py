"""Measure what a model costs and print it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from segraft.model.benchmarking import measure
from segraft.terminal.tables import print_table


def rows(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Text by what is measured, then by name; the first of ``results`` is what the others are compared with."""
    reference = next(iter(results.values()))
    size = " × ".join(map(str, reference["size"]))
    measured: dict[str, tuple[str, Callable[[float], str]]] = {
        "parameters": ("parameters", "{:,}".format),
        f"multiply-adds ({size})": ("macs", lambda macs: f"{macs / 1e9:.3g} G"),
        "model file": ("file", lambda size: f"{size / 1e6:,.2f} MB"),
        "preparation": ("preparation", _milliseconds),
        "network": ("network", _milliseconds),
        "post-processing": ("postprocessing", _milliseconds),
        "array to labels": ("total", _milliseconds),
        "peak memory": ("memory", lambda size: f"{size / 2**20:,.0f} MiB"),
    }
    engines = {"run by": {name: result["engine"] for name, result in results.items()}}
    return engines | {
        label: {name: _compared(result[key], reference[key], as_text) for name, result in results.items()}
        for label, (key, as_text) in measured.items()
        if all(result[key] is not None for result in results.values())
    }


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def _compared(value: float | int, reference: float | int, as_text: Callable[[float], str]) -> str:
    """A value, with its ratio to that of the reference where they differ by 5 % or more."""
    if not value or not reference or 0.95 < value / reference < 1.05:
        return as_text(value)
    ratio = f"1/{reference / value:.3g}" if value < reference else f"{value / reference:.3g} ×"
    return f"{as_text(value)} ({ratio})"


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """The same for the terminal."""
    shown = Table("", *results, title=None)
    for label, cells in rows(results).items():
        shown.add_row(label, *(cells[name] for name in results))
    return shown


def benchmark(
    subject: str | Path,
    *,
    against: str | Path | None = None,
    size: Sequence[int] | None = None,
    repeats: int = 5,
    threads: int | None = None,
    device: str = "auto",
) -> dict[str, dict[str, Any]]:
    """Measure what a model costs, print it as a table, and return what ``measure`` returned, by name.

    Parameters
    ----------
    subject : run folder, model file, or name of a network (which then has fresh weights)
    against : another one that it is compared with
    size : of the generated image to segment, in pixels; by default 520 696, for volumes 64 192 192
    repeats : predictions that are timed, after one that is not; the median counts
    threads : of the CPU; all by default
    device : auto, cpu, cuda or mps

    Raises ``UserError`` as ``measure``.
    """
    subjects = [name for name in (against, subject) if name is not None]
    results = {str(name): measure(name, size, repeats=repeats, threads=threads, device=device) for name in subjects}
    print_table(table(results))
    print(*notes(results), sep="\n")
    return results


def notes(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a reader of the numbers must know."""
    first = next(iter(results.values()))
    untrained = [name for name, result in results.items() if not result["trained"]]
    size = " × ".join(map(str, first["size"]))
    image = "generated image" if first["generated"] else "image"
    devices = first["device"]
    if any(result["device"] != devices for result in results.values()):
        devices = ", ".join(f"{result['device']} ({name})" for name, result in results.items())
    lines = []
    if first["total"] is not None:
        lines.append(f"Times are medians for one {image}, {size} pixels, on {devices} with {first['threads']} threads.")
        lines.append("They mean little while the machine is busy with something else.")
    lines += [
        f"{name} finds {result['objects']} objects in that image."
        for name, result in results.items()
        if result["trained"] and result["objects"] is not None
    ]
    if untrained:
        lines.append(
            f"Without training: {', '.join(untrained)}. Post-processing is timed on the output of an ideal network."
        )
    if len(results) > 1:
        lines.append(f"In brackets: in proportion to {next(iter(results))}.")
    return lines
