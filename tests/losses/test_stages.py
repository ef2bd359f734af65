"""Which stages of two networks are compared."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.losses.stages import aligned, pooled, stage_channels, stage_pairs
from segraft.networks import create_network
from segraft.tensors import Output


@pytest.mark.parametrize(
    ("student", "teacher", "pairs"),
    [
        (5, 5, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]),
        (3, 5, [(0, 0), (1, 2), (2, 4)]),
        (5, 2, [(0, 0), (4, 1)]),
        (4, 6, [(0, 0), (1, 2), (2, 3), (3, 5)]),
        (1, 4, [(0, 0)]),
        (0, 3, []),
    ],
)
def test_stages_of_equal_relative_depth_are_paired(student: int, teacher: int, pairs: list[tuple[int, int]]) -> None:
    assert aligned(student, teacher) == pairs


@given(st.integers(2, 30), st.integers(2, 30))
def test_pairs_rise_from_end_to_end_and_are_symmetric(student: int, teacher: int) -> None:
    pairs = aligned(student, teacher)
    assert len(pairs) == min(student, teacher)
    assert pairs[0] == (0, 0)
    assert pairs[-1] == (student - 1, teacher - 1)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    assert [(b, a) for a, b in pairs] == aligned(teacher, student)
    depths = [abs(a / (student - 1) - b / (teacher - 1)) for a, b in pairs]
    assert max(depths) <= 1 / (2 * (max(student, teacher) - 1)) + 1e-12


def test_pairs_are_widened_and_the_teachers_detached(made_up) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, channels=(5, 6, 7), sizes=(2, 3, 5))
    stages = tuple(stage.bfloat16().requires_grad_() for stage in teacher.stages)
    pairs = stage_pairs(student, teacher._replace(stages=stages))
    assert [(s.shape[1], t.shape[1]) for s, t in pairs] == [(3, 5), (2, 7)]
    assert all(s.dtype == torch.float64 and t.dtype == torch.float32 and not t.requires_grad for s, t in pairs)


def test_an_output_without_stages_is_refused(made_up) -> None:  # type: ignore[no-untyped-def]
    output = made_up(2)
    with pytest.raises(UserError, match=r"got 2 of the student, 0 of the teacher, expected .* network\.features"):
        stage_pairs(output, output._replace(stages=()))


@pytest.mark.parametrize("shape", [(3, 4, 2, 3), (2, 4, 2, 2, 3)])
def test_stages_of_other_images_are_refused(made_up, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    output = made_up(2)
    other = Output(output.embedding, output.foreground, (torch.zeros(shape), output.stages[1]))
    with pytest.raises(UserError, match="compare the same images"):
        stage_pairs(output, other)


def test_channels_are_found_without_computing() -> None:
    network = create_network("resunet", in_channels=2, width=2).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = stage_channels(network, (32, 48))
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert found == [stage.shape[1] for stage in network.features(torch.zeros(1, 2, 32, 48)).stages]


def test_pooling_averages_blocks_and_leaves_maps_of_that_size() -> None:
    maps = torch.randn(2, 3, 4, 6)
    assert pooled(maps, (4, 6)) is maps
    torch.testing.assert_close(pooled(maps, (2, 1)), maps.unflatten(2, (2, 2)).mean((3, 4)).unsqueeze(-1))
