"""The data of the model ``nuclei``: BBBC039 and fluorescence images of the Data Science Bowl 2018 in one folder.

    python docs/make_nuclei.py BBBC039 DSB2018 TEACHER OUT

BBBC039 and DSB2018 are folders of those data (the latter as ``train/ val/`` with ``images/`` and ``masks/``); OUT is
made: ``OUT/train``, all training images of both; ``OUT/val``, the validation images of the second and every third of
the first; and ``OUT/teacher.safetensors``, the teacher as it is but for how images are scaled: by what they show.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from segraft.data.bbbc039 import bbbc039
from segraft.files import make_folder
from segraft.images.writing import write_image
from segraft.model import model_file

EVERY = {"train": 1, "val": 3}
"""Which images of BBBC039 are taken, by split."""


def main(first: Path, second: Path, teacher: Path, out: Path) -> None:
    """Write the folder."""
    for split, every in EVERY.items():
        for kind in ("images", "masks"):
            make_folder(out / split / kind)
            for path in sorted((second / split / kind).iterdir()):
                shutil.copy(path, out / split / kind / f"dsb-{path.name}")
        for sample in bbbc039(first, split)[::every]:
            assert sample.labels is not None
            write_image(out / split / "images" / f"bbbc039-{sample.name}.tif", sample.image[0])
            write_image(out / split / "masks" / f"bbbc039-{sample.name}.tif", sample.labels.astype(np.uint16))
    shutil.copy(teacher, out / "teacher.safetensors")
    model_file.change(out / "teacher.safetensors", percentiles=None)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
