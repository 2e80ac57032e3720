"""Stage `fetch`: every kind of source ends in a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siil.datasets import manifest
from siil.errors import ConfigError, DatasetError
from siil.stages.fetch import fetch
from tests import scans
from tests.datasets import trees
from tests.stages import data


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(full, name):
    fetch(
        config=data.partial(full, "fetch"),
        source=name,
        folder=Path("data/raw") / name,
        manifest_path=Path(f"data/raw/{name}.tsv"),
    )
    return manifest.read_manifest(Path(f"data/raw/{name}.tsv"))


def phantom_recipe(patients: int):
    return {
        "kind": "phantom",
        "recipe": data.dataset("tiny").dataset.sources["phantom_tiny"].recipe.model_dump()
        | {"patients": patients, "second_series": 0},
    }


def test_phantoms_are_drawn_and_listed_and_those_of_an_older_recipe_are_gone():
    for patients in (2, 1):
        full = data.dataset("tiny", sources={"phantom_tiny": phantom_recipe(patients)})
        entries = run(full, "phantom_tiny")
        images = [entry for entry in entries if entry.path.name.endswith("_ct.nii.gz")]
        assert len(images) == patients
    record = json.loads(Path("data/raw/phantom_tiny.run.json").read_text())
    assert record["config"]["dataset"]["sources"]["phantom_tiny"]["recipe"]["patients"] == 1


def test_a_folder_that_holds_something_else_is_not_emptied_for_phantoms():
    Path("data/raw/phantom_tiny").mkdir(parents=True)
    Path("data/raw/phantom_tiny/thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match=r"got thesis\.txt"):
        run(data.dataset("tiny", sources={"phantom_tiny": phantom_recipe(1)}), "phantom_tiny")
    assert Path("data/raw/phantom_tiny/thesis.txt").is_file()


def test_own_files_are_listed_and_never_written_to(tmp_path):
    scans.write_pair(tmp_path / "mine/img/a.nii.gz", tmp_path / "mine/msk/a.nii.gz")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "mine").rglob("*"))
    entries = run(data.dataset(sources={"mine": {"kind": "custom", "path": "mine"}}), "mine")
    assert [str(entry.path) for entry in entries] == ["mine/img/a.nii.gz", "mine/msk/a.nii.gz"]
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "mine").rglob("*")) == before


def test_a_public_set_needs_its_licence(tmp_path):
    trees.verse19(tmp_path / "tree")
    full = data.dataset(sources={"verse19": data.source(tmp_path / "tree")})
    with pytest.raises(ConfigError, match=r"accept_licence"):
        run(full, "verse19")
    assert not Path("data").exists()
    accepted = data.dataset(sources={"verse19": data.source(tmp_path / "tree")}, accept_licence=True)
    assert len(run(accepted, "verse19")) > 15


def test_an_unknown_source_is_named():
    with pytest.raises(ConfigError, match=r"dataset\.sources has no verse91; there are verse19"):
        run(data.dataset(), "verse91")
