"""Score against cost in a browser: axes to choose, marks that move, a front that follows, a table that answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.browser import answers, needs_browser
from shared.pages import LONG, a_cost, a_page

TOOLS = """
  const one = what => document.querySelector(what), all = what => [...document.querySelectorAll(what)];
  const box = e => {
    const b = e.getBoundingClientRect(), top = one(".plot").getBoundingClientRect().top;
    return [b.left, b.top - top, b.right, b.bottom - top];
  };
  const middle = e => { const [l, t, r, b] = box(e); return [(l + r) / 2, (t + b) / 2].map(Math.round); };
  const marks = () => all(".mark > path").map(middle);
  const choose = (side, name) => {
    const select = one(`.axis.${side} select`);
    select.value = [...select.options].findIndex(option => option.text === name);
    select.dispatchEvent(new Event("change"));
  };
  const state = () => ({
    marks: marks(), bars: all(".bar").map(box), seeds: all(".seed").map(middle),
    front: one(".front-names").textContent, path: one(".front path").getAttribute("d"),
    on: all(".model").map(e => e.classList.contains("on-front")),
    label: one(".plot > svg").getAttribute("aria-label"), labels: all(".model").map(e => e.getAttribute("aria-label")),
  });
"""
CHOOSE = """
  const first = state();
  choose("across", "milliseconds per image");
  const time = state();
  choose("up", "voi");
  const voi = state();
  choose("up", "aji");
  choose("across", "parameters");
  return {first, time, voi, again: state(), across: [...one(".axis.across select").options].map(o => o.text)};
"""
STATE = """
  const {labels, ...shown} = state();
  const ticks = all(".marks svg").map(mark => [mark.textContent, middle(mark.querySelector("line"))]);
  return {...shown, ticks, scripted: !one(".axis select").hidden};
"""
PICK = """
  const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  const picked = () => [all(".model"), all("#scores .pick"), all("#scores col").slice(1)].map(elements =>
    elements.map(e => e.getAttribute("aria-pressed") === "true" || e.classList.contains("picked")).indexOf(true));
  const tip = one(".tip"), [teacher, student] = all(".model"), found = {};
  found.none = picked();
  student.dispatchEvent(new PointerEvent("pointerenter"));
  found.hovered = tip.innerText;
  found.inside = [box(tip), box(one(".plot")), innerWidth];
  student.dispatchEvent(new PointerEvent("pointerleave"));
  found.left = tip.hidden;
  student.dispatchEvent(new MouseEvent("click", {bubbles: true}));
  found.clicked = picked();
  found.tint = getComputedStyle(all("#scores col")[2]).backgroundColor;
  found.seen = [...one("#scores tr").cells].map(box).slice(0, 3).concat([box(one("#scores .scroll"))]);
  teacher.focus();
  found.focused = tip.innerText;
  press(teacher, "Enter");
  found.entered = picked();
  press(teacher, "Escape");
  found.escaped = [picked(), tip.hidden];
  one("#scores tbody tr").cells[2].click();
  found.cell = picked();
  all("#scores .pick")[0].click();
  found.header = picked();
  found.order = all(".tradeoff select, .model, #scores .pick").map(e => e.tabIndex);
  return found;
"""
LOOK = """
  const touching = (a, b) => a[0] < b[2] - .5 && b[0] < a[2] - .5 && a[1] < b[3] - .5 && b[1] < a[3] - .5;
  const found = [];
  const names = side => [...one(`.axis.${side} select`).options].map(option => option.text);
  for (const across of names("across"))
    for (const up of names("up")) {
      choose("across", across);
      choose("up", up);
      const words = all(".marks text, .tradeoff .better, .tradeoff select, .tradeoff p");
      const boxes = words.map(box), inside = box(one(".plot > svg"));
      const where = `${up} against ${across}`;
      const said = words.map(word => word.textContent.slice(0, 20));
      boxes.forEach((a, i) => boxes.slice(0, i).forEach((b, j) => touching(a, b)
        && found.push(`${where}: ${said[i]} on ${said[j]}`)));
      boxes.some(b => b[0] < 0 || b[2] > innerWidth) && found.push(`${where}: words outside`);
      all(".mark > path, .seed, .bar").map(box).some(b => b[0] < inside[0] - 1 || b[1] < inside[1] - 1
        || b[2] > inside[2] + 1 || b[3] > inside[3] + 1) && found.push(`${where}: marks outside`);
      all(".marks").every(marks => marks.children.length) || found.push(`${where}: an axis without marks`);
    }
  const plot = box(one(".plot"));
  return {found, height: plot[3] - plot[1],
    ink: getComputedStyle(document.body).color, paper: getComputedStyle(document.body).backgroundColor,
    blue: getComputedStyle(all(".model")[0]).color, grid: getComputedStyle(one(".marks line")).stroke};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose student has a long name, and is small, but slower than its teacher."""
    slow = [{**a_cost(678, 2.0), "file": 3000}] * 2
    return a_page(tmp_path_factory.mktemp("page"), student=LONG, costly=slow)


@needs_browser
def test_other_axes_move_the_marks_and_change_the_front(tmp_path: Path, page: Path) -> None:
    for answer in answers(tmp_path, TOOLS + CHOOSE, page):
        first, time, voi = answer["first"], answer["time"], answer["voi"]
        assert answer["across"] == ["parameters", "multiply-adds (G)", "milliseconds per image", "megabytes on disk"]
        assert first["front"] == f"{LONG}, teacher"
        assert first["on"] == [True, True]
        assert time["front"] == "teacher", "the student is slow here, and worse"
        assert time["on"] == [True, False]
        assert time["path"] != first["path"]
        assert first["label"] == "aji of each model against parameters"
        assert voi["label"] == "voi of each model against milliseconds per image"
        assert "milliseconds per image: 2,000.0 ms" in voi["labels"][1]
        (teacher_x, teacher_y), (student_x, student_y) = first["marks"]
        assert student_x < teacher_x
        assert student_y > teacher_y
        assert time["marks"][0][0] < time["marks"][1][0], "and to the right of the teacher"
        assert voi["marks"][0][1] == voi["marks"][1][1], "both are the same in VOI"
        assert len(first["seeds"]) == 2
        assert first["seeds"][0][1] > student_y > first["seeds"][1][1]
        assert not any(now == before for now, before in zip(time["bars"], first["bars"], strict=True))
        assert answer["again"] == first


@needs_browser
def test_the_script_draws_what_the_page_shows_without_it(tmp_path: Path, page: Path) -> None:
    static = tmp_path / "static.html"
    text = page.read_text(encoding="utf-8")
    static.write_text(re.sub("<script>.*?</script>", "", text, flags=re.DOTALL), encoding="utf-8")
    both = answers(tmp_path, TOOLS + STATE, static, page)
    assert sorted(answer.pop("scripted") for answer in both) == [False, False, True, True]
    first, second = (sorted(both, key=lambda answer: answer["width"])[i : i + 2] for i in (0, 2))
    assert first[0] == first[1]
    assert second[0] == second[1]


@needs_browser
def test_a_mark_and_its_column_are_picked_together(tmp_path: Path, page: Path) -> None:
    for answer in answers(tmp_path, TOOLS + PICK, page):
        assert answer["none"] == [-1] * 3
        assert answer["hovered"].split("\n") == [
            LONG,
            "aji: 0.6000 ± 0.1414",
            "parameters: 678",
            "on the Pareto front",
        ]
        (left, top, right, bottom), (plot_left, plot_top, plot_right, plot_bottom), width = answer["inside"]
        assert plot_left <= left < right <= min(plot_right, width)
        assert plot_top <= top < bottom <= plot_bottom
        assert answer["left"] is True
        assert answer["clicked"] == [1] * 3
        assert answer["tint"] != "rgba(0, 0, 0, 0)"
        scores, _, column, box = answer["seen"]
        assert column[2] <= box[2] + 1 or abs(column[0] - scores[2]) < 2, "the table scrolls to the column"
        assert answer["focused"].startswith("teacher\naji: 1.0000")
        assert answer["entered"] == [0] * 3
        assert answer["escaped"] == [[-1] * 3, True]
        assert answer["cell"] == [1] * 3
        assert answer["header"] == [0] * 3
        assert set(answer["order"]) == {0}, "the keyboard gets everywhere"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whatever_is_chosen_nothing_overlaps_or_leaves_the_page(tmp_path: Path, page: Path, scheme: str) -> None:
    for answer in answers(tmp_path, TOOLS + LOOK, page, scheme=scheme):
        assert answer["found"] == []
        assert answer["height"] > 200
        dark = scheme == "dark"
        assert answer["paper"] == ("rgb(18, 24, 28)" if dark else "rgb(255, 255, 255)")
        assert answer["blue"] == ("rgb(74, 168, 224)" if dark else "rgb(0, 114, 178)")
        assert len({answer["paper"], answer["ink"], answer["grid"]}) == 3
