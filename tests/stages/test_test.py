"""Stage test: the files of the contract, refusals before anything is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from siil import config
from siil.anatomy import indices_to_codes
from siil.datasets.cases import write_cases
from siil.errors import ConfigError, DatasetError, InputError, SiilError
from siil.model.build import build_network
from siil.model.weights import Weights, load_network, save_weights
from siil.run import checksums, files
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from siil.scan.labels import labels_present
from siil.scan.preprocess import preprocess
from siil.stages import test as stage  # the name alone would be collected
from tests.datasets.test_cases import case as row
from tests.inference import spines
from tests.inference.test_second_look import ABOUT, Bright
from tests.training.test_validation import Reader

CONFIG = config.resolve("demo", model="siil")
PATCH = (32, 16, 16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A small untrained network; stages must run with it, whatever it says."""
    torch.manual_seed(0)
    small = {"widths": (8, 8, 16), "embed_dim": 16, "heads": 2, "token_channels": 4}
    model = CONFIG.model.model_copy(update=small)
    network = build_network(model=model, patch_vox=PATCH, spacing_mm=3.0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    about = Weights(model=model, patch_vox=PATCH, spacing_mm=3.0, window_hu=CONFIG.dataset.preprocess.window_hu)
    save_weights(path, network, about=about)
    return path


@pytest.fixture
def reading(monkeypatch) -> None:
    """Whatever the weights file holds, the network reads a vertebra's label off its brightness in `spine`."""
    monkeypatch.setattr("siil.model.weights.load_network", lambda path: (Reader(), load_network(path)[1]))
    stage._network.cache_clear()


def spine() -> tuple[np.ndarray, np.ndarray]:
    """HU and VerSe codes (Z, Y, X) in LPS of T12 to L3 at 3 mm, in fat with air in front."""
    truth = spines.tube(["T12", "L1", "L2", "L3"], spacing_mm=3.0).truth
    image = np.where(truth > 0, 200 + 20 * truth.astype(np.int16), -100).astype(np.int16)
    image[:, 0] = -1000
    return image, indices_to_codes(truth)


def to_pir(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[::-1, :, ::-1].transpose(2, 0, 1))


@pytest.fixture
def case(tmp_path) -> tuple[Path, Path]:
    """A preprocessed case: image and geometry on disk. The input is PIR."""
    turned = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    image = to_pir(spine()[0])
    scan = Volume(image, Grid(image.shape, (3.0, 3.0, 3.0), (5.0, -7.0, 90.0), turned))
    made = preprocess(scan, None, settings=CONFIG.dataset.preprocess)
    image, geometry = tmp_path / "img/sub-1.nii.gz", tmp_path / "geometry/sub-1.json"
    volume.write_volume(image, made.image)
    files.write_json(geometry, made.geometry.to_json())
    return image, geometry


def run(image: Path, geometry: Path, weights: Path, output: Path, **looks: Path) -> None:
    """The case alone is on the list."""
    settings = config.partial(config.sections(CONFIG, ("inference",)))
    data = image.parents[1]
    (data / "testing.txt").write_text("sub-1\n")
    stage.test(
        config=settings,
        data=data,
        tested=data / "testing.txt",
        weights=weights,
        output=output,
        manifest=output.with_name(f"{output.name}.sha256"),
        device="cpu",
        **looks,
    )


@pytest.mark.usefixtures("reading")
def test_every_file_of_a_case_is_written(case, weights, tmp_path):
    image, geometry = case
    run(image, geometry, weights, tmp_path / "out")
    kinds = ("seg.nii.gz", "work.nii.gz", "raw.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "core.npz")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"sub-1_{k}" for k in kinds} | {"sub-1_seg.run.json"}
    seg = volume.read_mask(tmp_path / "out/sub-1_seg.nii.gz")
    assert seg.grid.orientation == json.loads(geometry.read_text())["orientation"] == "PIR"
    truth = to_pir(spine()[1])
    assert (seg.array == truth)[(seg.array > 0) | (truth > 0)].mean() > 0.99
    for kind in ("work", "raw"):
        work = volume.read_mask(tmp_path / f"out/sub-1_{kind}.nii.gz")
        assert work.grid.shape == volume.read_grid(image).shape
        assert labels_present(work.array) == {19, 20, 21, 22}
    with np.load(tmp_path / "out/sub-1_core.npz") as core:
        assert core["localisation"].shape == (27, work.grid.shape[0])
        assert len(core["embeddings"]) == len(core["classes"])
    assert json.loads((tmp_path / "out/sub-1_scan.json").read_text())["vertebrae"] == ["T12", "L1", "L2", "L3"]
    assert pd.read_csv(tmp_path / "out/sub-1_vertebrae.tsv", sep="\t")["code"].tolist() == [19, 20, 21, 22]
    _, *centroids = json.loads((tmp_path / "out/sub-1_ctd.json").read_text())
    assert [entry["label"] for entry in centroids] == [19, 20, 21, 22]
    for entry in centroids:
        z, y, x = (round(entry[axis]) for axis in "ZYX")
        assert seg.array[z, y, x] == entry["label"]
    record = json.loads((tmp_path / "out/sub-1_seg.run.json").read_text())
    assert record["stage"] == "test"
    assert set(record["inputs"]) == {"sub-1.nii.gz", "sub-1.json", "weights.safetensors"}
    assert set(record["outputs"]) == {f"sub-1_{kind}" for kind in kinds}
    assert list(checksums.read(tmp_path / "out.sha256")) == [tmp_path / f"out/sub-1_{kind}" for kind in kinds]


@pytest.fixture
def fine(tmp_path) -> tuple[Path, Path]:
    """The same scan in voxels of 1.5 mm, with a row of cases.tsv that says where it is."""
    image = np.kron(spine()[0], np.ones((2, 2, 2), np.int16))
    scan = Volume(image, Grid(image.shape, (1.5, 1.5, 1.5)))
    made = preprocess(scan, None, settings=CONFIG.dataset.preprocess)
    volume.write_volume(tmp_path / "scan.nii.gz", scan)
    volume.write_volume(tmp_path / "img/sub-1.nii.gz", made.image)
    files.write_json(tmp_path / "geometry/sub-1.json", made.geometry.to_json())
    write_cases(tmp_path / "cases.tsv", [replace(row("sub-1"), image=str(tmp_path / "scan.nii.gz"))])
    return tmp_path / "img/sub-1.nii.gz", tmp_path / "geometry/sub-1.json"


@pytest.mark.usefixtures("reading")
def test_with_a_second_look_both_answers_are_written_and_without_it_one(fine, weights, tmp_path, monkeypatch):
    again = tmp_path / "second_look.safetensors"
    again.write_bytes(b"weights")
    monkeypatch.setattr("siil.model.weights.load_second_look", lambda path: (Bright(), ABOUT))
    looks = {"second_look": again, "cases": tmp_path / "cases.tsv"}
    run(*fine, weights, tmp_path / "out", **looks)
    seg, first = (volume.read_mask(tmp_path / f"out/sub-1_{end}.nii.gz") for end in ("seg", "first"))
    truth = np.kron(spine()[1], np.ones((2, 2, 2), np.uint8))
    assert seg.grid == first.grid
    assert labels_present(seg.array) == labels_present(first.array) == {19, 20, 21, 22}
    assert (seg.array != first.array).any()
    assert (seg.array != truth).mean() < 0.01
    record = json.loads((tmp_path / "out/sub-1_seg.run.json").read_text())
    assert {"second_look.safetensors", "scan.nii.gz"} <= set(record["inputs"])
    run(*fine, weights, tmp_path / "out")
    assert not (tmp_path / "out/sub-1_first.nii.gz").exists()
    assert (volume.read_mask(tmp_path / "out/sub-1_seg.nii.gz").array == first.array).all()


def test_a_second_look_wants_to_know_where_the_scans_are(fine, weights, tmp_path):
    with pytest.raises(ConfigError, match=r"--second-look needs --cases"):
        run(*fine, weights, tmp_path / "out", second_look=weights)
    write_cases(tmp_path / "cases.tsv", [row("other")])
    with pytest.raises(DatasetError, match="case sub-1 is not in it"):
        run(*fine, weights, tmp_path / "out", second_look=weights, cases=tmp_path / "cases.tsv")


def test_a_second_time_no_network_is_loaded(case, weights, tmp_path, monkeypatch):
    run(*case, weights, tmp_path / "out")
    stage._network.cache_clear()
    monkeypatch.setattr("siil.model.weights.load_network", None)
    run(*case, weights, tmp_path / "out")


def test_other_weights_under_the_same_name_are_another_network(case, weights, tmp_path):
    mine = tmp_path / "weights.safetensors"
    mine.write_bytes(weights.read_bytes())
    run(*case, mine, tmp_path / "out")
    before = (tmp_path / "out/sub-1_core.npz").read_bytes()
    network, about = load_network(weights)
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(-1)
    save_weights(mine, network, about=about)
    run(*case, mine, tmp_path / "out")
    assert (tmp_path / "out/sub-1_core.npz").read_bytes() != before


@pytest.mark.usefixtures("reading")
def test_the_same_case_gives_the_same_bytes(case, weights, tmp_path):
    for name in ("one", "two"):
        run(*case, weights, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        if "run.json" not in path.name:
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.usefixtures("reading")
def test_a_case_without_a_vertebra_is_no_error(case, weights, tmp_path):
    image, geometry = case
    scan = volume.read_volume(image)
    volume.write_volume(image, Volume(np.minimum(scan.array, 90), scan.grid))
    run(image, geometry, weights, tmp_path / "out")
    assert json.loads((tmp_path / "out/sub-1_scan.json").read_text())["vertebrae"] == []


def test_a_case_of_another_spacing_is_refused_and_nothing_written(case, weights, tmp_path):
    image, geometry = case
    scan = volume.read_volume(image)
    grid = Grid(scan.grid.shape, (2.0, 2.0, 2.0), scan.grid.origin_mm, scan.grid.direction)
    volume.write_volume(image, Volume(scan.array, grid))
    with pytest.raises(InputError, match="weights were trained at 3 mm"):
        run(image, geometry, weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.sha256").exists()


def test_an_image_that_is_not_of_its_geometry_is_refused(case, weights, tmp_path):
    image, geometry = case
    scan = volume.read_volume(image)
    smaller = Grid((scan.grid.shape[0] - 1, *scan.grid.shape[1:]), scan.grid.spacing_mm, scan.grid.origin_mm)
    volume.write_volume(image, Volume(scan.array[1:], smaller))
    with pytest.raises(InputError, match="run preprocess again"):
        run(image, geometry, weights, tmp_path / "out")


def test_weights_that_are_not_there_are_named(case, tmp_path):
    with pytest.raises(SiilError, match=r"nowhere\.safetensors"):
        run(*case, tmp_path / "nowhere.safetensors", tmp_path / "out")
