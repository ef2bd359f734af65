"""How do teacher, student alone and distilled student fare where cells crowd, and where they cover one another?"""

from __future__ import annotations

from segraft.paper.questions.cells import ALONE, CELLS, COMMON, DISTILLED, TEACHER, TEST, alone, distilled, teacher
from segraft.paper.questions.question import Condition, Panel, Question

DENSITIES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
OCCLUSIONS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7)
SERIES = (TEACHER, DISTILLED, ALONE)


def _varied(name: str, value: float) -> Condition:
    """Test images with another density or occlusion than those of training."""
    both = {"density": CELLS["density"], "occlusion": CELLS["occlusion"], name: value}
    return Condition(name=name, values=both, options=both)


DENSITY = Question(
    name="question-density",
    asks="What do density and occlusion, each by itself, cost the teacher, the student alone and the distilled one?",
    minutes=35,
    settings={**COMMON, "steps": 600},
    trials=(teacher(16, steps=800), alone(width=4), distilled(width=4)),
    test=TEST,
    conditions=(
        *(_varied("density", each) for each in DENSITIES),
        *(_varied("occlusion", each) for each in OCCLUSIONS),
    ),
    panels=(
        Panel(
            title=f"occlusion {CELLS['occlusion']}",
            x="density",
            where={"condition": "density"},
            series=SERIES,
            xlabel="density: part of the area under cells",
        ),
        Panel(
            title=f"density {CELLS['density']}",
            x="occlusion",
            where={"condition": "occlusion"},
            series=SERIES,
            xlabel="occlusion: part of a cell that may be hidden",
        ),
    ),
)
