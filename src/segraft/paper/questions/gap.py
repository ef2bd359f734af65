"""How much does a student gain, by the gap to its teacher and by the widths of both; is there a ceiling?"""

from __future__ import annotations

from itertools import product

from segraft.paper.questions.cells import ALONE, COMMON, TEST, alone, distilled, teacher
from segraft.paper.questions.question import Panel, Question

TEACHERS = (4, 8, 16)
STUDENTS = (2, 3, 4, 7)
"""Widths; those of students are the ones of Table VI."""
TAUGHT = {width: f"from width {width}" for width in TEACHERS}
TEACHING = {width: f"teacher, width {width}" for width in TEACHERS}

GAP = Question(
    name="question-gap",
    asks="What predicts how much a student gains from its teacher: the gap between them, or the widths?",
    minutes=80,
    settings=COMMON,
    trials=(
        *(teacher(width, f"teacher-{width}", TEACHING[width], values={"teacher_width": width}) for width in TEACHERS),
        *(alone(f"alone-{width}", {"width": width}, width=width) for width in STUDENTS),
        *(
            distilled(
                f"distilled-{width}-from-{large}",
                TAUGHT[large],
                f"teacher-{large}",
                f"alone-{width}",
                {"width": width, "teacher_width": large},
                width=width,
            )
            for large, width in product(TEACHERS, STUDENTS)
        ),
    ),
    test=TEST,
    panels=(
        Panel(
            title="gain against gap, a point for each seed",
            x="gap",
            y="gain",
            series=tuple(TAUGHT.values()),
            xlabel="gap: AJI of teacher − alone",
            ylabel="gain: AJI of distilled − alone",
            points=True,
        ),
        Panel(
            title="gain by width",
            x="width",
            y="gain",
            series=tuple(TAUGHT.values()),
            xlabel="width of the student",
            ylabel="gain: AJI of distilled − alone",
        ),
        Panel(
            title="score by width",
            x="width",
            series=(ALONE, *TAUGHT.values()),
            levels=tuple(TEACHING.values()),
            xlabel="width of the student",
        ),
    ),
    relations=(("gain", "gap"), ("gain", "width"), ("gain", "teacher_width"), ("gain", "teacher_score")),
)
