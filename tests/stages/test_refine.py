"""Stage refine: crops of labelled scans become weights; a killed run resumes to the same bytes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from siil import config as configuration
from siil.config import Config
from siil.datasets.cases import Case, write_cases
from siil.errors import ConfigError, DatasetError, WeightsError
from siil.model.build import build_network
from siil.model.weights import Weights, load_second_look, save_weights
from siil.run import files
from siil.run.pipeline import BY_NAME
from siil.scan.grid import Grid, Volume
from siil.scan.preprocess import preprocess
from siil.scan.undo import SoftMap
from siil.scan.volume import write_volume
from siil.stages.refine import choose_cases, refine
from siil.training.crop_batches import CropBatches

SIZES = {"patch_vox": [16, 16, 16], "widths": [4, 4, 4], "epochs": 2, "steps_per_epoch": 3, "half": False}


def resolve(**changes: Any) -> Config:
    overrides: dict[str, Any] = {
        "refine": SIZES | changes,
        "train": {"precision": "32-true", "checkpoint_every_steps": 2},
    }
    return configuration.resolve("tiny", model="siil", overrides=overrides)


def section(full: Config) -> Config:
    return configuration.partial(configuration.sections(full, BY_NAME["refine"].sections))


def row(case: str, image: Path, mask: Path, source: str) -> Case:
    texts = dict.fromkeys(("edition", "split", "centroids", "orientation", "spacing_mm", "size_vox", "labels"), "")
    files_of = {"image": str(image), "mask": str(mask), "defects": ""}
    digests = {"image_sha256": files.sha256(image), "mask_sha256": files.sha256(mask)}
    return Case(case=case, patient=case, source=source, **texts, **files_of, **digests)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scans with a block each of L1 and L2: two train, one validates, one is too coarse."""
    folder, settings = tmp_path_factory.mktemp("data"), resolve().dataset.preprocess
    rows = []
    for number, name in enumerate(("a", "b", "c", "thick")):
        spacing = (3.0, 3.0, 3.0) if name == "thick" else (1.0, 1.0, 1.0)
        truth = np.zeros((48, 40, 40), np.uint8)
        truth[8 : 20 + number, 12:28, 12:28] = 20
        truth[22 + number : 36, 12:28, 12:28] = 21
        image = np.where(truth > 0, 500, -80).astype(np.int16)
        grid = Grid(truth.shape, spacing)
        paths = folder / "raw" / f"{name}_ct.nii.gz", folder / "raw" / f"{name}_msk.nii.gz"
        write_volume(paths[0], Volume(image, grid))
        write_volume(paths[1], Volume(truth, grid))
        made = preprocess(Volume(image, grid), Volume(truth, grid), settings=settings)
        assert made.mask is not None
        write_volume(folder / "img" / f"{name}.nii.gz", made.image)
        write_volume(folder / "msk" / f"{name}.nii.gz", made.mask)
        files.write_json(folder / "geometry" / f"{name}.json", made.geometry.to_json())
        rows.append(row(name, *paths, source="two" if name == "b" else "one"))
    write_cases(folder / "cases.tsv", rows)
    lists = folder / "folds" / "0"
    lists.mkdir(parents=True)
    (lists / "training.txt").write_text("a\nb\nthick\n")
    (lists / "validation.txt").write_text("c\n")
    full = resolve()
    torch.manual_seed(0)
    network = build_network(model=full.model, patch_vox=(16, 16, 16), spacing_mm=3.0)
    about = Weights(model=full.model, patch_vox=(16, 16, 16), spacing_mm=3.0, window_hu=settings.window_hu)
    save_weights(folder / "weights.safetensors", network, about=about)
    return folder


def see(patched: pytest.MonkeyPatch) -> None:
    """Whatever the first look's weights hold, it sees each block of bone, a voxel of 3 mm too small in the plane."""

    def maps(network: object, image: Volume, **_: object) -> list[SoftMap]:
        bone = image.array > 300
        slices = np.flatnonzero(bone.any((1, 2)))
        gap = next(z for z in range(slices[0], slices[-1]) if not bone[z].any() or z == slices.mean() // 1)
        _, y, x = (np.flatnonzero(bone.any(axes)) for axes in ((1, 2), (0, 2), (0, 1)))
        shape = (len(y) - 2, len(x) - 2)
        spans = ((20, slices[0], gap), (21, gap + 1, slices[-1] + 1))
        return [SoftMap(k, (a, y[1], x[1]), np.ones((b - a, *shape), np.float32)) for k, a, b in spans]

    patched.setattr("siil.inference.predict_case.first_maps", maps)


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch)


def run(data: Path, output: Path, **changes: Any) -> Path:
    refine(
        config=section(resolve(**changes)),
        cases=data / "cases.tsv",
        data=data,
        lists=data / "folds" / "0",
        first=data / "weights.safetensors",
        output=output,
        device="cpu",
    )
    return output


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        see(patched)
        return run(data, tmp_path_factory.mktemp("trained"))


def test_it_writes_weights_history_record_and_lessons(trained: Path) -> None:
    network, about = load_second_look(trained / "second_look.safetensors")
    assert (about.spacing_mm, about.widths, about.experiment) == (1.0, (4, 4, 4), "tiny")
    history = pd.read_csv(trained / "history.tsv", sep="\t")
    assert history["phase"].tolist() == ["train", "validation"] * 2
    assert history["dice"].dropna().between(0, 1).all()
    assert sorted(path.stem for path in (trained / "lessons").glob("*.npz")) == ["a", "b", "c"]
    record = json.loads((trained / "run.json").read_text())
    assert record["lessons"] == {"training": 4, "validation": 2}
    assert record["steps"] == 6
    assert record["parameters"] == sum(p.numel() for p in network.parameters())


def test_the_same_configuration_gives_the_same_bytes(data: Path, trained: Path, tmp_path: Path) -> None:
    again = run(data, tmp_path)
    one, two = ((folder / "second_look.safetensors").read_bytes() for folder in (trained, again))
    assert one == two


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_resumes_to_the_same_bytes_and_makes_no_lesson_twice(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = CropBatches.draw

    def dying(self: CropBatches, step: int) -> Any:
        if step == 5:
            raise KilledError
        return draw(self, step)

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(CropBatches, "draw", dying)
        run(data, tmp_path)
    assert (tmp_path / "last.ckpt").exists()
    assert not (tmp_path / "second_look.safetensors").exists()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "lessons").iterdir()}
    run(data, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "lessons").iterdir()} == times
    one, two = ((folder / "second_look.safetensors").read_bytes() for folder in (trained, tmp_path))
    assert one == two


def test_another_margin_makes_the_lessons_anew(
    data: Path, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(data, tmp_path)
    before = (tmp_path / "lessons" / "a.npz").read_bytes()
    with caplog.at_level(logging.WARNING):
        run(data, tmp_path, margin_mm=3, epochs=1)
    assert (tmp_path / "lessons" / "a.npz").read_bytes() != before
    assert "is set aside" in caplog.text


def test_a_training_starts_from_given_weights_of_its_own_widths(data: Path, trained: Path, tmp_path: Path) -> None:
    start = trained / "second_look.safetensors"
    run(data, tmp_path, init_weights=str(start), learning_rate=1e-9, weight_decay=0, epochs=1)
    (one, _), (two, _) = (load_second_look(path / "second_look.safetensors") for path in (trained, tmp_path))
    for value, other in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(value, other, atol=1e-6)
    assert start.name in {Path(name).name for name in json.loads((tmp_path / "run.json").read_text())["inputs"]}
    with pytest.raises(WeightsError, match=r"widths \[4, 4, 4\] there and \[4, 4, 8\] here"):
        run(data, tmp_path / "other", init_weights=str(start), widths=[4, 4, 8])


def test_cases_are_chosen_evenly_from_each_source(data: Path) -> None:
    paths = (data / "cases.tsv", data, data / "folds" / "0")
    every = choose_cases(*paths, most=None, coarsest_mm=9)
    assert [case.case for case in every["training"]] == ["a", "b", "thick"]
    one = choose_cases(*paths, most=1, coarsest_mm=1.6)
    assert [case.case for case in one["training"]] == ["a", "b"]
    with pytest.raises(DatasetError, match=r"no training scan has an axis of 0.5 mm or less"):
        choose_cases(*paths, most=None, coarsest_mm=0.5)


def test_a_share_of_a_source_without_crops_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"source three has no crop in this fold; there are one, two"):
        run(data, tmp_path, shares={"three": 1})


def test_a_case_of_the_lists_that_is_not_in_the_table_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "training.txt").write_text("z\n")
    (tmp_path / "validation.txt").write_text("")
    with pytest.raises(DatasetError, match="case z is not in"):
        choose_cases(data / "cases.tsv", data, tmp_path, most=None, coarsest_mm=2)
