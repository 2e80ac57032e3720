"""What a configuration names and is not there is said in one line, key by key."""

from __future__ import annotations

import pytest

from siil import config as configuration
from siil.errors import ConfigError

CASES = [
    ("pretrain", {}, ["dataset.sources.patients.path: data/patients is not there"]),
    ("finetune", {}, ["dataset.sources.own.path: data/own is not there"]),
    ("adapt", {}, ["adapt.scans: data/unlabelled is not there"]),
    ("adapt", {"adapt": {"scans": "a", "levels": "b.tsv"}}, ["adapt.scans: a is", "adapt.levels: b.tsv is"]),
    ("tiny", {"train": {"init_weights": "w"}}, ["train.init_weights: w is not there"]),
    ("tiny", {"refine": {"enabled": True, "first": "w", "init_weights": "v"}}, ["refine.first: w", "init_weights: v"]),
]


@pytest.mark.parametrize(("experiment", "overrides", "lines"), CASES)
def test_what_is_not_there_is_named_with_its_key(tmp_path, experiment, overrides, lines):
    config = configuration.resolve(experiment, overrides=overrides)
    (tmp_path / "siil/pretrained").mkdir(parents=True)
    (tmp_path / "siil/pretrained/patients.safetensors").touch()
    with pytest.raises(ConfigError) as caught:
        configuration.check_places([config, config], tmp_path)
    said = str(caught.value)
    assert all(line in said for line in lines)
    assert said.count(" is not there") == len(lines)
    assert said.endswith("; put it there, or name another place")


def test_nothing_is_asked_of_what_is_not_used(tmp_path):
    config = configuration.resolve("tiny", overrides={"refine": {"enabled": False, "first": "w"}})
    configuration.check_places([config], tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    config = configuration.resolve("finetune", overrides={"train": {"init_weights": None}})
    configuration.check_places([config], tmp_path)
