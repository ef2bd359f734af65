"""Images of nuclei that come with the package."""

from __future__ import annotations

from segraft.data.shipped import NUCLEI

CROPS = sorted((NUCLEI / "test" / "images").glob("*.png"))
"""Files of 256 × 256 grey pixels of 8 bits."""
