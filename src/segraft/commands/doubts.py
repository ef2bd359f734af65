"""What a prediction says of images whose result may be wrong, though nothing failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from segraft.files import some
from segraft.images.normalisation import Scale
from segraft.images.signal import shows
from segraft.images.voxel_size import alike, in_nm
from segraft.model.config import ModelConfig


@dataclass
class Doubts:
    """Names of images, by what is doubtful of them."""

    empty: list[str] = field(default_factory=list)
    """No object was found."""
    noise: list[str] = field(default_factory=list)
    """Nothing but noise is to be seen."""
    sizes: list[str] = field(default_factory=list)
    """The file tells another pixel size than that of the training images, and the user does not."""
    seen: int = 0

    def look(self, name: str, image: np.ndarray, labels: np.ndarray, scale: Scale) -> None:
        """Look at an image ``(C, *space)``, its labels and how its grey values were mapped."""
        self.seen += 1
        if not labels.any():
            self.empty.append(name)
        if not (any(map(shows, image)) if scale.signal is None else scale.signal):
            self.noise.append(name)

    def compare(self, name: str, stored: Sequence[float] | None, config: ModelConfig) -> None:
        """Compare the pixel size that a file tells, nm per axis, with that of the training images."""
        trained = config.voxel_size
        if stored and trained and len(stored) == len(trained) and not alike(stored, trained):
            self.sizes.append(f"{name} ({in_nm(stored)})")

    def lines(self, config: ModelConfig) -> list[str]:
        """One line for each kind of doubt."""
        lines = []
        if self.empty:
            lines.append(
                f"nothing found in {len(self.empty)} of {self.seen} images: {some(self.empty)}; where there should be, "
                "look at channel and pixel size, or lower --foreground-threshold"
            )
        if self.noise:
            lines.append(f"no more contrast than noise in {len(self.noise)} of {self.seen} images: {some(self.noise)}")
        if self.sizes:
            lines.append(
                f"other pixels than the training's {in_nm(config.voxel_size or ())}: {some(self.sizes)}; "
                "give --voxel-size to resize them"
            )
        return lines
