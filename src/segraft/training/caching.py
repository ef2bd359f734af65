"""The cache of ``distill --cache N``: N patches and what the teacher makes of them, made before the first step.

Three kinds of files: *patches*; *outputs* of a teacher (embedding and foreground); and *stages*, for methods that
compare those. Each kind has a folder of its own, named by a hash of everything that its contents depend on, so that
runs of all methods, seeds and pool sizes can share them. What is missing or damaged is made, patch by patch: an entry
depends on no other.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.files import write_text
from segraft.losses.distiller import Distiller
from segraft.model.torch_runner import find_device
from segraft.networks.contract import Network, meta_input, skeleton
from segraft.settings import DistillSettings, TrainSettings
from segraft.tensors import Output
from segraft.terminal.progress import messages, say, track
from segraft.training.entries import Entries
from segraft.training.function_teacher import FunctionTeacher
from segraft.training.mixture import Mixture
from segraft.training.module import teacher_output
from segraft.training.opening import rank
from segraft.training.patches import Patches
from segraft.training.pool import Pool

VERSION = version("segraft")
"""Another may augment otherwise; what it made is not taken."""
LARGEST = torch.finfo(torch.float16).max
"""What files hold of a teacher's output: float16 halves them, and rounds far below what a student learns."""
LABELS = "labels"
"""Name in files of what a teacher gives in place of an output."""


@dataclass(frozen=True)
class Caching:
    """A pool, and what is still to be made of it."""

    settings: DistillSettings
    pool: Pool
    patches: Patches | Mixture
    teacher: Network | FunctionTeacher | None
    space: tuple[int, ...]
    missing: Mapping[int, tuple[Entries, ...]]

    def make(self) -> None:
        """Make what is missing. Raises ``UserError`` for a full disk; what is made by then is kept."""
        for part in self.pool.parts:
            part.sweep()
        if not self.missing:
            return
        device = find_device(self.settings.device)
        if self.teacher is not None:
            self.teacher.to(device)
        for part in self.pool.parts:
            write_text(part.folder / "about.json", json.dumps(self._about(), indent=2) + "\n")
        for number, parts in track(tuple(self.missing.items()), "cache", messages()):
            first = self.pool.parts[0]
            parts = tuple(part for part in parts if not part.sound(number))  # another run may have made it
            if first in parts:
                image, *labels = self.patches[number]
                kinds = zip(first.names[1:], labels, strict=True)
                first.write(number, {"image": image, **{name: each.int() for name, each in kinds}})
            taught = [part for part in parts if part is not first]
            if taught:
                image, *_ = first.read(number)
                tensors = self._taught(image.to(device))
                for part in taught:
                    part.write(number, tensors)

    def _taught(self, image: Tensor) -> dict[str, Tensor]:
        """What the teacher makes of an image ``(C, *patch)``, by name: maps as float16, labels as int32."""
        assert self.teacher is not None
        image = image.unsqueeze(0)
        if image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        dtype = getattr(torch, self.settings.precision)
        with torch.autocast(image.device.type, dtype, enabled=dtype != torch.float32):
            output = teacher_output(self.teacher, image, self.space)
        if isinstance(output, Tensor):
            return {LABELS: output[0].to("cpu", torch.int32)}
        return {name: self._narrow(tensor) for name, tensor in named(output).items()}

    def _narrow(self, maps: Tensor) -> Tensor:
        largest = float(maps.abs().max())
        if not largest <= LARGEST:
            raise UserError(
                f"cache: the teacher {self.settings.teacher} gives values up to {largest:.3g}, expected at most "
                f"{LARGEST:.0f}, which is what its files hold; train without --cache"
            )
        return maps[0].to("cpu", torch.float16)

    def _about(self) -> dict[str, Any]:
        """What a person who finds the folder wants to know."""
        settings = self.settings
        return {
            "made by": f"segraft distill --cache, version {VERSION}",
            "dataset": settings.dataset,
            "teacher": str(settings.teacher or settings.teacher_labels),
            "precision": settings.precision,
            "patch": list(self.patches.patch),
            "seed": settings.cache_seed,
        }


def named(output: Output) -> dict[str, Tensor]:
    """The tensors of an output by the names that they have in files."""
    stages = {f"stage{number}": stage for number, stage in enumerate(output.stages)}
    return {"embedding": output.embedding, "foreground": output.foreground, **stages}


def open_cache(
    settings: TrainSettings,
    patches: Patches | Mixture,
    student: Network,
    distiller: Distiller | None,
    teacher: Network | FunctionTeacher | None,
) -> Caching | None:
    """The cache that the settings ask for, as far as it is there; None where they ask for none.

    Says what is there. Raises ``UserError`` where the disk has too little space for the rest; writes nothing.
    """
    if not isinstance(settings, DistillSettings) or settings.cache is None:
        return None
    patches = patches.drawn_by(settings.cache_seed)
    space = tuple(size - 2 * lost for size, lost in zip(patches.patch, student.geometry.margin, strict=True))
    folder = settings.cache_folder or settings.out / "cache"
    key = [VERSION, patches.fingerprint()]
    kinds = ("labels", "taught") if patches.taught else ("labels",)
    parts = [Entries(folder / f"patches-{_hash(key)}", ("image", *kinds))]
    sizes = [4 * (len(kinds) + student.geometry.in_channels) * math.prod(patches.patch)]
    if teacher is not None and distiller is not None:
        tensors = _shapes(teacher, space)
        wanted: dict[str, tuple[str, ...]] = {
            "outputs": (LABELS,) if LABELS in tensors else ("embedding", "foreground")
        }
        if distiller.compares_stages:
            wanted["stages"] = tuple(name for name in tensors if name not in wanted["outputs"])
        key += [_fingerprint(teacher), settings.precision, str(space)]
        parts += [Entries(folder / f"{kind}-{_hash(key)}", names) for kind, names in wanted.items()]
        sizes += [sum(_width(name) * math.prod(tensors[name]) for name in names) for names in wanted.values()]
    missing = _missing(parts, settings.cache)
    needed = sum(sizes[parts.index(part)] for lacking in missing.values() for part in lacking)
    _check_space(folder, needed, settings.cache)
    if not rank():
        _tell(parts, missing, settings.cache, folder, needed)
    return Caching(settings, Pool(parts, settings.cache, settings.seed), patches, teacher, space, missing)


def _width(name: str) -> int:
    """Bytes of each of a tensor's numbers."""
    return 4 if name == LABELS else 2


def _shapes(teacher: Network | FunctionTeacher, space: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of a teacher's tensors for one patch, of which ``space`` is asked; computes nothing."""
    if isinstance(teacher, FunctionTeacher):
        return teacher.shapes(space)
    window = teacher.geometry.input_size(space)
    with torch.no_grad():
        output = skeleton(teacher).features(meta_input(teacher, window))
    maps = {name: (tensor.shape[1], *space) for name, tensor in named(output._replace(stages=())).items()}
    return maps | {name: tuple(each.shape[1:]) for name, each in named(output).items() if name not in maps}


def _missing(parts: Iterable[Entries], size: int) -> dict[int, tuple[Entries, ...]]:
    """Which parts of which entries are not there, or not as they were written."""
    lacking = {number: tuple(part for part in parts if not part.sound(number)) for number in range(size)}
    return {number: each for number, each in lacking.items() if each}


def _check_space(folder: Path, needed: int, size: int) -> None:
    """Refuse to begin what the disk does not hold."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"cache: {size} patches need {needed / 1e9:.1f} GB more in {folder}, of which {free / 1e9:.1f} GB are "
            "free; lower --cache, make room, or choose another --cache-folder"
        )


def _tell(parts: Iterable[Entries], missing: Mapping[int, tuple], size: int, folder: Path, needed: int) -> None:
    """Say what is there, what will be made, and what was damaged."""
    damaged = [
        part.path(number) for number, lacking in missing.items() for part in lacking if part.path(number).exists()
    ]
    if damaged:
        say(f"cache: {len(damaged)} files are damaged and are made again, {damaged[0]} for example")
    made = f", {len(missing)} are made now ({needed / 1e9:.2g} GB)" if missing else ""
    say(f"cache: {size - len(missing)} of {size} patches are in {folder}{made}")


def _hash(key: Iterable[str]) -> str:
    """A short name for what files depend on."""
    return hashlib.sha256("\n".join(key).encode()).hexdigest()[:12]


def _fingerprint(network: nn.Module) -> str:
    """A hash of a network: what it computes, not the choices that a model file has beside the weights."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
