"""Stage test: the files of the contract, refusals before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from siil import config, files, volume
from siil.errors import InputError, SiilError
from siil.grid import Grid, Volume
from siil.model.build import build_network
from siil.model.weights import Weights, save_weights
from siil.preprocess import preprocess
from siil.stages import test as stage  # the name alone would be collected

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
def case(tmp_path) -> tuple[Path, Path]:
    """A preprocessed case: image and geometry on disk. The input is PIR with 2 x 1.5 x 1.5 mm."""
    turned = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    noise = np.random.default_rng(0).integers(-900, 900, (24, 40, 20)).astype(np.int16)
    scan = Volume(noise, Grid((24, 40, 20), (1.5, 2.0, 1.5), (5.0, -7.0, 90.0), turned))
    made = preprocess(scan, None, settings=CONFIG.dataset.preprocess)
    image, geometry = tmp_path / "img/sub-1.nii.gz", tmp_path / "geometry/sub-1.json"
    volume.write_volume(image, made.image)
    files.write_json(geometry, made.geometry.to_json())
    return image, geometry


def run(image: Path, geometry: Path, weights: Path, output: Path) -> None:
    settings = config.partial(config.sections(CONFIG, ("inference",)))
    stage.test(config=settings, image=image, geometry=geometry, weights=weights, output=output, device="cpu")


def test_every_file_of_a_case_is_written(case, weights, tmp_path):
    image, geometry = case
    run(image, geometry, weights, tmp_path / "out")
    kinds = ("seg.nii.gz", "work.nii.gz", "raw.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "core.npz")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"sub-1_{k}" for k in kinds} | {"sub-1_seg.run.json"}
    seg = volume.read_mask(tmp_path / "out/sub-1_seg.nii.gz")
    assert seg.grid.shape == (24, 40, 20)
    assert seg.grid.orientation == json.loads(geometry.read_text())["orientation"]
    work = volume.read_mask(tmp_path / "out/sub-1_work.nii.gz")
    assert work.grid.shape == volume.read_grid(image).shape
    with np.load(tmp_path / "out/sub-1_core.npz") as core:
        assert core["localisation"].shape == (27, work.grid.shape[0])
        assert len(core["embeddings"]) == len(core["classes"])
    record = json.loads((tmp_path / "out/sub-1_seg.run.json").read_text())
    assert record["stage"] == "test"
    assert set(record["inputs"]) == {"sub-1.nii.gz", "sub-1.json", "weights.safetensors"}


def test_the_same_case_gives_the_same_bytes(case, weights, tmp_path):
    for name in ("one", "two"):
        run(*case, weights, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        if "run.json" not in path.name:
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_case_of_another_spacing_is_refused_and_nothing_written(case, weights, tmp_path):
    image, geometry = case
    scan = volume.read_volume(image)
    grid = Grid(scan.grid.shape, (2.0, 2.0, 2.0), scan.grid.origin_mm, scan.grid.direction)
    volume.write_volume(image, Volume(scan.array, grid))
    with pytest.raises(InputError, match="weights were trained at 3 mm"):
        run(image, geometry, weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
