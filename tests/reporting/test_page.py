"""The page: complete, self-contained, true to its numbers, and written whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate, summarise
from segraft.model import checkpoint
from segraft.networks import create_network
from segraft.reporting import page as page_module
from segraft.reporting.page import Shown, write_report
from segraft.reporting.run_report import write_run_report
from segraft.run_folder import RunFolder
from segraft.types import Sample
from shared.models import a_config


def make_run(out: Path, **settings: object) -> Path:
    """A run folder as training leaves it, of a network with fresh weights."""
    torch.manual_seed(len(out.name))
    filters = (2, 2, 4)
    described = {"name": "resunet-tiny", "dim": 8, "filters": filters}
    config = a_config(described, segmentation={"foreground_threshold": 0.0})
    out.mkdir(parents=True)
    checkpoint.save(out / "model.safetensors", create_network("resunet-tiny", 1, 8, filters), config)
    (out / "config.yaml").write_text(yaml.safe_dump({"steps": 20, "monitor": "aji", "weights": {}} | settings))
    truth = np.array([[0, 1], [2, 2]])
    scores = summarise([evaluate(truth, truth)])
    lines = [
        {"step": 10, "seconds": 1.0, "affinity": 0.5, "foreground": 0.4},
        {"step": 10, "seconds": 1.5, "val": scores | {"aji": 0.25}},
        {"step": 20, "seconds": 2.0, "affinity": 0.25, "foreground": 0.2},
        {"step": 20, "seconds": 2.5, "val": scores | {"aji": 0.75}},
        {"step": 30, "seconds": 3.5, "val": scores | {"aji": 0.75}},
    ]
    (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def samples(count: int = 2) -> list[Sample]:
    generated = open_dataset("synthetic", None, "test", count=count, size=(64, 64))
    return [Sample(sample.image, sample.labels, f"cell <{k}>") for k, sample in enumerate(generated)]


def page_of(tmp_path: Path, **options: object) -> str:
    runs = {name: Shown.of_folder(make_run(tmp_path / name, seed=k)) for k, name in enumerate(("teacher", "student"))}
    scores = {name: summarise([evaluate(s.labels, s.labels) for s in samples()]) for name in runs}
    scores["student"]["aji"] = 0.5
    costs = {"parameters": {"teacher": "12,345", "student": "678 (1/18.2)"}}
    page = write_report(tmp_path / "out", runs, samples(), scores, costs, **options)
    assert page == tmp_path / "out" / "report.html"
    return page.read_text(encoding="utf-8")


def test_the_page_has_everything_and_fetches_nothing(tmp_path: Path) -> None:
    text = page_of(tmp_path, title="A & B", summary=["what <came> out"])
    assert "<title>A &amp; B</title>" in text
    assert "what &lt;came&gt; out" in text
    assert "cell &lt;1&gt;" in text
    assert "12,345" in text
    assert "678 (1/18.2)" in text
    assert (
        text.count("data:image/png;base64,") == 2 * (2 + 3 * 2) + 2
    )  # per sample: input, truth, 3 per model; 2 figures
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', text)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in text
    assert len(text) < 5e6


def test_the_better_score_is_bold(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    row = next(line for line in text.splitlines() if "<th>aji" in line)
    assert re.findall(r'<td class="number( best)?">([\d.]+)', row) == [(" best", "1.0000"), ("", "0.5000")]
    assert 'aji <span class="soft">↑' in row
    assert 'voi <span class="soft">↓' in text


def test_settings_that_differ_are_tinted(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    assert '<tr class="differs"><th>seed</th><td>0</td><td>1</td></tr>' in text
    assert "<tr><th>steps</th><td>20</td><td>20</td></tr>" in text


def test_only_some_samples_are_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    text = write_report(tmp_path, {"run": Shown.of_folder(run)}, samples(5), {}).read_text(encoding="utf-8")
    assert text.count("<h3>cell") == page_module.PICTURES


def test_the_report_of_a_run(tmp_path: Path, cells: Path) -> None:
    run = make_run(tmp_path / "student", dataset="folder", root=str(cells))
    page = write_run_report(run)
    text = page.read_text(encoding="utf-8")
    assert page == run / "report.html"
    assert "model kept from step 20" in text
    assert "0.7500" in text
    assert "multiply-adds (512 × 512)" in text
    assert 'alt="truth"' in text
    assert not list(run.glob(".*.part"))


def test_a_run_whose_images_are_gone_has_a_report_without_pictures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "student", dataset="folder", root=str(tmp_path / "gone"))
    text = write_run_report(run).read_text(encoding="utf-8")
    assert "What the models see" not in text
    assert "Curves" in text


def test_a_run_without_a_line_of_metrics(tmp_path: Path) -> None:
    run = make_run(tmp_path / "student", dataset="folder", root=None)
    (run / "metrics.jsonl").write_text("")
    text = write_run_report(run).read_text(encoding="utf-8")
    assert "Curves" not in text
    assert "parameters" in text


@pytest.mark.parametrize(("monitor", "step"), [("aji", 2), ("voi", 1)])
def test_the_kept_model_is_the_first_best(tmp_path: Path, monitor: str, step: int) -> None:
    history = [{"step": k, "val": {"aji": a, "voi": v}} for k, a, v in ((1, 0.1, 0.5), (2, 0.9, 0.6), (3, 0.9, 0.5))]
    folder = RunFolder(make_run(tmp_path / "run", monitor=monitor))
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in history))
    line = folder.best_validation()
    assert line is not None
    assert line["step"] == step
    folder.metrics.write_text("")
    assert folder.best_validation() is None


@pytest.mark.parametrize("broken", ["config.yaml", "metrics.jsonl"])
def test_no_run_folder(tmp_path: Path, broken: str) -> None:
    run = make_run(tmp_path / "run")
    (run / broken).write_text("{")
    with pytest.raises(UserError, match=broken if broken == "config.yaml" else "no complete run folder"):
        write_run_report(run)
    (run / broken).unlink()
    with pytest.raises(UserError, match=broken):
        write_run_report(run)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left"):
        write_report(tmp_path / "out", {"run": Shown.of_folder(run)}, [], {})
    assert not list((tmp_path / "out").iterdir())


def test_missing_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        page_module, "find_spec", lambda name: None if name == "jinja2" else importlib.util.find_spec(name)
    )
    assert not page_module.available()
    with pytest.raises(UserError, match=r"pip install 'segraft\[report\]'"):
        write_report(tmp_path, {}, [], {})
