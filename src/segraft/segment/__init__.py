"""From affinities to instances: every segmenter is ``(affinities, offsets, foreground=None, **settings)``."""

from collections.abc import Callable

import numpy as np

from segraft.segment.agglomerate import waterz
from segraft.segment.multicut import lifted_multicut, multicut
from segraft.segment.mutex import mutex_watershed

SEGMENTERS: dict[str, Callable[..., np.ndarray]] = {
    "mutex": mutex_watershed,
    "waterz": waterz,
    "multicut": multicut,
    "lifted-multicut": lifted_multicut,
}
__all__ = ["SEGMENTERS", "lifted_multicut", "multicut", "mutex_watershed", "waterz"]
