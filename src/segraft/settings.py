"""What a run is made of: frozen dataclasses behind the command line, the Python functions and ``config.yaml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from segraft.coerce import typed
from segraft.errors import UserError, choose
from segraft.metrics.scores import choosing

SUPERVISED_WEIGHTS = {"affinity": 1.0, "foreground": 1.0}
GRAPH_WEIGHTS = {
    "intra_node": 0.1,
    "intra_edge": 0.1,
    "intra_affinity": 10.0,
    "inter_edge": 1.0,
    "inter_affinity": 1.0,
}
"""Weights of Eq. 8."""
METHOD_WEIGHTS: dict[str, dict[str, float]] = {
    "graph": GRAPH_WEIGHTS,
    # β of RepDistiller's script
    "at": {"attention": 1000.0},
    # γ = 3000 of RepDistiller's script is for batches of 64; the term shrinks as 1 / batch, ours have 4 images
    "spkd": {"similarity": 190.0},
    # REVIEWKD_LOSS_WEIGHT of the authors' Mask R-CNN students: 1 for MobileNetV2 and ResNet-50, 1.5 for ResNet-18
    "rekd": {"review": 1.0},
    # node_weight, edge_weight and affinity_weight of the authors' configuration for CREMI (for CVPPP: 0.1, 0.1, 20)
    "biskd": {"intra_node": 0.1, "intra_edge": 0.1, "intra_affinity": 10.0},
    "none": {},
}
"""Published weights of each method's terms."""
PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
DEVICES = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "mps": "mps"}
BY_DIMENSION: dict[int, dict[str, Any]] = {
    2: {
        "patch": (256, 256),
        "batch": 4,
        "monitor": "aji",
        "offsets": "2d",
        "background": "object",
        "geometry": ("flip", "rotate90", "rotate", "scale", "elastic"),
        "intensity": ("brightness", "contrast", "gamma", "noise", "blur"),
    },
    3: {
        "patch": (53, 268, 268),
        "batch": 1,
        "monitor": "voi",
        "offsets": "3d-long",
        "background": "separate",
        "geometry": ("flip", "rotate90", "rotate", "elastic", "misalign"),
        "intensity": ("brightness", "contrast", "noise", "missing", "defocus", "sections"),
    },
}
"""Defaults that differ between networks for images and for volumes."""
SCHEDULES = {"cosine": "cosine", "constant": "constant"}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}
LOWEST = {
    **dict.fromkeys(("steps", "batch", "dim", "width", "validate_every", "validation_images", "patience"), 1),
    **dict.fromkeys(("devices", "memory", "contrast"), 1),
    **dict.fromkeys(("warmup", "workers", "seed", "minimum_size", "decay", "border"), 0),
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
    """Filters per level, in place of the network's own."""
    dim: int = 16
    """Channels of the embedding."""
    channels: tuple[int, ...] | None = None
    """Image channels to use; all by default."""
    patch: tuple[int, ...] | None = None
    """Size of the training patches in pixels; by default 256 256, for volumes 53 268 268."""
    batch: int | None = None
    """Patches per step; by default 4, of volumes 1."""
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
    """Affinities: 2d; 3d (nearest) or 3d-long (four distances per axis, the default for volumes)."""
    background: str | None = None
    """What two background pixels are to each other: one object, or separate (the default for volumes)."""
    border: int | None = None
    """For electron microscopy: background between objects, in pixels per side; what the truth leaves 0 is unknown."""
    geometry: tuple[str, ...] | None = None
    """Geometric augmentation; by default flip, rotate90, rotate, elastic and, of images scale, of volumes misalign."""
    intensity: tuple[str, ...] | None = None
    """Augmentation of intensities; by default all that images have, and most of what volumes have."""
    low: float = 1.0
    """Percentile of each image that becomes 0."""
    high: float = 99.8
    """Percentile of each image that becomes 1."""
    foreground: float = 0.5
    """Probability above which a pixel belongs to an object."""
    minimum_size: int | None = None
    """Smaller segments join a touching larger one, or vanish; by default 5 % of the median training object."""
    validate_every: int = 250
    """Steps between validations and checkpoints."""
    validation_images: int | None = None
    """Images to validate on; all by default."""
    monitor: str | None = None
    """Score on the validation images that chooses the best model; by default aji, for volumes voi."""
    patience: int | None = None
    """Validations without improvement after which training stops; never by default."""
    seed: int = 0
    """Seed of everything random."""
    device: str = "auto"
    """Where to train: auto, cpu, cuda or mps."""
    devices: int = 1
    """Number of GPUs (or CPU processes)."""
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
                raise UserError(f"{name} is {value}; wanted {lowest} or more")
        for name in ("rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"{name} is {value}; wanted more than 0")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"betas are {self.betas}; wanted two numbers from 0 to below 1")
        if not 0 <= self.foreground <= 1:
            raise UserError(f"foreground is {self.foreground}; wanted a probability, 0 to 1")
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("schedule", self.schedule, SCHEDULES)
        choose("precision", self.precision, PRECISIONS)
        choose("device", self.device, DEVICES)
        if self.monitor is not None:
            choosing(self.monitor)
        for name, weight in self.weights.items():
            choose("loss term", name, self.default_weights())
            if not 0 <= weight < math.inf:
                raise UserError(f"the weight of {name} is {weight}; wanted 0 or more")

    def for_dimension(self: Settings, ndim: int) -> Settings:
        """The same settings with the defaults of ``BY_DIMENSION`` for images (2) or volumes (3) where none is given."""
        missing = {name: value for name, value in BY_DIMENSION[ndim].items() if getattr(self, name) is None}
        complete = replace(self, **missing)
        patch = given(complete.patch)
        if len(patch) != ndim or min(patch) < 1:
            raise UserError(f"patch is {patch}; wanted {ndim} positive sizes, as {self.network} sees {ndim} dimensions")
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

    teacher: Path
    """Run folder or model file of the teacher."""
    method: str = "graph"
    """Distillation: graph (this paper), the baselines at, spkd, rekd and biskd, or none."""
    memory: int = 32
    """Images that the memory bank holds."""
    contrast: int = 12
    """Remembered images to compare with in each step."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        choose("distillation method", self.method, METHOD_WEIGHTS)
        super().__post_init__()

    def default_weights(self) -> dict[str, float]:
        """Weights of Eq. 8 for the method's terms, beside the supervised ones."""
        return SUPERVISED_WEIGHTS | METHOD_WEIGHTS[self.method]


def given(value: Value | None) -> Value:
    """A setting that has a value by now, for ``for_dimension`` has filled it in."""
    assert value is not None
    return value


def make(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings of a kind from plain values, such as those of a ``config.yaml``.

    Raises ``UserError`` for an unknown name, a missing one, and a value of another type.
    """
    known, hints = {item.name: item for item in fields(kind)}, get_type_hints(kind)
    for name in values:
        choose("setting", name, known)
    required = [name for name, item in known.items() if item.default is MISSING and item.default_factory is MISSING]
    missing = [name for name in required if values.get(name) is None]
    if missing:
        options = ", ".join(f"--{name}" for name in missing)
        raise UserError(f"settings came without {', '.join(missing)}; give {options}, or a configuration that has them")
    return kind(**{name: typed(name, hints[name], value) for name, value in values.items()})


def plain(settings: TrainSettings) -> dict[str, Any]:
    """Settings as YAML and JSON know them."""
    return {name: _plain(value) for name, value in asdict(settings).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def read_config(path: Path) -> dict[str, Any]:
    """Values of a recorded run, ``config.yaml`` or the folder that holds it."""
    path = Path(path)
    path = path / "config.yaml" if path.is_dir() else path
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read the configuration {path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings; wanted lines like 'steps: 1500'")
    return values
