"""From affinities to instances: every segmenter is ``(affinities, offsets, foreground=None, **settings)``."""

from segraft.segment.mutex import mutex_watershed

SEGMENTERS = {"mutex": mutex_watershed}

__all__ = ["SEGMENTERS", "mutex_watershed"]
