"""The page: complete, self-contained, true to its numbers, and written whole or not at all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.metrics.protocols import OURS, PAPER, beside
from segraft.metrics.scoring import evaluate, summarise
from segraft.reporting import page as page_module
from segraft.reporting.page import Shown, write_report
from segraft.types import Sample
from shared.run_folders import make_run


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


def test_the_papers_protocol_stands_beside_ours(tmp_path: Path) -> None:
    merged = np.array([[1, 1, 1, 1]]), np.array([[1, 1, 2, 2]])
    scores = beside(*({"run": summarise([evaluate(*merged, each)])} for each in (OURS, PAPER)))
    run = Shown.of_folder(make_run(tmp_path / "run"))
    lines = write_report(tmp_path, {"run": run}, [], scores).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("<tr><th>aji")]
    assert [re.findall(r"<th>([\w, ]+) <span.*>([\d.]+)</td>", row)[0] for row in rows] == [
        ("aji", "0.5000"),
        ("aji, protocol paper", "0.3333"),
    ]


def test_settings_that_differ_are_tinted(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    assert '<tr class="differs"><th>seed</th><td>0</td><td>1</td></tr>' in text
    assert "<tr><th>steps</th><td>20</td><td>20</td></tr>" in text


def test_only_some_samples_are_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    text = write_report(tmp_path, {"run": Shown.of_folder(run)}, samples(5), {}).read_text(encoding="utf-8")
    assert text.count("<h3>cell") == page_module.PICTURES


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
