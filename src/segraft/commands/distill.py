"""Train a student on labels and on a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model.benchmarking import SIZES
from segraft.model.latency import Widths
from segraft.model.model import Model
from segraft.model.model_file import read_config
from segraft.settings import USUAL, DistillSettings
from segraft.terminal.progress import say
from segraft.training.recorded import settings_of
from segraft.training.run import run


def distill(dataset: str | None = None, *, config: str | Path | None = None, **settings: Any) -> Model:
    """Train a student on labels and on a teacher's graphs (Eq. 8); see ``DistillSettings`` for all settings.

    As ``train``; ``teacher`` is a run folder, a model file or ``module:function``, ``student`` the network's name.
    """
    if "student" in settings:
        settings["network"] = settings.pop("student")
    return run(_fast_enough(settings_of(DistillSettings, dataset, config, settings)))


def _fast_enough(settings: DistillSettings) -> DistillSettings:
    """The settings with the width that a latency stands for; say what was chosen, and measured."""
    if settings.latency is None:
        return settings
    if settings.devices > 1:
        raise UserError(
            f"got a latency and {settings.devices} devices, expected 1, for each would measure a width of its own; "
            "give the --width that one finds"
        )
    channels = _channels(settings)
    size = settings.image_size or SIZES[2]
    widths = Widths(settings.network, channels, settings.dim or int(USUAL["dim"]), size, settings.device)
    width = widths.widest(settings.latency / 1e3)
    times = ", ".join(f"{each}: {seconds * 1e3:.0f} ms" for each, seconds in sorted(widths.seconds.items()))
    say(
        f"latency: {settings.network} of width {width} is the widest within {settings.latency:g} ms for "
        f"{' × '.join(map(str, size))} pixels; measured here, from array to labels in PyTorch: {times}"
    )
    return replace(settings, width=width, latency=None, image_size=None)


def _channels(settings: DistillSettings) -> int:
    """How many channels the student sees: those of its teacher, or else of its images."""
    if settings.teaching_network is not None:
        return read_config(settings.teaching_network).network.in_channels
    if settings.channels is not None:
        return len(settings.channels)
    return len(open_dataset(settings.dataset, settings.root, "train", **settings.options)[0].image)
