"""Settings are checked when they are made, survive a configuration file, and are all used."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from segraft.coerce import make, plain
from segraft.errors import UserError
from segraft.losses import DISTILLERS
from segraft.run_folder import read_config
from segraft.settings import DEVICES, GROUPS, LOWEST, DistillSettings, TrainSettings
from segraft.weights import GRAPH_WEIGHTS, METHOD_WEIGHTS, SUPERVISED_WEIGHTS

SOURCE = Path(__file__).parent.parent / "src" / "segraft"
LEAST: dict[str, Any] = {"dataset": "folder", "out": "runs/x", "teacher": "runs/t"}


def made(**values: Any) -> DistillSettings:
    return make(DistillSettings, LEAST | values)


def attributes_of_settings() -> set[str]:
    """Names that any file reads as ``settings.name``, or the settings' own methods as ``self.name``."""
    read = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name == "settings":
                    read.add(node.attr)
            elif isinstance(node, ast.FunctionDef) and node.name in ("term_weights", "default_weights"):
                read |= {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
    return read


def test_every_setting_is_read() -> None:
    assert {item.name for item in fields(DistillSettings)} <= attributes_of_settings()


def test_every_setting_is_explained() -> None:
    for kind in (TrainSettings, DistillSettings):
        body = next(
            node
            for node in ast.parse((SOURCE / "settings.py").read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__
        ).body
        for item, text in pairwise(body):
            if isinstance(item, ast.AnnAssign):
                assert isinstance(text, ast.Expr), f"{ast.unparse(item)} has no text below it"


def test_settings_survive_a_configuration_file() -> None:
    settings = made(
        root="data", patch=[64, 32], rate=1e-5, weights={"affinity": 2, "inter_edge": 0.5}, channels=[0, 2], clip=None
    )
    again = make(DistillSettings, yaml.safe_load(yaml.safe_dump(plain(settings))))
    assert again == settings
    assert (again.root, again.patch, again.weights["affinity"]) == (Path("data"), (64, 32), 2.0)


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        made().steps = 3  # type: ignore[misc]


def test_a_number_that_yaml_takes_for_a_text() -> None:
    assert made(**yaml.safe_load("rate: 2e-3")).rate == 0.002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", "many"),
        ("steps", 1.5),
        ("steps", True),
        ("steps", None),
        ("rate", "fast"),
        ("rate", [1e-3]),
        ("rate", True),
        ("patch", 256),
        ("patch", "256"),
        ("patch", [256, "x"]),
        ("betas", [0.9]),
        ("betas", [0.9, 0.99, 0.999]),
        ("geometry", "flip"),
        ("weights", [1.0]),
        ("weights", {"affinity": "much"}),
        ("weights", {"affinity": None}),
        ("resume", 1),
        ("network", 3),
        ("out", 3),
    ],
)
def test_values_of_another_type(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^{name}: got .*, expected .*$"):
        made(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, lowest - 1) for name, lowest in LOWEST.items()),
        ("rate", 0.0),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("clip", 0.0),
        ("decay", float("nan")),
        ("betas", [0.9, 1.0]),
        ("betas", [-0.1, 0.9]),
        ("foreground_threshold", 1.5),
        ("foreground_threshold", float("nan")),
        ("scales", [0.0, 1.0]),
        ("scales", [2.0, 1.0]),
        ("scales", [1.0, float("inf")]),
        ("percentiles", [2.0, 1.0]),
        ("percentiles", [-1.0, 50.0]),
        ("weights", {"affinity": -1.0}),
        ("weights", {"affinity": float("nan")}),
    ],
)
def test_values_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"{name[:-1]}.*, expected") as caught:
        made(**{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("optimizer", "sgdd", "adamw"),
        ("schedule", "cosin", "cosine"),
        ("precision", "bf16", "bfloat16"),
        ("device", "gpu", "cuda"),
        ("monitor", "ajii", "aji"),
        ("method", "grap", "graph"),
        ("weights", {"intra_nod": 1.0}, "intra_node"),
        ("stepps", 10, "steps"),
    ],
)
def test_unknown_names_are_answered_with_the_known(name: str, value: Any, known: str) -> None:
    with pytest.raises(UserError, match=f"known: .*{known}"):
        made(**{name: value})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="got none for dataset, out;"):
        make(DistillSettings, {"steps": 3, "out": None})
    with pytest.raises(
        UserError, match="got neither a teacher nor labels of one, expected one of them; give --teacher"
    ):
        made(teacher=None)


def test_training_alone_knows_no_distillation() -> None:
    with pytest.raises(UserError, match="unknown setting 'teacher'"):
        make(TrainSettings, LEAST)
    with pytest.raises(UserError, match="unknown loss term 'intra_node'"):
        made(method="none", weights={"intra_node": 1.0})


def test_weights_of_equation_8() -> None:
    assert made().term_weights() == SUPERVISED_WEIGHTS | GRAPH_WEIGHTS
    assert GRAPH_WEIGHTS == {
        "intra_node": 0.1,
        "intra_edge": 0.1,
        "intra_affinity": 10.0,
        "inter_edge": 1.0,
        "inter_affinity": 1.0,
    }
    assert made(method="none").term_weights() == SUPERVISED_WEIGHTS
    assert made(weights={"affinity": 3.0}).term_weights()["affinity"] == 3.0


def test_every_method_has_weights() -> None:
    assert set(METHOD_WEIGHTS) == {*DISTILLERS, "none"}


def test_every_device_is_taken() -> None:
    for device in DEVICES:
        assert made(device=device).device == device


def test_configuration_from_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("steps: 12\n", encoding="utf-8")
    assert read_config(tmp_path) == read_config(tmp_path / "config.yaml") == {"steps": 12}


@pytest.mark.parametrize("content", [b"steps: [1", b"\xff\xfe\x00", b"", b"- 1\n- 2\n"])
def test_configurations_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml") as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


def test_configuration_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the configuration"):
        read_config(tmp_path / "nothing.yaml")


def test_names_of_the_first_version_are_understood(tmp_path: Path) -> None:
    old = {"memory": 8, "contrast": 3, "low": 2.0, "high": 99.0, "foreground": 0.4, "intensity": ["contrast"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old), encoding="utf-8")
    settings = made(**read_config(tmp_path))
    assert isinstance(settings, DistillSettings)
    assert (settings.bank_size, settings.bank_samples) == (8, 3)
    assert (settings.percentiles, settings.foreground_threshold) == ((2.0, 99.0), 0.4)
    assert settings.intensity == ("contrast",)


def test_every_setting_has_its_section_in_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {"config", *(item.name for item in fields(DistillSettings))}
