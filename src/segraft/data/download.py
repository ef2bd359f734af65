"""Downloading the public data sets into the layout that their readers open.

Downloads are resumed, checked, and unpacked beside their destination before they are renamed to it, so that folders
of a data set are always complete.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

from rich.console import Console

from segraft.errors import UserError
from segraft.files import replacing
from segraft.terminal.progress import receiving

TIMEOUT = 60
"""Seconds without a byte after which a download fails."""
CHUNK = 2**16
"""Bytes that are written at once; an incomplete chunk is not kept."""


@dataclass(frozen=True)
class Archive:
    """One file to download: a zip whose members go to a folder or, without a folder, the data itself."""

    url: str
    sha256: str
    folder: str | None = None
    ending: str = ""
    """Suffix of the members of the zip to unpack."""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, and its terms of use."""

    page: str
    terms: str
    archives: tuple[Archive, ...]


BROAD = "https://data.broadinstitute.org/bbbc"
CREMI = "https://cremi.org/static/data"
SOURCES = {
    "bbbc010": Source(
        "https://bbbc.broadinstitute.org/BBBC010",
        "cite Ljosa et al., Nature Methods 2012 and Wählby et al., Nature Methods 2012; the page states the licence",
        (
            Archive(
                f"{BROAD}/BBBC010/BBBC010_v2_images.zip",
                "77a82c74d12c0707e861d9b324b47e6a74e316aefe25a3501f596c7a80a0b4f4",
                "BBBC010_v2_images",
                ".tif",
            ),
            Archive(
                f"{BROAD}/BBBC010/BBBC010_v1_foreground_eachworm.zip",
                "19b7ceef05d4a21bb3eec9988ee0b61dd0eeb940fb690125f14bb5919ae8ae44",
                "BBBC010_v1_foreground_eachworm",
                ".png",
            ),
        ),
    ),
    "bbbc039": Source(
        "https://bbbc.broadinstitute.org/BBBC039",
        "public domain (CC0); cite Caicedo et al., Cytometry A 2019 and Ljosa et al., Nature Methods 2012",
        (
            Archive(
                f"{BROAD}/BBBC039/images.zip",
                "6f30a5d4fe38c928ded972704f085975f8dc0d65d9aa366df00e5a9d449fddd7",
                "images",
                ".tif",
            ),
            Archive(
                f"{BROAD}/BBBC039/masks.zip",
                "f9e6043d8ca56344a4886f96a700d804d6ee982f31e2b2cd3194af2a053c2710",
                "masks",
                ".png",
            ),
            Archive(
                f"{BROAD}/BBBC039/metadata.zip",
                "a2c1f900bed9ba92a99553efd4c2ae98598433691c7401d818653ab61110deb2",
                "metadata",
                ".txt",
            ),
        ),
    ),
    "cremi": Source(
        "https://cremi.org/data",
        "cite the CREMI challenge (cremi.org); the page states the terms",
        (
            Archive(
                f"{CREMI}/sample_A_20160501.hdf",
                "4c563d1b78acb2bcfb3ea958b6fe1533422f7f4a19f3e05b600bfa11430b510d",
            ),
            Archive(
                f"{CREMI}/sample_B_20160501.hdf",
                "887e85521e00deead18c94a21ad71f278d88a5214c7edeed943130a1f4bb48b8",
            ),
            Archive(
                f"{CREMI}/sample_C_20160501.hdf",
                "2874496f224d222ebc29d0e4753e8c458093e1d37bc53acd1b69b19ed1ae7052",
            ),
        ),
    ),
}
"""What can be downloaded.

The owners publish no checksums. These are published by others: many sources agree on those of BBBC039; those of CREMI
are torch-em's; those of BBBC010 have a single source.
"""
BY_HAND = {
    "ac34": "it is published in another layout: get AC3AC4Package.zip at https://lichtman.rc.fas.harvard.edu/vast, and "
    "export AC4_inputs, AC4_labels, AC3_inputs and AC3_labels as h5 or tif stacks",
    "cvppp": "its owners ask who uses it: sign up at https://www.plant-phenotyping.org/datasets-home, and unpack the "
    "folder A1 with plantNNN_rgb.png and plantNNN_label.png",
}
"""Data sets that cannot be downloaded, and what to do instead."""


def provide(archive: Archive, root: Path, console: Console) -> None:
    """Download an archive and unpack it, unless its folder or file exists. Raises ``UserError`` as ``fetch``."""
    if archive.folder is None:
        fetch(archive, root, console)
        return
    folder = root / archive.folder
    if folder.is_dir() and any(folder.iterdir()):
        console.print(f"{folder} is there already")
        return
    place = fetch(archive, root, console)
    with replacing(folder) as temporary:
        unpack(place, temporary, archive.ending)
    place.unlink()


def fetch(archive: Archive, root: Path, console: Console) -> Path:
    """Download one file to the root, unless it exists, and return its path.

    Raises ``UserError`` when it cannot be downloaded, and when it or an existing file has another checksum.
    """
    import pooch

    place = root / archive.name
    by_hand = f"or get {archive.url} by hand as {place}"
    if place.exists() and not pooch.hashes.hash_matches(str(place), archive.sha256):
        raise UserError(
            f"{place} exists but is not the official file (by its sha256); move it to another place, {by_hand}"
        )
    pooch.get_logger().setLevel("WARNING")
    part = root / f".{archive.name}.part"
    try:
        pooch.retrieve(archive.url, archive.sha256, archive.name, root, downloader=resuming(part, console, by_hand))
    except ValueError as error:
        other = by_hand if archive.folder is None else f"or unpack it by hand into {root / archive.folder}"
        raise UserError(
            f"{archive.url}: got another sha256, expected {archive.sha256}; the file is damaged or was replaced by its "
            f"owners, and was deleted; try again, {other}"
        ) from error
    return place


def resuming(part: Path, console: Console, otherwise: str) -> Callable[[str, str, Any], None]:
    """Return a downloader for pooch that keeps an incomplete download in ``part`` and continues it the next time."""

    def downloader(url: str, output_file: str, _: Any) -> None:
        import requests

        try:
            _receive(url, part, console)
        except requests.RequestException as error:
            kept = part.stat().st_size if part.exists() else 0
            reason = " ".join(str(error).split())
            raise UserError(
                f"{url} cannot be downloaded ({reason}); {kept} bytes are kept; check the connection and run the same "
                f"again to go on, {otherwise}"
            ) from error
        os.replace(part, output_file)

    return downloader


def _receive(url: str, part: Path, console: Console) -> None:
    """Append the missing bytes to ``part``, or download it anew where the server cannot send parts."""
    import requests

    begin = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if begin and response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{begin}":
                return  # it was complete
            part.unlink()
            response.close()
            _receive(url, part, console)
            return
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        _write(response, part, begin if resumed else 0, console)


def _write(response: Any, part: Path, begin: int, console: Console) -> None:
    """Write the body of a response to ``part`` from byte ``begin``, and show how much there is."""
    length = response.headers.get("Content-Length")
    total = None if length is None else begin + int(length)
    name = part.name.strip(".").removesuffix(".part")
    with open(part, "ab" if begin else "wb") as file, receiving(name, total, begin, console) as received:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            received(len(chunk))


def unpack(archive: Path, folder: Path, ending: str) -> None:
    """Unpack the members of a zip whose name has this ending into a new folder, without folders of their own."""
    folder.mkdir()
    with ZipFile(archive) as zipped:
        for member in zipped.infolist():
            path = PurePosixPath(member.filename)
            if path.suffix.lower() == ending and not path.name.startswith("."):
                with zipped.open(member) as packed, open(folder / path.name, "wb") as file:
                    shutil.copyfileobj(packed, file)
