"""A small set of real nuclei that comes with the package, and a teacher of them; ``nuclei/SOURCE.md`` tells whence."""

from __future__ import annotations

from pathlib import Path

NUCLEI = Path(__file__).with_name("nuclei")
"""Folder of the images and label images, ``train/ val/ test/`` with ``images/`` and ``masks/``: crops of BBBC039."""
TEACHER_FILE = NUCLEI / "teacher.safetensors"
"""Model file of a network that was trained on other images of BBBC039."""
