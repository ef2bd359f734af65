"""How fast do embeddings change while a student learns, with the memory bank and without; how stale is a memory?"""

from __future__ import annotations

from segraft.paper.questions.cells import ALONE, COMMON, TEACHER, TEST, alone, distilled, teacher
from segraft.paper.questions.question import OF_TEACHER, Panel, Question

LAGS = (10, 20, 40, 80, 160, 320)
"""Steps after which a remembered Gram matrix is compared with that of the same patch now."""
WITH, WITHOUT = "distilled with the bank", "distilled without the bank"
REMEMBERED = f"{WITH}{OF_TEACHER}"
"""What the bank holds. The teacher does not learn: it should be as it was, and is measured."""
SERIES = (ALONE, WITHOUT, WITH, REMEMBERED)
NO_BANK = {"inter_edge": 0.0, "inter_affinity": 0.0}
DRIFT = "‖remembered − now‖ / ‖now‖"
WIDTH = 4

MEMORY = Question(
    name="question-memory",
    asks="How stale does a memory of the embeddings get while a student learns, with the bank and without it?",
    minutes=35,
    settings={**COMMON, "width": WIDTH, "steps": 600},
    trials=(
        teacher(8),
        alone(values={"taught": "alone"}),
        distilled("without-bank", WITHOUT, weights=NO_BANK, values={"taught": "no bank"}),
        distilled("with-bank", WITH, values={"taught": "bank"}),
    ),
    test=TEST,
    panels=(
        Panel(
            title="staleness",
            x="lag",
            y="drift",
            where={"condition": "lag"},
            series=SERIES,
            xlabel="steps since remembered; a bank of K images remembers K / batch",
            ylabel=DRIFT,
            log=True,
        ),
        Panel(
            title=f"drift within {LAGS[0]} steps, over the training",
            x="step",
            y="drift",
            where={"condition": "step"},
            series=SERIES,
            xlabel="step",
            ylabel=DRIFT,
        ),
        Panel(
            title="score",
            x="taught",
            where={"condition": "test"},
            levels=(TEACHER,),
            xlabel="what the student learns from",
        ),
    ),
    drift=LAGS,
)
