"""`siil adapt`: scans without labels in, weights and a table of what changed out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import siil.training.start  # noqa: F401  (its own load_network, before `reading` puts another in place)
from siil import config as configuration
from siil.anatomy import UNLABELLED, UNNAMED, indices_to_codes
from siil.config import Config
from siil.errors import DatasetError, InputError
from siil.model.weights import load_network, save_weights
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from siil.stages.adapt import SECTIONS, adapt
from tests.stages.test_test import PATCH, reading, spine, to_pir, weights  # noqa: F401  (fixtures)
from tests.training.doubles import spine_case


def make_config(**changes: object) -> Config:
    """Experiment adapt in the sizes of the fixture `weights`: two steps a round."""
    overrides = {
        "patch": {"size_vox": list(PATCH)},
        "model": {"widths": [8, 8, 16], "embed_dim": 16, "heads": 2, "token_channels": 4},
        "train": {"epochs": 1, "steps_per_epoch": 2, "precision": "32-true", "shares": {"one": 1, "scans": 1}},
        "inference": {"decode": {"uncertain_margin": 0.5}},
    }
    config = configuration.resolve("adapt", model="siil", overrides={**overrides, **changes})
    return configuration.partial(configuration.sections(config, SECTIONS))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two labelled scans: one trains, one validates."""
    folder = tmp_path / "data"
    for name, first in (("a", 19), ("c", 20)):
        case = spine_case(name, first=first, count=3, shape=(24, 20, 20))
        arrays = {"img": case.image, "msk": indices_to_codes(case.labels), "pap": case.weights.astype(np.float32)}
        for part, array in arrays.items():
            volume.write_volume(folder / part / f"{name}.nii.gz", Volume(array, Grid(array.shape, (3.0, 3.0, 3.0))))
    lists = folder / "folds" / "0"
    lists.mkdir(parents=True)
    for part, text in (("training", "a\n"), ("validation", "c\n"), ("testing", "")):
        (lists / f"{part}.txt").write_text(text)
    (lists / "sources.tsv").write_text("case\tsource\na\tone\n")
    return folder


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with a scan of T12 to L3, in PIR, called NA."""
    image = to_pir(spine()[0])
    turned = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    volume.write_volume(
        tmp_path / "scans/NA.nii.gz", Volume(image, Grid(image.shape, (3.0, 3.0, 3.0), direction=turned))
    )
    return tmp_path / "scans"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.usefixtures("reading")
def test_each_round_labels_keeps_what_it_trusts_and_trains(data, scans, weights, tmp_path):  # noqa: F811
    before, out = digests(scans), tmp_path / "out"
    options = {"scans": [scans], "output": out, "data": data, "weights": weights, "device": "cpu"}
    adapt(config=make_config(adapt={"rounds": 2}), **options)
    assert digests(scans) == before  # nothing is written beside the scans
    rows = pd.read_csv(out / "scans.tsv", sep="\t", keep_default_na=False)
    assert rows["round"].tolist() == [0, 1, 2]
    assert set(rows["scan"]) == {"NA"}
    assert set(rows["enumeration"]) == {"T12-L3"}
    assert rows["agreement"].tolist() == ["", "1.000", "1.000"]
    assert rows["named"].astype(float).between(0.5, 1).all()
    assert (rows[["named", "unnamed", "ignored"]].astype(float).sum(axis=1) - 1).abs().max() < 0.002
    taught = volume.read_mask(out / "work/round1/msk/scans-NA.nii.gz").array
    assert {19, 20, 21, 22, UNNAMED} <= set(np.unique(taught)) <= {0, 19, 20, 21, 22, UNNAMED, UNLABELLED}
    pap = volume.read_volume(out / "work/round1/pap/scans-NA.nii.gz").array
    assert pap[taught == 20].sum() > 0
    assert not pap[taught == UNLABELLED].any()
    record = json.loads((out / "work/round2/train/run.json").read_text())
    assert str(out / "work/round1/train/weights.safetensors") in record["inputs"]
    assert (out / "weights.safetensors").read_bytes() == (out / "work/round2/train/weights.safetensors").read_bytes()
    assert load_network(out / "weights.safetensors")[1].experiment == "adapt"
    assert (out / "scans.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("reading")
def test_called_again_it_reads_and_trains_nothing_anew(data, scans, weights, tmp_path, caplog, monkeypatch):  # noqa: F811
    options = {"scans": [scans], "output": tmp_path / "out", "data": data, "weights": weights, "device": "cpu"}
    adapt(config=make_config(), **options)
    first = (tmp_path / "out/weights.safetensors").read_bytes()
    monkeypatch.setattr("siil.inference.predict_case.predict_case", lambda *_, **__: pytest.fail("read again"))
    with caplog.at_level("INFO"):
        adapt(config=make_config(), **options)
    assert "after step 2" in caplog.text
    assert (tmp_path / "out/weights.safetensors").read_bytes() == first


def test_a_dataset_without_folds_is_refused_before_a_scan_is_read(scans, weights, tmp_path):  # noqa: F811
    options = {"scans": [scans], "output": tmp_path / "out", "weights": weights, "device": "cpu"}
    with pytest.raises(DatasetError, match=r"none/folds/0/training.txt: expected a list of case ids, got nothing"):
        adapt(config=make_config(), data=tmp_path / "none", **options)
    assert not (tmp_path / "out").exists()


def test_weights_of_another_grid_are_refused_in_one_line(data, scans, weights, tmp_path):  # noqa: F811
    network, about = load_network(weights)
    save_weights(tmp_path / "fine.safetensors", network, about=replace(about, spacing_mm=1.5))
    with pytest.raises(DatasetError, match=r"fine\.safetensors: trained at 1.5 mm, the dataset is at 3 mm"):
        adapt(
            config=make_config(),
            scans=[scans],
            output=tmp_path / "out",
            data=data,
            weights=tmp_path / "fine.safetensors",
            device="cpu",
        )


@pytest.mark.usefixtures("reading")
def test_a_line_of_levels_settles_a_count(data, scans, weights, tmp_path):  # noqa: F811
    """The network says T12 to L3; a person who counted says that the first is T11."""
    levels = tmp_path / "levels.tsv"
    levels.write_text("scan\tfirst\nNA\tT11\n")
    options = {"scans": [scans], "data": data, "weights": weights, "device": "cpu", "config": make_config()}
    adapt(**options, output=tmp_path / "out", levels=levels)
    rows = pd.read_csv(tmp_path / "out/scans.tsv", sep="\t", keep_default_na=False)
    assert rows["enumeration"].tolist() == ["T11-L2"] * 2
    assert rows["reason"].tolist() == ["settled: --first T11"] * 2
    taught = volume.read_mask(tmp_path / "out/work/round1/msk/scans-NA.nii.gz").array
    assert set(np.unique(taught)) - {0, UNNAMED, UNLABELLED} == {18, 19, 20, 21}
    levels.write_text("scan\tfirst\nother\tT11\n")
    with pytest.raises(DatasetError, match=r"levels\.tsv: no scan other"):
        adapt(**options, output=tmp_path / "out", levels=levels)
    levels.write_text("scan\tlast\nNA\tC2\n")
    with pytest.raises(InputError, match=r"1 of 1 scans failed: NA \(--last C2: .* beyond C1\)"):
        adapt(**options, output=tmp_path / "out", levels=levels)
