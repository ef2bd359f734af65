"""What is a student worth that learns from five, ten or twenty labelled images, with a teacher and without?"""

from __future__ import annotations

from collections.abc import Iterator

from segraft.paper.questions.cells import ALONE, DISTILLED, GRAPH, SHORT, SUPERVISED, TEACHER, TEACHER_STEPS
from segraft.paper.questions.question import GIVEN, Panel, Question, Trial

LABELLED = (5, 10, 20)
WIDTH, TEACHER_WIDTH = 4, 8
UNLABELLED = f"{DISTILLED}, unlabelled images too"
FROM_GIVEN = f"{DISTILLED} from the given model"
UNLABELLED_FROM_GIVEN = f"{FROM_GIVEN}, unlabelled images too"
POOL = 192
"""Patches about which the given model, which may be large, is asked once."""


def _trials(count: int) -> Iterator[Trial]:
    """All that learn from so many labelled images."""
    options, values = {"labelled": count}, {"labels": count}
    few, own = f"teacher-{count}", f"alone-{count}"
    slow = {"width": TEACHER_WIDTH, "steps": TEACHER_STEPS}
    yield Trial(name=few, series=TEACHER, settings={"weights": SUPERVISED, "options": options, **slow}, values=values)
    yield Trial(name=own, series=ALONE, settings={"weights": SUPERVISED, "options": options}, values=values)
    cases = {
        f"distilled-{count}": (DISTILLED, few, False),
        f"unlabelled-{count}": (UNLABELLED, few, True),
        f"given-{count}": (FROM_GIVEN, GIVEN, False),
        f"given-unlabelled-{count}": (UNLABELLED_FROM_GIVEN, GIVEN, True),
    }
    for name, (series, teacher, unlabelled) in cases.items():
        settings = {"weights": GRAPH, "options": options} | ({"cache": POOL} if teacher == GIVEN else {})
        yield Trial(
            name=name,
            series=series,
            settings=settings,
            teacher=teacher,
            alone=own,
            unlabelled=unlabelled,
            values=values,
        )


FEW = Question(
    name="few-labels",
    asks="What do a teacher and images without labels bring where 5, 10 or 20 images of BBBC039 are labelled?",
    minutes=75,
    settings={**SHORT, "dataset": "bbbc039", "width": WIDTH, "minimum_size": 10, "validation_images": 5},
    trials=tuple(trial for count in LABELLED for trial in _trials(count)),
    images=25,
    panels=(
        Panel(title="BBBC039, test images", x="labels", xlabel="labelled training images", log=True),
        Panel(
            title="gain over the student alone",
            x="labels",
            y="gain",
            xlabel="labelled training images",
            ylabel="AJI − AJI of the student alone",
            log=True,
        ),
    ),
    data="the folder of bbbc039",
)
