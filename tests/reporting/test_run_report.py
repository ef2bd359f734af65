"""The page about one run: complete where it can be, and without what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from segraft.errors import UserError
from segraft.reporting.run_report import write_run_report
from shared.run_folders import make_run


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


@pytest.mark.parametrize("broken", ["config.yaml", "metrics.jsonl"])
def test_no_run_folder(tmp_path: Path, broken: str) -> None:
    run = make_run(tmp_path / "run")
    (run / broken).write_text("{\n")
    with pytest.raises(UserError, match=broken if broken == "config.yaml" else "no complete run folder"):
        write_run_report(run)
    (run / broken).unlink()
    with pytest.raises(UserError, match=broken):
        write_run_report(run)
