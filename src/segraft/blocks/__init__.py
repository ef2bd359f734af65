"""Images and volumes beyond memory: predicted block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segraft.blocks.prediction import predict

__all__ = ["predict"]


def __getattr__(name: str) -> Any:
    """Import the public functions when they are used: Dask and the readers take a second."""
    if name in __all__:
        from segraft.blocks import prediction

        return getattr(prediction, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
