"""Names of keys: which key a name of a file means, and which one a misspelt name was meant to be."""

from __future__ import annotations

import pytest

from siil.config import known_keys
from siil.config.names import hint, key_of, nearest, nearest_key


def test_every_kind_of_source_and_what_may_be_null_has_its_keys():
    keys = known_keys()
    assert "dataset.sources.<custom>.path" in keys
    assert "dataset.sources.<phantom>.recipe.variety.slip" in keys  # variety may be null


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("train.epochs", "train.epochs"),
        ("dataset.sources.mine.edition", "dataset.sources.<verse>.edition"),
        ("per_model.unet.train.epochs", "train.epochs"),
        ("train.epoch", None),
        ("dataset.sources.mine", None),
    ],
)
def test_a_name_means_one_key_or_none(name, key):
    assert key_of(name, known_keys()) == key


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("trian", "train"),
        ("train.epoch", "train.epochs"),
        ("trian.epochs", "train.epochs"),  # its last word is right
        ("trian.epoch", "train.epochs"),  # none of its words is
        ("overlap", "inference.overlap"),
        ("dataset.sources.mine.pth", "dataset.sources.mine.path"),
        ("dataset.sources.mine.recipe.variety.slipp", "dataset.sources.mine.recipe.variety.slip"),
        ("per_model.unet.train.epoch", "per_model.unet.train.epochs"),
        ("xyz", None),
    ],
)
def test_the_nearest_lies_beside_the_name_before_it_lies_elsewhere(name, meant):
    assert nearest_key(name, known_keys()) == meant


def test_a_hint_is_words_where_there_is_a_nearest_and_nothing_else():
    assert hint(nearest("sil", ["unet", "siil"])) == "; did you mean siil?"
    assert hint(nearest(5, ["unet", "siil"])) == ""
