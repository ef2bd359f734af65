"""Every recipe can be run: what it names exists, what it sets fits, and nothing published is out of thin air."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from functools import lru_cache

import pytest
import torch

import segraft
from segraft.coerce import make, plain
from segraft.data import DATASETS
from segraft.graphs.affinity import BACKGROUNDS
from segraft.graphs.offsets import OFFSETS
from segraft.losses import DISTILLERS
from segraft.metrics.scores import SCORES
from segraft.networks import NETWORKS, complexity, create_network, dimensions, pyramid
from segraft.paper import FIGURES, RECIPES, TABLES, Recipe
from segraft.paper.cost import CHANNELS
from segraft.paper.published import lines
from segraft.paper.recipe import FOREGROUNDS, weights
from segraft.paper.recipe import OFFSETS as COUNTS
from segraft.paper.scaling import scaled
from segraft.segment import SEGMENTERS
from segraft.settings import DistillSettings, TrainSettings
from segraft.training.augment import check_names
from segraft.weights import GRAPH_WEIGHTS, METHOD_WEIGHTS

every = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@lru_cache
def takes(network: str, filters: tuple[int, ...] | None, channels: int, patch: tuple[int, ...]) -> None:
    """Raise unless a network takes a crop."""
    with torch.device("meta"):
        complexity(create_network(network, channels, filters=filters), (1, channels, *patch))


def check_crop(settings: TrainSettings, patch: tuple[int, ...]) -> None:
    filters = settings.filters if settings.width is None else pyramid(settings.network, settings.width)
    takes(settings.network, filters, CHANNELS.get(settings.dataset, 1), patch)


def test_they_stand_at_the_front_door_under_their_names() -> None:
    assert segraft.RECIPES is RECIPES
    assert all(name == recipe.name for name, recipe in RECIPES.items())
    assert "table2-bbbc039-resunet-tiny-graph" in RECIPES
    folders = [str(recipe.settings.out) for recipe in RECIPES.values()]
    assert len(set(folders)) == len(folders)
    with pytest.raises(FrozenInstanceError):
        next(iter(RECIPES.values())).name = "other"  # type: ignore[misc]


def test_no_two_are_the_same_experiment() -> None:
    told = [{**plain(each.settings), "out": None} for each in RECIPES.values()]
    same = [a for a in range(len(told)) for b in range(a) if told[a] == told[b]]
    assert not same


@every
def test_settings_are_valid_and_name_what_exists(recipe: Recipe) -> None:
    settings = recipe.settings
    assert make(type(settings), plain(settings)) == settings
    assert settings.network in NETWORKS
    assert set(settings.options) <= set(inspect.signature(DATASETS[settings.dataset]).parameters)
    assert recipe.method in METHOD_WEIGHTS
    assert recipe.method in {*DISTILLERS, "none"}
    ndim = dimensions(settings.network)
    full = settings.for_dimension(ndim)
    assert len(OFFSETS[full.offsets or ""]) == COUNTS[ndim] == settings.weights["affinity"]
    assert full.background in BACKGROUNDS
    assert recipe.foreground in FOREGROUNDS
    check_names(full.geometry or (), full.intensity or (), ndim)
    for each in recipe.segmentations.values():
        assert set(each.settings) <= set(inspect.signature(SEGMENTERS[each.segmenter]).parameters)
    assert recipe.command == f"segraft recipe {recipe.name} --root DIR"


@every
def test_teachers_exist_and_see_the_same(recipe: Recipe) -> None:
    assert (recipe.teacher is not None) == isinstance(recipe.settings, DistillSettings)
    if recipe.teacher is None:
        return
    teacher = RECIPES[recipe.teacher]
    assert teacher.teacher is None
    assert str(recipe.settings.teacher) == teacher.name  # type: ignore[attr-defined]
    for name in ("dataset", "options", "dim", "channels", "offsets", "percentiles", "background", "border"):
        assert getattr(teacher.settings, name) == getattr(recipe.settings, name)


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_networks_take_the_crops_at_every_scale(scale: float) -> None:
    for recipe in RECIPES.values():
        settings = scaled(recipe.settings, scale)
        assert settings.patch is not None
        check_crop(settings, settings.patch)
        if recipe.teacher is not None:
            check_crop(scaled(RECIPES[recipe.teacher].settings, scale), settings.patch)


@every
def test_published_scores_belong_to_columns(recipe: Recipe) -> None:
    assert set(recipe.published) <= set(recipe.columns)
    for column, value in recipe.published.items():
        assert column.segmentation in recipe.segmentations
        assert column.metric in SCORES
        assert value.metric == column.title
        assert recipe.score(column.segmentation, column.metric) == value.score
    assert recipe.score("mutex", "n_true") is None
    assert recipe.score("no such segmentation", "aji") is None


def test_what_is_published() -> None:
    ours, leaves = (RECIPES[f"table2-{name}-resunet-tiny-graph"] for name in ("bbbc039", "cvppp"))
    assert [ours.score("mutex", name) for name in ("aji", "f1", "dice", "pq")] == [0.884, 0.946, 0.961, 0.868]
    assert leaves.score("mutex", "sbd") == pytest.approx(0.870)
    assert leaves.score("mutex", "dic") == 1.15
    assert RECIPES["table2-bbbc010-nested-unet"].score("mutex", "aji") is None, "not legible"
    neurons = RECIPES["table3-cremi-b-mala-tiny-graph"]
    assert (neurons.score("waterz", "voi"), neurons.score("lmc", "arand")) == (1.524, 0.127)


def test_the_papers_settings() -> None:
    ours = RECIPES["table2-cvppp-resunet-tiny-graph"].settings
    assert isinstance(ours, DistillSettings)
    assert (ours.rate, ours.betas, ours.bank_size, ours.bank_samples) == (1e-4, (0.9, 0.99), 32, 12)
    assert (ours.batch, ours.steps, ours.patch, ours.schedule, ours.optimizer) == (
        2,
        300_000,
        (544, 544),
        "constant",
        "adam",
    )
    eq8 = GRAPH_WEIGHTS | {"affinity": 10.0, "intra_affinity": 100.0, "foreground": 1.0}
    assert ours.term_weights() == eq8, "Eq. 8, both affinity terms as sums over 10 offsets"
    biskd = RECIPES["table2-cvppp-resunet-tiny-biskd"].settings.term_weights()
    assert (biskd["intra_node"], biskd["intra_edge"], biskd["intra_affinity"]) == (0.1, 0.1, 200.0)
    recipe = RECIPES["table3-ac34-mala-tiny-graph"]
    neurons = recipe.settings
    assert neurons.term_weights()["intra_affinity"] == 10 * neurons.term_weights()["affinity"] == 30
    assert (neurons.patch, neurons.border, neurons.offsets) == ((53, 268, 268), 1, "3d")
    assert (recipe.foreground, RECIPES["table2-cvppp-resunet"].foreground) == ("none", "truth")
    assert recipe.segmentations["lmc"].settings["worst"] is True


def test_weights_of_both_affinity_terms_grow_with_the_offsets() -> None:
    assert weights("none", 2) == {"affinity": 10.0}
    assert weights("at", 3) == {"affinity": 3.0}
    assert weights("graph", 3) == {"affinity": 3.0, "intra_affinity": 30.0}
    assert weights("graph", 2, {"inter_edge": 0.0}) == {"affinity": 10.0, "intra_affinity": 100.0, "inter_edge": 0.0}
    assert weights("graph", 2, {"intra_affinity": 1.0})["intra_affinity"] == 10


def test_rows_of_table_4_switch_terms_on_one_after_the_other() -> None:
    full = RECIPES["table2-cvppp-mobilenet-graph"].settings.term_weights()
    for number, (label, name) in enumerate(TABLES[4].parts[0].rows.items()):
        own = RECIPES[name].settings.term_weights()
        on = [term for term in GRAPH_WEIGHTS if own.get(term)]
        assert on == list(GRAPH_WEIGHTS)[:number]
        assert label == f"{number + 1}: " + (" + ".join(on) or "alone")
        assert all(own[term] == full[term] for term in on)
        assert RECIPES[name].settings.network == "mobilenet"


def test_rows_of_table_5_have_the_papers_weights() -> None:
    for line, (label, name) in zip(lines("table5"), TABLES[5].parts[0].rows.items(), strict=True):
        own = RECIPES[name].settings.term_weights()
        own["intra_affinity"] /= COUNTS[2]
        assert [own[term] for term in GRAPH_WEIGHTS] == pytest.approx([float(line[f"lambda{k}"]) for k in range(1, 6)])
        assert label.startswith(f"{line['row']}: λ1 = {line['lambda1']}, λ2 =")
        assert (RECIPES[name].settings.network, RECIPES[name].teacher) == ("mobilenet", "table2-cvppp-resunet")


def test_figure_6_varies_k_or_l() -> None:
    for part in FIGURES[6].parts:
        for label, name in part.rows.items():
            settings = RECIPES[name].settings
            assert isinstance(settings, DistillSettings)
            assert label == f"K = {settings.bank_size}, L = {settings.bank_samples}"
            assert settings.bank_samples <= settings.bank_size


def test_only_pairs_of_the_paper_are_trained() -> None:
    pairs = {
        (RECIPES[each.teacher].settings.network, each.settings.network) for each in RECIPES.values() if each.teacher
    }
    small = {("resunet", "resunet-tiny"), ("resunet", "mobilenet")}
    assert pairs == small | {("nested-unet", student) for _, student in small} | {("mala", "mala-tiny")}
