"""Labelled and unlabelled patches in one sequence: a fixed part, spread evenly, without a gap in either."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segraft.training.batches import Batches
from segraft.training.mixture import Mixture
from segraft.training.patches import Patches
from segraft.types import Sample
from shared.runs import squares


class Counted(Patches):
    """Gives the number that it is asked for, and whose it is."""

    def __init__(self, sign: int) -> None:
        self.sign, self.patch, self.taught, self.pixel_sizes = sign, (1,), False, {}

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([self.sign]), torch.tensor([k])


@given(part=st.fractions(0, 1, max_denominator=1000).filter(lambda part: part < 1), begin=st.integers(0, 10**7))
def test_parts_are_exact_and_nothing_is_left_out(part: float, begin: int) -> None:
    mixture = Mixture(Counted(1), Counted(-1), float(part))
    drawn = [tuple(int(value) for value in mixture[k]) for k in range(begin, begin + 60)]
    for sign, start, stop in (
        (-1, floor(part * begin), floor(part * (begin + 60))),
        (1, begin - floor(part * begin), begin + 60 - floor(part * (begin + 60))),
    ):
        assert [number for whose, number in drawn if whose == sign] == list(range(start, stop))


@pytest.mark.parametrize(("part", "batch", "wanted"), [(0.5, 4, {2}), (0.25, 4, {1}), (0.0, 3, {0}), (0.3, 5, {1, 2})])
def test_each_batch_has_its_share(part: float, batch: int, wanted: set[int]) -> None:
    batches = Batches(Mixture(Counted(1), Counted(-1), part), batch, 0, 20)
    assert {int((whose < 0).sum()) for whose, _ in batches} == wanted


def mixture(seed: int = 0, part: float = 0.5, change: int = 0) -> Mixture:
    others = tuple(Sample(each.image + np.uint16(change), None, each.name) for each in squares(3))
    kept: dict[str, Any] = {"patch": (32, 32), "seed": seed, "geometry": ("flip", "rotate"), "intensity": ("noise",)}
    labelled, unlabelled = (Patches(samples, np.asarray, **kept) for samples in (squares(4), others))
    return Mixture(labelled, unlabelled, part)


def test_unlabelled_patches_are_all_unknown() -> None:
    labels = [mixture()[k][1] for k in range(8)]
    assert [bool((each == -1).all()) for each in labels] == [False, True] * 4


def test_what_a_patch_depends_on() -> None:
    """Its number and the seed; and the fingerprint tells everything else."""
    one, again, other = mixture(), mixture(), mixture(seed=3)
    for k in (5, 2, 5):
        assert torch.equal(one[k][0], again[k][0])
        assert not torch.equal(one[k][0], other[k][0])
        assert torch.equal(one.drawn_by(3)[k][0], other[k][0])
    assert one.fingerprint() == again.fingerprint()
    changed = (other, mixture(part=0.25), mixture(change=1))
    assert len({each.fingerprint() for each in (one, *changed)}) == 4
    assert one.drawn_by(3).fingerprint() == other.fingerprint()
