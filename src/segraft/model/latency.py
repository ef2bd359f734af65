"""The widest student that is fast enough on this machine."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from segraft.errors import UserError
from segraft.model.benchmarking import SIZES, scene, timed
from segraft.model.config import ModelConfig, NetworkConfig
from segraft.model.model import Model
from segraft.networks import WITH_A_WIDTH, pyramid
from segraft.types import Space

WIDEST = 64
"""Width beyond which no student is looked for: that of NestedUNet."""
REPEATS = 3
"""Predictions that are timed of each width, after one that is not."""


@dataclass
class Widths:
    """Times from array to labels of the widths of a family of networks, each measured when it is asked for.

    Their networks have fresh weights; what they find is replaced, off the clock, by the ideal result.
    """

    name: str
    """Network, one of ``WITH_A_WIDTH``."""
    in_channels: int
    dim: int
    size: Space
    """Of the image, in pixels."""
    device: str = "auto"
    seconds: dict[int, float] = field(default_factory=dict)
    """What was measured: the median, by width."""

    def __post_init__(self) -> None:
        """Refuse networks without widths, and sizes that are none."""
        if self.name not in WITH_A_WIDTH:
            raise UserError(
                f"latency: got {self.name}, expected a network that has widths to choose from, "
                f"{', '.join(WITH_A_WIDTH)}; omit it"
            )
        if len(self.size) != len(SIZES[2]) or min(self.size) < 1:
            raise UserError(f"image size: got {self.size}, expected two positive sizes, 520 696 for example")

    def of(self, width: int) -> float:
        """Seconds from an image to labels at a width."""
        if width not in self.seconds:
            from segraft.model.torch_runner import fresh

            described = NetworkConfig(self.name, self.in_channels, self.dim, pyramid(self.name, width))
            runner = fresh(self.name, self.in_channels, self.device, described.filters, self.dim)
            model = Model(runner, ModelConfig.usual(described, runner.geometry.ndim))
            image = scene(self.size, self.in_channels)
            runs = [timed(model, image, trained=False)["total"] for _ in range(1 + REPEATS)][1:]
            self.seconds[width] = statistics.median(runs)
        return self.seconds[width]

    def widest(self, limit: float) -> int:
        """The largest width that takes at most ``limit`` seconds, up to ``WIDEST``.

        Raises ``UserError`` where not even the narrowest does.
        """
        if not self.of(1) <= limit:
            raise UserError(
                f"latency: got {limit * 1e3:g} ms, expected more, for the narrowest {self.name} takes "
                f"{self.of(1) * 1e3:.0f} ms here for {' × '.join(map(str, self.size))} pixels; give more, or "
                "export the student (segraft export)"
            )
        fits, beyond = 1, 2
        while beyond <= WIDEST and self.of(beyond) <= limit:
            fits, beyond = beyond, 2 * beyond
        beyond = min(beyond, WIDEST + 1)
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            fits, beyond = (middle, beyond) if self.of(middle) <= limit else (fits, middle)
        return fits
