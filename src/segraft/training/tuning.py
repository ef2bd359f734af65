"""Fine-tuning: what a run takes over from the model that ``init`` names, and what must agree with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from segraft.errors import Notice, UserError
from segraft.graphs.offsets import OFFSETS
from segraft.model import checkpoint, model_file
from segraft.model.config import ModelConfig, NetworkConfig
from segraft.networks.contract import Network
from segraft.settings import DistillSettings, TrainSettings

Settings = TypeVar("Settings", bound=TrainSettings)
TRAINED_FOR: dict[str, Callable[[ModelConfig], Any]] = {
    "percentiles": lambda config: config.percentiles,
    "offsets": lambda config: next((name for name, each in OFFSETS.items() if each == config.offsets), None),
}
"""What the weights were trained for, by setting: taken over unless told, and said where it is told otherwise."""
SHAPE: dict[str, Callable[[ModelConfig], Any]] = {
    "dim": lambda config: config.network.dim,
    "filters": lambda config: config.network.filters,
}
"""What decides the shapes of the weights, by setting: taken over unless told."""


def taken_over(settings: Settings) -> Settings:
    """The settings with those of the model that ``init`` names where none are given.

    Segmentation is not among them: the run measures the minimum size of its own objects, and a threshold that was tuned
    belongs to the weights that it was tuned with. Nor is anything of another network, which `begin` will refuse.
    """
    settings = _seeing_as_the_teacher(settings)
    wanted = TRAINED_FOR | SHAPE
    missing = [name for name in wanted if getattr(settings, name) is None]
    if settings.width is not None and "filters" in missing:
        missing.remove("filters")
    if settings.init is None or not missing:
        return settings
    _, config = checkpoint.read(settings.init)
    if config.network.name != settings.network:
        return settings
    return replace(settings, **{name: wanted[name](config) for name in missing})


def _seeing_as_the_teacher(settings: Settings) -> Settings:
    """The settings, whose images are scaled as the teacher's where nothing else is told: both see the same."""
    if settings.percentiles is not None or not isinstance(settings, DistillSettings):
        return settings
    teacher = settings.teaching_network
    return settings if teacher is None else replace(settings, percentiles=model_file.read_config(teacher).percentiles)


def begin(network: Network, init: Path, settings: TrainSettings, asked: NetworkConfig, available: int) -> None:
    """Begin with the weights of a model; a ``Notice`` says what it was trained for and will now see otherwise.

    ``asked`` is what the network was made of, ``available`` the number of channels that images have. Raises
    ``UserError`` for another network, with what to change.
    """
    before, config = checkpoint.restore(init)
    try:
        network.load_state_dict(before.state_dict())
    except RuntimeError as error:
        found = "; ".join(_mismatches(settings, asked, config, available))
        raise UserError(f"init: {init} does not fit: {found or 'it has other weights'}") from error
    for name, take in TRAINED_FOR.items():
        told, trained = getattr(settings, name), take(config)
        if told != trained and not settings.resume:
            notice = f"{name}: {_words(told)} in place of {_words(trained or 'none')}, with which {init} was trained"
            warnings.warn(Notice(notice), stacklevel=2)


def _mismatches(settings: TrainSettings, asked: NetworkConfig, config: ModelConfig, available: int) -> Iterator[str]:
    """What the model has and not what the settings ask for, each with the option that makes the two agree."""
    trained = config.network
    if trained.name != asked.name:
        option = "student" if isinstance(settings, DistillSettings) else "network"
        yield f"network {trained.name}, not {asked.name} (give --{option} {trained.name})"
    elif trained.filters != asked.filters:
        own = f"give --filters {_words(trained.filters)}" if trained.filters else "leave out --width and --filters"
        yield f"filters {_words(trained.filters)}, not {_words(asked.filters)} ({own})"
    if trained.dim != asked.dim:
        yield f"dim {trained.dim}, not {asked.dim} (give --dim {trained.dim})"
    if trained.in_channels != asked.in_channels:
        chosen = _choice(config, available)
        yield f"channels {trained.in_channels}, not {asked.in_channels} (choose with --channels {_words(chosen)})"


def _choice(config: ModelConfig, available: int) -> tuple[int, ...]:
    """As many channels as a model sees: its own if images have them, else the first, the last as often as needed."""
    if config.channels is not None and max(config.channels) < available:
        return config.channels
    return tuple(min(channel, available - 1) for channel in range(config.network.in_channels))


def _words(value: Any) -> str:
    """A value as it would be typed."""
    if value is None:
        return "its own"
    return " ".join(f"{item:g}" for item in value) if isinstance(value, tuple) else str(value)
