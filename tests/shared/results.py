"""Made-up results of recipes, and cells of printed tables."""

from __future__ import annotations

from pathlib import Path

from segraft.metrics.scores import SCORES
from segraft.paper import RECIPES
from segraft.paper.results import Result, Spent, write


def fake(
    runs: Path,
    name: str,
    start: float,
    scale: float = 1.0,
    seed: int = 555,
    spent: Spent | None = None,
    images: int = 0,
) -> Result:
    """Write a result in which the scores are ``start``, ``start + 0.01`` and so on, in the order of ``SCORES``.

    AJI is 0.1 higher by the paper's protocol. Of several ``images`` the scores differ by 0.01 from one to the next.
    """
    ours = {score: start + 0.01 * place for place, score in enumerate(SCORES)}
    by_protocol = {"ours": ours, "paper": ours | {"aji": ours["aji"] + 0.1}}
    scores = {protocol: dict.fromkeys(RECIPES[name].segmentations, each) for protocol, each in by_protocol.items()}
    by_image = {
        protocol: {
            segmentation: {
                f"image-{number}": {score: value + 0.01 * (number - (images - 1) / 2) for score, value in each.items()}
                for number in range(images)
            }
            for segmentation in RECIPES[name].segmentations
        }
        for protocol, each in by_protocol.items()
    }
    folder = runs / f"{name}-{scale}-{seed}-{spent}-{images}"
    folder.mkdir(parents=True)
    note = "" if scale == 1 and spent is None else "smaller"
    result = Result(recipe=name, scale=scale, seed=seed, note=note, scores=scores, images=by_image, spent=spent)
    write(result, folder)
    return result


def cells(text: str, row: str) -> list[str]:
    """Cells of a row of a Markdown table."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")][1:]
