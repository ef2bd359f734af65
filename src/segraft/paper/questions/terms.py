"""Instance graph or affinity graph, within images or across them; and how large must the memory bank be?"""

from __future__ import annotations

from itertools import product

from segraft.paper.questions.cells import ALONE, CELLS, COMMON, TEST, alone, distilled, teacher
from segraft.paper.questions.question import Panel, Question, Trial
from segraft.weights import GRAPH_WEIGHTS

WIDTH = 4
GRAPHS = {"instance": ("node", "edge"), "affinity": ("affinity",), "both": ("node", "edge", "affinity")}
PLACES = {"within": ("intra",), "across": ("inter",), "within and across": ("intra", "inter")}
"""Beginnings and ends of the names of terms."""
K, L = 32, 12
"""Usual size of the bank, and images drawn from it."""
ALL = CELLS["count"]
"""Images of the data set."""
SIZES = (4, 8, 16, ALL, 4 * ALL)
DRAWN = (1, 4, 32, ALL)
BANK = "distilled, all terms"


def off(graph: str, place: str) -> dict[str, float]:
    """Weights of zero for the terms that do not belong to a graph and a place."""
    kept = {f"{start}_{end}" for start, end in product(PLACES[place], GRAPHS[graph])}
    return dict.fromkeys((term for term in GRAPH_WEIGHTS if term not in kept), 0.0)


def _terms(graph: str, place: str) -> Trial:
    """A student that learns from some of the terms."""
    usual = graph == "both" and place == "within and across"
    values = {"graph": graph, "K": K, "L": L, "terms": "all" if usual else "some"}
    name = f"{graph}-{place.replace(' ', '-')}"
    return distilled(name, place, values=values, weights=off(graph, place))


def _bank(size: int, drawn: int) -> Trial:
    """A student with all terms and another bank; of more images than it holds, all are drawn."""
    values = {"K": size, "L": drawn, "terms": "all"}
    return distilled(f"bank-{size}-{drawn}", BANK, values=values, bank_size=size, bank_samples=drawn)


TERMS = Question(
    name="question-terms",
    asks="What do instance graph and affinity graph bring, within images and across, and how large must the bank be?",
    minutes=65,
    settings={**COMMON, "width": WIDTH},
    trials=(
        teacher(8),
        alone(),
        *(_terms(graph, place) for graph, place in product(GRAPHS, PLACES)),
        *(_bank(size, L) for size in SIZES),
        *(_bank(ALL, drawn) for drawn in DRAWN),
    ),
    test=TEST,
    panels=(
        Panel(
            title="terms",
            x="graph",
            series=tuple(PLACES),
            levels=(ALONE,),
            xlabel="graph that is compared",
        ),
        Panel(
            title=f"L = {L} (at most K)",
            x="K",
            where={"L": L, "terms": "all"},
            called=BANK,
            levels=(ALONE,),
            xlabel=f"K, images held; the data set has {ALL}",
            log=True,
        ),
        Panel(
            title=f"K = {ALL}",
            x="L",
            where={"K": ALL, "terms": "all"},
            called=BANK,
            levels=(ALONE,),
            xlabel="L, images drawn a step",
            log=True,
        ),
    ),
)
