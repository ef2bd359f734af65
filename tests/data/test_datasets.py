"""The registry of data sets."""

import pytest

from segraft.data import DATASETS, open_dataset
from segraft.errors import UserError


def test_known_data_sets_are_opened_by_name() -> None:
    assert len(open_dataset("synthetic", None, "val", count=3)) == 3


def test_unknown_names_and_options_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"bbbc039.*folder.*synthetic"):
        open_dataset("bbbc38", None, "train")
    with pytest.raises(UserError, match=r"no option 'densty'.*density"):
        open_dataset("synthetic", None, "train", densty=1)
    with pytest.raises(UserError, match=r"no option 'count'.*it has: labelled, seed"):
        open_dataset("bbbc039", ".", "train", count=1)


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"neurites", "synthetic"}))
def test_readers_of_files_ask_for_their_folder(name: str) -> None:
    with pytest.raises(UserError, match="root"):
        open_dataset(name, None, "train")
