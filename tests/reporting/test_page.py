"""The page: complete, self-contained, true to its numbers, and written whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.metrics.protocols import OURS, PAPER, beside
from segraft.metrics.scoring import evaluate, summarise
from segraft.reporting import page as page_module
from segraft.reporting.page import Shown, write_report
from shared.pages import a_page, samples
from shared.run_folders import make_run


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    page = a_page(folder, title="A & B", findings=["what <came> out"], notes=["times & such"])
    assert page == folder / "out" / "report.html"
    return page.read_text(encoding="utf-8")


def test_the_page_has_everything_and_fetches_nothing(text: str) -> None:
    assert "<title>A &amp; B</title>" in text
    assert "what &lt;came&gt; out" in text
    assert "times &amp; such" in text
    assert "cell &lt;1&gt;" in text
    assert "12,345" in text
    assert "678 (1/18.2)" in text
    assert text.count("data:image/png;base64,") == 2 * (2 + 3 * 2)  # per sample: input, truth, 3 per model
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', text)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert "http" not in text
    assert len(text) < 5e6


def test_the_page_opens_with_score_against_cost_and_closes_with_the_small_print(text: str) -> None:
    parts = [
        "<h1>",
        "aji of each model against parameters",
        "what &lt;came",
        "Scores and cost",
        "see</h2>",
        "Curves",
        "Small",
        "times &amp;",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.index("<svg") > text.index("<h1>")
    assert "(2 seeds)" in text


def test_the_picture_is_drawn_before_any_script(text: str) -> None:
    picture = text[text.index('<figure class="tradeoff">') : text.index("</figure>")]
    assert picture.count('<g class="model') == 2
    assert picture.count('<circle class="seed"') == 2
    assert picture.count("<select hidden") == 2, "what needs the script is hidden without it"
    assert '<span class="chosen">aji</span>' in picture
    assert '<span class="chosen">parameters</span>' in picture
    assert "<title>student: aji 0.6000 ± 0.1414, parameters 678</title>" in picture
    assert '<b class="front-names">student, teacher</b>' in picture
    drawn = picture[: picture.index("<script")]
    data = json.loads(picture[picture.index("<script") :].partition(">")[2].partition("</script>")[0])
    for place in (data["across"][0]["models"][0]["mean"], data["up"][data["start"]]["models"][1]["mean"]):
        assert f'"{place}%"' in drawn, "the script has the same places"


def test_names_cannot_leave_the_data_of_the_script(tmp_path: Path) -> None:
    name = "</script><b>&'\""
    text = a_page(tmp_path, student=name).read_text(encoding="utf-8")
    data = re.search('<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["names"] == ["teacher", name]


def test_every_table_scrolls_in_its_box_and_every_picture_keeps_to_the_page(text: str) -> None:
    assert text.count("<table") == len(re.findall(r'<div class="scroll"[^>]*>\s*<table', text)) == 3
    assert re.search(r"\.scroll \{[^}]*overflow-x: auto", text)
    assert re.search(r"^img, svg \{[^}]*max-width: 100%", text, re.MULTILINE)
    pictures = len(re.findall("<img|<figure><button[^>]*><svg", text))
    assert text.count('class="zoom"') == pictures, "each can be enlarged"
    assert "prefers-color-scheme: dark" in text


def test_the_better_score_is_bold(text: str) -> None:
    row = next(line for line in text.splitlines() if "<th>aji" in line)
    cells = re.findall(r'<td class="number( best)?">([^<]+)', row)
    assert cells == [(" best", "1.0000"), ("", "0.6000 ± 0.1414")]
    assert 'aji <span class="soft">↑' in row
    assert 'voi <span class="soft">↓' in text


def test_the_papers_protocol_stands_beside_ours(tmp_path: Path) -> None:
    merged = np.array([[1, 1, 1, 1]]), np.array([[1, 1, 2, 2]])
    scores = beside(*({"run": summarise([evaluate(*merged, each)])} for each in (OURS, PAPER)))
    run = Shown.of(make_run(tmp_path / "run"))
    page = write_report(tmp_path, {"run": [run]}, [], {name: [of_run] for name, of_run in scores.items()})
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("<tr><th>aji")]
    assert [re.findall(r"<th>([\w, ]+) <span.*>([\d.]+)</td>", row)[0] for row in rows] == [
        ("aji", "0.5000"),
        ("aji, protocol paper", "0.3333"),
    ]


def test_each_seed_has_its_scores(text: str) -> None:
    assert text.count("<details>") == 1
    each = text[text.index("Each seed of student") :]
    assert '<th class="number">seed 0</th><th class="number">seed 1</th>' in each
    row = next(line for line in each.splitlines() if "<th>aji" in line)
    assert re.findall(r'<td class="number(?: best)?">([^<]+)', row) == ["0.5000", "0.7000"]


def test_settings_that_differ_are_tinted(text: str) -> None:
    assert '<tr class="differs"><th>seed</th><td>0</td><td>0 | 1</td></tr>' in text
    assert "<tr><th>steps</th><td>20</td><td>20</td></tr>" in text


def test_a_page_about_one_run_opens_with_its_curve(tmp_path: Path) -> None:
    run = Shown.of(make_run(tmp_path / "run"))
    text = write_report(tmp_path, {"run": [run]}, samples(5), {}, score="pq").read_text(encoding="utf-8")
    assert text.count("<h3>cell") == page_module.PICTURES, "only some samples are shown"
    assert text.index("pq over the steps") < text.index("see</h2>") < text.index("aji over the steps")
    assert '<ul class="keys">' not in text
    assert "tradeoff" not in text


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left"):
        write_report(tmp_path / "out", {"run": [Shown.of(run)]}, [], {})
    assert not list((tmp_path / "out").iterdir())


def test_missing_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        page_module, "find_spec", lambda name: None if name == "jinja2" else importlib.util.find_spec(name)
    )
    assert not page_module.available()
    with pytest.raises(UserError, match=r"pip install 'segraft\[report\]'"):
        write_report(tmp_path, {}, [], {})
