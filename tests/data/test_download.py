"""Where data sets come from."""

from __future__ import annotations

import re

from segraft.data import DATASETS
from segraft.data.download import BY_HAND, SOURCES


def test_every_source_has_a_reader_and_a_checksum() -> None:
    assert set(SOURCES) | set(BY_HAND) == set(DATASETS) - {"folder", "neurites", "synthetic"}
    for source in SOURCES.values():
        for archive in source.archives:
            assert archive.url.startswith("https://")
            assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
            assert (archive.folder is None) != archive.name.endswith(".zip")
