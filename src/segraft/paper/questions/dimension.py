"""How many numbers per pixel does the embedding need, and what does each cost?"""

from __future__ import annotations

from segraft.paper.questions.cells import ALONE, COMMON, DISTILLED, TEACHER, TEST, alone, distilled, teacher
from segraft.paper.questions.question import Panel, Question

DIMENSIONS = (4, 8, 16, 32, 64)
WIDTH, TEACHER_WIDTH = 4, 8
SERIES = (TEACHER, DISTILLED, ALONE)
XLABEL = "D, numbers per pixel of the embedding"

DIMENSION = Question(
    name="question-dimension",
    asks="What do 4 to 64 numbers per pixel of the embedding bring, and what do they cost?",
    minutes=60,
    settings={**COMMON, "width": WIDTH},
    trials=tuple(
        trial
        for dim in DIMENSIONS
        for trial in (
            teacher(TEACHER_WIDTH, f"teacher-{dim}", dim=dim, values={"dim": dim}),
            alone(f"alone-{dim}", {"dim": dim}, dim=dim),
            distilled(f"distilled-{dim}", teacher=f"teacher-{dim}", alone=f"alone-{dim}", values={"dim": dim}, dim=dim),
        )
    ),
    test=TEST,
    costs=(256, 256),
    panels=(
        Panel(title="score", x="dim", series=SERIES, xlabel=XLABEL, log=True),
        Panel(title="arithmetic", x="dim", y="megamacs", series=SERIES, xlabel=XLABEL, ylabel="10⁶ MACs", log=True),
        Panel(title="time, one thread", x="dim", y="ms", series=SERIES, xlabel=XLABEL, ylabel="ms", log=True),
    ),
)
