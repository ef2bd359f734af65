"""What a run is made of: frozen dataclasses behind the command line, the Python functions and ``config.yaml``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from segraft.coerce import names_function
from segraft.errors import UserError, choose
from segraft.metrics.scores import choosing
from segraft.weights import METHOD_WEIGHTS, NEED_LABELS, SUPERVISED_WEIGHTS

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
DEVICES = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "mps": "mps"}
BY_DIMENSION: dict[int, dict[str, Any]] = {
    2: {
        "patch": (256, 256),
        "batch": 4,
        "offsets": "2d",
        "background": "object",
        "geometry": ("flip", "rotate90", "rotate", "scale", "elastic"),
        "intensity": ("brightness", "contrast", "gain", "gamma", "noise", "blur", "debris", "hot"),
        "blanks": 0.03,
    },
    3: {
        "patch": (53, 268, 268),
        "batch": 1,
        "offsets": "3d-long",
        "background": "separate",
        "geometry": ("flip", "rotate90", "rotate", "elastic", "misalign"),
        "intensity": ("brightness", "contrast", "noise", "missing", "defocus", "sections"),
        "blanks": 0.0,
    },
}
"""Defaults that differ between networks for images and for volumes."""
USUAL: dict[str, Any] = {"dim": 16}
"""Defaults that a model to start from may replace."""
SCHEDULES = {"cosine": "cosine", "constant": "constant"}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}
GROUPS: dict[str, tuple[str, ...]] = {
    "run": ("config", "out", "resume"),
    "data": ("dataset", "root", "options", "channels", "percentiles", "border"),
    "network": ("network", "teacher", "teacher_labels", "width", "filters", "latency", "image_size", "dim", "init"),
    "optimisation": (
        *("patch", "batch", "steps", "optimizer", "rate", "betas"),
        *("decay", "warmup", "schedule", "clip", "seed"),
    ),
    "losses": ("method", "weights", "offsets", "background", "bank_size", "bank_samples"),
    "unlabelled images": ("unlabelled", "unlabelled_part"),
    "cache": ("cache", "cache_folder", "cache_seed"),
    "augmentation": ("geometry", "intensity", "scales", "blanks"),
    "validation": (
        *("validate_every", "validation_images", "monitor", "patience"),
        *("foreground_threshold", "minimum_size", "tune"),
    ),
    "machine": ("device", "devices", "precision", "workers"),
}
"""Settings by what they are about: the sections of the help."""
LOWEST = {
    **dict.fromkeys(("steps", "batch", "dim", "width", "validate_every", "validation_images", "patience"), 1),
    **dict.fromkeys(("devices", "bank_size", "bank_samples", "cache"), 1),
    **dict.fromkeys(("warmup", "workers", "seed", "minimum_size", "decay", "border", "cache_seed"), 0),
}
"""Smallest values that make sense."""
Settings = TypeVar("Settings", bound="TrainSettings")
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Everything that decides how a network is trained on labels alone."""

    dataset: str
    """Name of the data set."""
    out: Path
    """Run folder to make."""
    root: Path | None = None
    """Folder of the data set."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the data set by name: ``density`` of the synthetic one, for example."""
    network: str = "resunet-tiny"
    """Network to train."""
    width: int | None = None
    """Filters per level as width × (1, 2, 4, 8, 16); not for mobilenet and mala."""
    filters: tuple[int, ...] | None = None
    """Filters per level, in place of those of ``init`` or the network's own."""
    dim: int | None = None
    """Channels of the embedding; by default those of ``init``, else 16."""
    channels: tuple[int, ...] | None = None
    """Image channels to use; all by default."""
    patch: tuple[int, ...] | None = None
    """Size of the training patches in pixels; by default 256 256, for volumes 53 268 268."""
    batch: int | None = None
    """Patches per step and device; by default 4, of volumes 1."""
    steps: int = 1500
    """Optimisation steps."""
    optimizer: str = "adam"
    """Optimiser: adam or adamw."""
    rate: float = 2e-3
    """Highest learning rate."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Decay of the optimiser's moments."""
    decay: float = 0.0
    """Weight decay."""
    warmup: int = 100
    """Steps over which the learning rate rises to its highest."""
    schedule: str = "cosine"
    """Learning rate afterwards: cosine (to zero) or constant."""
    clip: float | None = 10.0
    """Largest norm of the gradient."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weights of loss terms by name, in place of the defaults."""
    offsets: str | None = None
    """Affinities: 2d; 3d (nearest) or 3d-long (four distances per axis); by default ``init``'s, else 2d or 3d-long."""
    background: str | None = None
    """What two background pixels are to each other: one object, or separate (the default for volumes)."""
    border: int | None = None
    """For electron microscopy: background between objects, in pixels per side; what the truth leaves 0 is unknown. The
    model then fills what it did not segment."""
    geometry: tuple[str, ...] | None = None
    """Geometric augmentation; by default flip, rotate90, rotate, elastic and, of images scale, of volumes misalign."""
    intensity: tuple[str, ...] | None = None
    """Augmentation of intensities; by default all that images have, and most of what volumes have."""
    scales: tuple[float, float] = (0.8, 1.25)
    """Smallest and largest magnification that the geometric augmentation "scale" draws."""
    percentiles: tuple[float, float] | None = None
    """Percentiles of each image that become 0 and 1; by default those of ``init`` or the teacher, else the ends of what
    the blocks of an image show that hold more than noise."""
    blanks: float | None = None
    """Part of the training patches that show nothing but noise; by default 0.03, of volumes none."""
    foreground_threshold: float | None = None
    """Probability above which a pixel belongs to an object; by default the best of a few on the validation images."""
    minimum_size: int | None = None
    """Smaller segments join a touching larger one, or vanish; by default 10, in volumes 5 % of the median object, but
    never more than half of a small object (the 5th percentile)."""
    validate_every: int = 250
    """Steps between validations and checkpoints."""
    validation_images: int | None = None
    """Images to validate on; all by default."""
    monitor: str | None = None
    """Score on the validation images that chooses the best model: aji, pq, voi, ...; by default pq_pooled, of
    volumes of dense tissue voi."""
    patience: int | None = None
    """Validations without improvement after which training stops, counted from the first that finds an object; never by
    default."""
    tune: bool = True
    """At the end, search the settings of the segmentation that are best on the validation images, and store them; a
    foreground_threshold or minimum_size that is given stays."""
    seed: int = 0
    """Seed of everything random."""
    device: str = "auto"
    """Where to train: auto, cpu, cuda or mps."""
    devices: int = 1
    """Number of GPUs (or CPU processes), on all machines together; each has a batch of its own."""
    precision: str = "float32"
    """Arithmetic: float32, bfloat16 or float16 (mixed)."""
    workers: int = 1
    """Processes that prepare patches; 0 prepares them in the training process."""
    init: Path | None = None
    """Model to start from (fine-tuning)."""
    resume: bool = False
    """Continue the interrupted run in the run folder."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        for name, lowest in LOWEST.items():
            value = getattr(self, name, None)
            if value is not None and not lowest <= value < math.inf:
                raise UserError(f"{name}: got {value}, expected {lowest} or more")
        for name in ("rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"{name}: got {value}, expected more than 0")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"betas: got {self.betas}, expected two numbers from 0 to below 1")
        if not 0 < self.scales[0] <= self.scales[1] < math.inf:
            raise UserError(f"scales: got {self.scales}, expected two numbers above 0, the smaller one first")
        if self.percentiles is not None and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise UserError(f"percentiles: got {self.percentiles}, expected two numbers from 0 to 100, the lower first")
        if self.blanks is not None and not 0 <= self.blanks < 1:
            raise UserError(f"blanks: got {self.blanks}, expected a part of the patches, from 0 to below 1")
        if self.foreground_threshold is not None and not 0 <= self.foreground_threshold <= 1:
            raise UserError(f"foreground_threshold: got {self.foreground_threshold}, expected a probability, 0 to 1")
        self._check_names()

    def _check_names(self) -> None:
        for kind, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            choose(kind, getattr(self, kind), known)
        choose("device", self.device, DEVICES)
        if self.monitor is not None:
            choosing(self.monitor)
        for name, weight in self.weights.items():
            choose("loss term", name, self.default_weights())
            if not 0 <= weight < math.inf:
                raise UserError(f"weight of {name}: got {weight}, expected 0 or more")

    def for_dimension(self: Settings, ndim: int) -> Settings:
        """The same with defaults where nothing is given: ``USUAL``, and ``BY_DIMENSION`` for images (2) or volumes (3).

        Raises ``UserError`` for a patch of another dimension.
        """
        defaults = USUAL | BY_DIMENSION[ndim]
        missing = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        complete = replace(self, **missing)
        patch = required(complete.patch)
        if len(patch) != ndim or min(patch) < 1:
            raise UserError(
                f"patch: got {patch}, expected {ndim} positive sizes, as {self.network} sees {ndim} dimensions"
            )
        return complete

    def default_weights(self) -> dict[str, float]:
        """Weights of the loss terms unless ``weights`` says otherwise."""
        return dict(SUPERVISED_WEIGHTS)

    def term_weights(self) -> dict[str, float]:
        """Weight of every loss term by name."""
        return self.default_weights() | self.weights


@dataclass(frozen=True, kw_only=True)
class DistillSettings(TrainSettings):
    """The same for a student that learns from a teacher, too."""

    teacher: Path | None = None
    """Run folder or model file of the teacher; or module:function, a Python function that labels or embeds images."""
    teacher_labels: Path | None = None
    """Folder of label images that another program made of images with or without labels, in place of a teacher."""
    latency: float | None = None
    """Milliseconds that the student may take from an image to labels on this machine: the widest one that does is
    trained; in place of a width."""
    image_size: tuple[int, ...] | None = None
    """Size of that image in pixels; by default 520 696."""
    method: str = "graph"
    """Distillation: graph (this paper), the baselines at, spkd, rekd and biskd, or none."""
    bank_size: int = 32
    """Images that the memory bank holds (K)."""
    bank_samples: int = 12
    """Remembered images to compare with in each step (L)."""
    unlabelled: tuple[Path, ...] | None = None
    """Files, folders and globs of images without labels, which the student learns from as far as that needs none."""
    unlabelled_part: float = 0.5
    """Part of the patches that show these, from 0 to below 1; the others show images with labels."""
    cache: int | None = None
    """Patches in a pool that all steps draw from, for which the teacher is asked once; by default each step has new
    patches, and asks it again."""
    cache_folder: Path | None = None
    """Folder of the pool, which runs may share; by default "cache" in the run folder."""
    cache_seed: int = 0
    """Seed of the pool's patches; that of the run decides their order."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        choose("distillation method", self.method, METHOD_WEIGHTS)
        if (self.teacher is None) == (self.teacher_labels is None):
            got = "neither a teacher nor labels of one" if self.teacher is None else "both a teacher and labels of one"
            raise UserError(f"teacher: got {got}, expected one of them; give --teacher, or --teacher-labels")
        self._check_latency()
        super().__post_init__()
        self._check_unlabelled()

    def _check_latency(self) -> None:
        if self.latency is not None and (self.width is not None or self.filters is not None):
            raise UserError("got both a latency and a width or filters, expected one of them; omit the other")
        if self.latency is None and self.image_size is not None:
            raise UserError("got an image size without a latency, expected both; give --latency, too")

    def _check_unlabelled(self) -> None:
        if not 0 <= self.unlabelled_part < 1:
            got = f"unlabelled_part: got {self.unlabelled_part}"
            raise UserError(f"{got}, expected a part of the patches, from 0 to below 1: labels tell what is an object")
        weights = self.term_weights()
        if self.unlabelled is not None and not any(weights[name] for name in weights if name not in NEED_LABELS):
            raise UserError(
                f"unlabelled: got images without labels for the method {self.method}, all of whose terms need labels; "
                "expected one with others; choose another --method, or omit --unlabelled"
            )

    @property
    def teaching_network(self) -> Path | None:
        """The network that the student learns from; None where it learns from something else, or by no method."""
        return None if self.method == "none" or names_function(self.teacher) else self.teacher

    @property
    def teaching_function(self) -> str | None:
        """The Python function that the student learns from, ``module:function``; None where there is no such."""
        return str(self.teacher) if self.method != "none" and names_function(self.teacher) else None

    def default_weights(self) -> dict[str, float]:
        """Weights of Eq. 8 for the method's terms, beside the supervised ones."""
        return SUPERVISED_WEIGHTS | METHOD_WEIGHTS[self.method]


def required(value: Value | None) -> Value:
    """A setting that has a value by now, for ``for_dimension`` has filled it in."""
    assert value is not None
    return value
