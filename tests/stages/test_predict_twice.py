"""`siil predict` with its second look: what it changes, what it never changes, and what is said of it."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from siil import config
from siil.errors import ConfigError, WeightsError
from siil.inference.results import find_results
from siil.model.second_look import SecondLook, SecondLookWeights
from siil.model.weights import save_second_look
from siil.run.files import sha256
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from siil.stages import predict as stage
from siil.stages.relabel import SECTIONS as RELABEL
from siil.stages.relabel import relabel
from tests.inference.test_second_look import Always
from tests.stages.test_test import CONFIG, reading, spine, weights

ABOUT = SecondLookWeights(widths=(4, 4, 4), spacing_mm=1.0, margin_mm=6.0, window_hu=(-300.0, 1300.0))
NAMES = ["T12", "L1", "L2", "L3"]
ANSWER = ("seg.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "preview.png", "viewer.html")


class Echo(nn.Module):
    """Says what the first look said."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        own, others = inputs[:, 1], inputs[:, 2]
        return torch.stack([(1 - own - others).clamp(min=0), own, others], dim=1).clamp(min=1e-6).log()


class Bone(nn.Module):
    """Takes what is brighter than 100 HU for this vertebra where the first look saw it."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        bone = inputs[:, 0] > 2 * (100 + 300) / 1600 - 1
        mine = inputs[:, 1] > 0.2
        return 20.0 * torch.stack([~(bone & mine), bone & mine, torch.zeros_like(bone)], dim=1).float()


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A small untrained second look."""
    torch.manual_seed(0)
    path = tmp_path / "second/small.safetensors"
    save_second_look(path, SecondLook(ABOUT.widths), about=ABOUT)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """The spine at 1.5 mm, with a fine canal through every vertebra that 3 mm do not show."""
    fine = spine()[0].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    fine[:, ::6, ::6] = np.where(fine[:, ::6, ::6] > 100, 0, fine[:, ::6, ::6])
    path = tmp_path / "in/patient.nii.gz"
    volume.write_volume(path, Volume(fine, Grid(fine.shape, (1.5, 1.5, 1.5), (0.75, 0.75, 0.75))))
    return path


def run(scan: Path, output: Path, weights: Path, **options: object) -> dict:
    """The facts of the scan. refine: of the configuration."""
    inference = CONFIG.inference.model_copy(update={"refine": options.pop("refine", True)})
    settings = config.partial(config.sections(CONFIG.model_copy(update={"inference": inference}), stage.SECTIONS))
    stage.predict(config=settings, scans=[scan], output=output, weights=weights, device="cpu", **options)
    return json.loads((output / "patient_scan.json").read_text())


def looks(monkeypatch: pytest.MonkeyPatch, network: nn.Module) -> None:
    """Whatever its file holds, the second look is `network`."""
    monkeypatch.setattr("siil.model.weights.load_second_look", lambda path: (network, ABOUT))


def seg(output: Path) -> np.ndarray:
    return volume.read_mask(output / "patient_seg.nii.gz").array


def table(output: Path) -> pd.DataFrame:
    return pd.read_csv(output / "patient_vertebrae.tsv", sep="\t", keep_default_na=False).set_index("label")


@pytest.mark.usefixtures("reading")
def test_fast_is_the_answer_without_a_second_look_to_the_bit(tmp_path, scan, weights):
    answers = []
    for words in ({"fast": True}, {"refine": False}):
        facts = run(scan, tmp_path / "out", weights, **words)
        assert facts["vertebrae"] == NAMES
        assert facts["second_look_mm"] is None
        record = json.loads((tmp_path / "out/run.json").read_text())
        assert record["config"]["inference"]["refine"] is False
        assert "second_look" not in record
        assert list(record["parts_seconds"]) == ["read", "preprocess", "network", "labels", "write"]
        answers.append({kind: sha256(tmp_path / f"out/patient_{kind}") for kind in ANSWER})
    assert answers[0] == answers[1]


@pytest.mark.usefixtures("reading")
def test_a_second_look_that_says_what_the_first_said_changes_nothing(tmp_path, scan, weights, second, monkeypatch):
    looks(monkeypatch, Echo())
    run(scan, tmp_path / "first", weights, fast=True)
    facts = run(scan, tmp_path / "both", weights, second_look=second)
    first, both = seg(tmp_path / "first"), seg(tmp_path / "both")
    assert facts["vertebrae"] == NAMES
    assert facts["second_look_mm"] == 1.5  # never finer than the scan
    assert (first == both)[(first > 0) | (both > 0)].mean() > 0.99
    assert (table(tmp_path / "both")["flags"] == table(tmp_path / "first")["flags"]).all()


@pytest.mark.usefixtures("reading")
def test_what_it_finds_is_in_every_number(tmp_path, scan, weights, second, monkeypatch):
    looks(monkeypatch, Bone())
    run(scan, tmp_path / "first", weights, fast=True)
    facts = run(scan, tmp_path / "both", weights, second_look=second)
    assert facts["vertebrae"] == NAMES
    source, labels = volume.read_image(scan), seg(tmp_path / "both")
    canal = (source.array == 0) & (seg(tmp_path / "first") > 0)
    assert canal.any()
    assert not labels[canal].any()  # of a voxel's width, on the scan's own grid
    rows = table(tmp_path / "both")
    for name, code in zip(NAMES, (19, 20, 21, 22), strict=True):
        mine = labels == code
        assert rows.loc[name, "mean_hu"] == pytest.approx(source.array[mine].mean(), abs=0.06)
        assert rows.loc[name, "volume_mm3"] == pytest.approx(mine.sum() * 1.5**3, abs=0.06)
        middle = np.argwhere(mine).mean(axis=0) * 1.5 + 0.75
        centre = rows.loc[name, ["centroid_z_mm", "centroid_y_mm", "centroid_x_mm"]].astype(float)
        assert centre.to_numpy() == pytest.approx(middle, abs=0.01)
    assert (rows["volume_mm3"] < table(tmp_path / "first")["volume_mm3"]).all()


@pytest.mark.usefixtures("reading")
def test_where_it_finds_nothing_the_first_stays_and_that_is_said(tmp_path, scan, weights, second, monkeypatch):
    looks(monkeypatch, Always(9.0, 0.0, 0.0))
    run(scan, tmp_path / "first", weights, fast=True)
    facts = run(scan, tmp_path / "both", weights, second_look=second)
    first, both = seg(tmp_path / "first"), seg(tmp_path / "both")
    assert facts["vertebrae"] == NAMES
    assert all("first_look" in flags.split() for flags in table(tmp_path / "both")["flags"])
    assert (first == both)[(first > 0) | (both > 0)].mean() > 0.99
    relabel(config=config.partial(config.sections(CONFIG, RELABEL)), result=tmp_path / "both", shift=-1)
    rows = table(tmp_path / "both")
    assert list(rows.index) == ["T11", "T12", "L1", "L2"]
    assert all({"first_look", "by_hand"} <= set(flags.split()) for flags in rows["flags"])
    assert json.loads((tmp_path / "both/patient_scan.json").read_text())["second_look_mm"] == 1.5


@pytest.mark.usefixtures("reading")
def test_an_untrained_one_changes_no_name_and_its_run_is_on_record(tmp_path, scan, weights, second):
    facts = run(scan, tmp_path / "out", weights, second_look=second)
    assert facts["vertebrae"] == NAMES
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["inputs"]["small.safetensors"] == sha256(second)
    assert record["second_look"] == {"weights": "small.safetensors", "spacing_mm": 1.0, "code": ""}
    parts = record["parts_seconds"]
    assert list(parts) == ["read", "preprocess", "network", "labels", "second look", "write"]
    assert parts["second look"] > 0
    assert len(find_results(tmp_path / "out")) == 1


@pytest.mark.usefixtures("reading")
def test_a_scan_too_coarse_for_it_gets_the_first_looks_masks(tmp_path, weights, second, monkeypatch):
    looks(monkeypatch, Always(0.0, 9.0, 0.0))  # would take every crop whole
    image = spine()[0]
    path = tmp_path / "in/patient.nii.gz"
    volume.write_volume(path, Volume(image, Grid(image.shape, (3.0, 3.0, 3.0))))
    facts = run(path, tmp_path / "out", weights, second_look=second)
    assert facts["second_look_mm"] is None
    assert (seg(tmp_path / "out") == spine()[1])[spine()[1] > 0].mean() > 0.99
    assert not any("first_look" in flags for flags in table(tmp_path / "out")["flags"])


def test_a_second_look_is_not_both_named_and_left_out(tmp_path, scan, weights, second):
    with pytest.raises(ConfigError, match="expected one of --fast and --second-look, got both"):
        run(scan, tmp_path / "out", weights, second_look=second, fast=True)


def test_weights_of_a_first_look_are_no_second_one(tmp_path, scan, weights):
    with pytest.raises(WeightsError, match=r"expected the second_look\.safetensors of siil refine"):
        run(scan, tmp_path / "out", weights, second_look=weights)
    assert not (tmp_path / "out").exists()
