"""How far the segmentation of an exported model is from that of the original, on whole images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segraft.errors import UserError
from segraft.metrics.scores import choosing
from segraft.metrics.scoring import evaluate, summarise
from segraft.metrics.usual import usual_score
from segraft.model.model import Model
from segraft.terminal.progress import messages, track

ALLOWED = 0.01
"""By how much a score may become worse."""
Scores = Mapping[str, float | int]


@dataclass(frozen=True)
class Agreement:
    """What the labels of two models have in common, over some images, and what each scores where the truth is known."""

    images: int
    labels: Scores
    """Those of the copy, scored as if those of the original were the truth."""
    truths: int
    """Images with true labels."""
    score: str = "f1"
    """What counts: ``f1``, in dense tissue ``voi``."""
    original: Scores | None = None
    copy: Scores | None = None

    def __str__(self) -> str:
        """In words."""
        alike = (
            f"its labels and those of the original agree by AJI {self.labels['aji']:.4f} and F1 "
            f"{self.labels['f1']:.4f} on {self.images} images"
        )
        if self.original is None or self.copy is None:
            return f"no truth is at hand (--dataset), so scores are unknown; {alike}"
        named = (
            f"{name.upper()} {self.original[name]:.4f} originally, {self.copy[name]:.4f} exported"
            for name in (self.score, "aji")
        )
        return f"{'; '.join(named)} (mean of {self.truths} images with truth); {alike}"

    def check(self) -> None:
        """Raise ``UserError`` where the copy scores worse than is allowed; without truth nothing is refused."""
        if self.original is None or self.copy is None:
            return
        before, after = self.original[self.score], self.copy[self.score]
        rank = choosing(self.score).rank
        if rank(before) - rank(after) > ALLOWED:
            raise UserError(
                f"{self.score.upper()} of the export is {after:.4f} on {self.truths} images, that of the original "
                f"{before:.4f}, expected at most {ALLOWED:g} worse; nothing was kept; give more images like those to "
                "be segmented, or keep it all the same (--force)"
            )


def agreement(original: Model, copy: Model, samples: Sequence) -> Agreement:
    """Segment images by both models, and compare.

    Raises ``UserError``, with its name, where an image cannot be segmented.
    """
    alike, scored, truths = [], [], []
    for index in track(range(len(samples)), "original and export", messages()):
        sample = samples[index]
        try:
            one, other = (model.predict(sample.image) for model in (original, copy))
            alike.append(evaluate(other, one))
            if sample.labels is not None:
                scored.append((evaluate(one, sample.labels), evaluate(other, sample.labels)))
                truths.append(sample.labels)
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
    found = Agreement(len(alike), summarise(alike), len(scored))
    if not scored:
        return found
    usual = usual_score(truths, original.geometry.ndim, original.config.segmentation.fill)
    before, after = (summarise(each) for each in zip(*scored, strict=True))
    return Agreement(len(alike), found.labels, len(scored), "voi" if usual == "voi" else "f1", before, after)
