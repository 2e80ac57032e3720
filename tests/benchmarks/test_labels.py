"""The measuring of labels: resumed, not mixed, and right on scans whose answer is known."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import labels, reader
from benchmarks.subjects import of_dataset, of_folder, of_seeds
from siil import config
from siil.anatomy import BY_CODE
from siil.errors import DatasetError
from siil.model.weights import load_network
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from tests.inference.test_second_look import Always
from tests.stages.test_predict_twice import ABOUT, second
from tests.stages.test_test import spine, weights
from tests.training.test_validation import Reader

CONFIG = config.resolve("pretrain")
PREPROCESS = CONFIG.dataset.preprocess


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The network reads a vertebra's label off its brightness; the list grows with every scan that it reads."""
    made: list[str] = []
    monkeypatch.setattr(reader, "load_network", lambda path: (Reader(), load_network(path)[1]))
    true = reader.predict_case
    monkeypatch.setattr(reader, "predict_case", lambda *a, **b: made.append("x") or true(*a, **b))
    return made


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A folder with one scan, T12 to L3 at 3 mm, stored in RAS."""
    image, codes = spine()
    ras = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
    for name, array in (("ct", image), ("msk", codes)):
        turned = np.ascontiguousarray(array[:, ::-1, ::-1])
        grid = Grid(turned.shape, (3.0, 3.0, 3.0), (30.0, 20.0, -40.0), ras)
        volume.write_volume(tmp_path / f"real/one/{name}.nii.gz", Volume(turned, grid))
    return tmp_path / "real"


def measure(monkeypatch, *words: str) -> None:
    """Without a second look, but where one is named."""
    if "--second-look" not in words:
        words = (*words, "--set", "inference.refine=false")
    monkeypatch.setattr(sys, "argv", ["labels", "--experiment", "pretrain", "--device", "cpu", *words])
    labels.main()


def test_a_scan_is_measured_once_and_its_row_holds_both_grids(monkeypatch, tmp_path, weights, real, calls, capsys):
    out = tmp_path / "out"
    words = ("--weights", str(weights), "--real", str(real), "--output", str(out))
    measure(monkeypatch, *words)
    row = pd.read_csv(out / "scans.tsv", sep="\t").iloc[0]
    assert (row["case"], row["group"], row["n_truth"], row["enumeration"]) == ("one", "real", 4, "T12-L3")
    assert row["work_id_rate_strict"] == row["raw_id_rate_verse"] == 1
    assert row["work_all_right"]
    assert row["work_dice"] > 0.98
    assert row["ceiling_dice"] == pytest.approx(1)  # the spacing is kept
    assert "| real, one | 1 | 1.000 → 1.000 |" in capsys.readouterr().out
    assert (out / "gallery.png").is_file()
    measure(monkeypatch, *words)
    assert calls == ["x"]
    measure(monkeypatch, "--output", str(out))  # the table alone
    assert "| real, one | 1 |" in capsys.readouterr().out


def test_both_looks_are_scored_where_a_second_is_taken(monkeypatch, tmp_path, weights, calls, second, capsys):
    fine = [array.repeat(2, 0).repeat(2, 1).repeat(2, 2) for array in spine()]
    for name, array in zip(("ct", "msk"), fine, strict=True):
        volume.write_volume(tmp_path / f"real/one/{name}.nii.gz", Volume(array, Grid(array.shape, (1.5, 1.5, 1.5))))
    monkeypatch.setattr(reader, "load_second_look", lambda path: (Always(9.0, 0.0, 0.0), ABOUT))  # finds nothing
    words = ("--weights", str(weights), "--real", str(tmp_path / "real"), "--second-look", str(second))
    measure(monkeypatch, *words, "--output", str(tmp_path / "out"))
    row = pd.read_csv(tmp_path / "out/scans.tsv", sep="\t").iloc[0]
    assert row["first_dice"] == pytest.approx(row["input_dice"], abs=0.01)
    assert row["first_dice"] > 0.9
    assert f"| {row['first_dice']:.3f} |" in capsys.readouterr().out


def test_other_settings_of_the_decoding_need_no_network_but_another_folder(monkeypatch, tmp_path, weights, real, calls):
    words = ("--weights", str(weights), "--real", str(real), "--network", str(tmp_path / "network"))
    measure(monkeypatch, *words, "--output", str(tmp_path / "a"))
    with pytest.raises(SystemExit, match=r"ERROR: .*a: holds scans of another recipe, weights or settings"):
        measure(monkeypatch, *words, "--output", str(tmp_path / "a"), "--set", "inference.decode.disc_weight=0")
    flagged = ("--set", "inference.decode.uncertain_margin=1000")
    measure(monkeypatch, *words, "--output", str(tmp_path / "b"), "--sheets", *flagged)
    assert (tmp_path / "b/sheets/one.png").is_file()
    assert not (tmp_path / "a/sheets").exists()
    assert calls == ["x"]
    one, two = (pd.read_csv(tmp_path / side / "scans.tsv", sep="\t").iloc[0] for side in "ab")
    assert (one["flagged"], two["flagged"]) == (False, True)
    assert one["work_dice"] == two["work_dice"]


def test_answers_of_other_weights_are_not_taken(monkeypatch, tmp_path, weights, real, calls):
    other = tmp_path / "other.safetensors"
    network, about = load_network(weights)
    with np.errstate(all="ignore"):
        next(network.parameters()).data += 1
    from siil.model.weights import save_weights

    save_weights(other, network, about=about)
    words = ("--real", str(real), "--network", str(tmp_path / "network"), "--output")
    measure(monkeypatch, "--weights", str(weights), *words, str(tmp_path / "a"))
    with pytest.raises(SystemExit, match=r"ERROR: .*network: holds answers of other weights"):
        measure(monkeypatch, "--weights", str(other), *words, str(tmp_path / "b"))


def test_scans_of_another_recipe_are_not_taken(monkeypatch, tmp_path, weights, real, calls):
    words = ("--weights", str(weights), "--real", str(real), "--output", str(tmp_path / "a"))
    measure(monkeypatch, *words)
    with pytest.raises(SystemExit, match=r"ERROR: .*network: holds answers of other weights, or of other scans"):
        measure(monkeypatch, *words, "--recipe", "benchmarks/recipes/plain.yaml")


def test_answers_that_do_not_say_of_what_they_are_are_not_taken(monkeypatch, tmp_path, weights, real, calls):
    words = ("--weights", str(weights), "--real", str(real), "--network", str(tmp_path / "network"), "--output")
    measure(monkeypatch, *words, str(tmp_path / "a"))
    (tmp_path / "network/network.json").unlink()
    with pytest.raises(SystemExit, match=r"ERROR: .*network: holds answers of unknown weights"):
        measure(monkeypatch, *words, str(tmp_path / "b"))


def test_the_crop_of_a_real_scan_does_not_look_at_the_mask(tmp_path):
    image = np.full((20, 40, 40), -1000, np.int16)
    image[:, 10:30, 10:30] = 50
    codes = np.zeros(image.shape, np.uint8)
    codes[5:15, 28:36, 15:25] = 22  # half of it in the air behind the body
    for name, array in (("ct", image), ("msk", codes)):
        volume.write_volume(tmp_path / f"odd/{name}.nii.gz", Volume(array, Grid(array.shape, (3.0, 3.0, 3.0))))
    settings = PREPROCESS.model_copy(update={"body_margin_mm": 6.0})
    scan = of_folder(tmp_path, settings)[0].load()
    assert scan.image.grid == scan.truth.grid
    assert scan.native.array.sum() > scan.truth.array.sum() > 0  # what the crop cuts off counts against it
    z, y, x = (np.argwhere(scan.truth.array).min(axis=0) * 3.0 + scan.truth.grid.origin_mm[::-1]).tolist()
    assert (x, y, z) == (45.0, 84.0, 15.0)


def test_folders_without_a_scan_and_seeds_of_the_training_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"expected folders with msk\.nii\.gz"):
        of_folder(tmp_path, PREPROCESS)
    recipe = CONFIG.dataset.sources["phantoms"].recipe
    last = recipe.first_seed + recipe.patients - 1
    with pytest.raises(DatasetError, match=f"seed {last} belongs to dataset pretrain"):
        of_seeds(recipe, range(last, last + 2), PREPROCESS)
    assert len(of_seeds(recipe, range(last + 1, last + 3), PREPROCESS)) == 2
    with pytest.raises(DatasetError, match="seed 81000 belongs to dataset adapt"):  # another recipe, one patient
        of_seeds(recipe, range(81000, 81001), PREPROCESS)


def test_real_scans_bring_their_truth_onto_the_working_grid(real_data):
    names = {}
    for subject in of_folder(real_data, PREPROCESS):
        scan = subject.load()
        assert scan.image.grid == scan.truth.grid == scan.geometry.working
        assert scan.native.grid == scan.geometry.source
        names[subject.name] = {int(code) for code in np.unique(scan.truth.array) if code in BY_CODE}
    assert names["ts-example-ct"] == {18, 19, 20, 21, 22, 23, 24}  # S1 is no vertebra
    assert names["ts-dicom"] == {18, 19}
    assert names["tptbox-ct"] == {21, 22, 23}


@pytest.mark.slow
def test_a_phantom_drawn_anew_is_the_one_of_its_seed():
    recipe = CONFIG.dataset.sources["phantoms"].recipe
    subjects = of_seeds(recipe, range(20003, 20004), PREPROCESS)
    assert [(subject.name, subject.field) for subject in subjects] == [("seed20003", "lumbar")]
    one, two = subjects[0].load(), subjects[0].load()
    assert (one.image.array == two.image.array).all()
    assert one.truth.grid.spacing_mm == (3.0, 3.0, 3.0)
    names = set(np.unique(one.truth.array)) & set(BY_CODE)
    assert {20, 21, 22, 23, 24} <= names == set(np.unique(one.native.array)) & set(BY_CODE)


def test_a_list_names_cases_of_its_dataset(tmp_path):
    folder = tmp_path / "data/mine"
    folder.mkdir(parents=True)
    columns = "case patient source edition split image mask centroids orientation spacing_mm size_vox labels defects"
    head = [*columns.split(), "image_sha256", "mask_sha256", "annotation"]
    cells = ["a", "a", "s", "", "", "i", "data/raw/a_seg-vert_msk.nii.gz", *[""] * 8, "all"]
    (folder / "cases.tsv").write_text("\t".join(head) + "\n" + "\t".join(cells) + "\n")
    (tmp_path / "data/raw").mkdir()
    (tmp_path / "data/raw/a_truth.json").write_text('{"field_of_view": "chest"}')
    found = of_dataset(folder, ["a"])
    assert [(subject.name, subject.group, subject.field) for subject in found] == [("a", "phantom", "chest")]
    with pytest.raises(DatasetError, match="no case b; give a list that belongs"):
        of_dataset(folder, ["b"])
