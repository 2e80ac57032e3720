import hashlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from siil.anatomy import indices_to_codes
from siil.errors import ConfigError
from siil.get_config import get_config
from siil.scan.grid import Grid, Volume
from siil.scan.volume import write_volume
from siil.stages import in_process
from tests.training.doubles import spine_case

ROOT = Path(__file__).resolve().parent.parent
SMALL = [
    *("patch.size_vox=[16,16,16]", "model.encoder=pyramid", "model.widths=[4,8,16]", "model.embed_dim=16"),
    *("model.token_channels=4", "model.heads=2", "model.decoder=shared", "train.epochs=1"),
    *("train.steps_per_epoch=2", "train.encoder_epochs=0", "train.precision=32-true", "train.validate_cases=1"),
]
OPTIONS = [word for pair in SMALL for word in ("--set", pair)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The original layout in a user's folder; the working directory is another one."""
    mine = tmp_path / "mine"
    for number, name in enumerate(("one", "two", "three", "four")):
        case = spine_case(name, first=3 + number, count=4, shape=(24, 16, 16))
        for part, array in (("img", case.image), ("msk", indices_to_codes(case.labels))):
            write_volume(mine / part / f"{name}.nii.gz", Volume(array, Grid(array.shape, (3.0, 3.0, 3.0))))
    (mine / "training.txt").write_text("one\r\ntwo.nii.gz\r\nthree\r\n")
    (mine / "testing.txt").write_text("four\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return mine


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_data_steps_fill_data_custom_and_never_write_into_the_users_folder(folder: Path) -> None:
    before = contents(folder)
    config, device = get_config(["--data_path", str(folder), *OPTIONS])
    assert device == "auto"
    data = in_process.prepare(config)
    assert data == Path("data/custom")
    for part in ("img", "msk", "pap"):
        assert len(list((data / part).glob("*.nii.gz"))) == 4
    fold = data / "folds" / "0"
    assert (fold / "testing.txt").read_text() == "four\n"
    names = {part: set((fold / f"{part}.txt").read_text().split()) for part in ("training", "validation")}
    assert names["training"] | names["validation"] == {"one", "two", "three"}
    assert contents(folder) == before


def test_only_a_changed_case_is_prepared_again(folder: Path) -> None:
    config, _ = get_config(["--data_path", str(folder), *OPTIONS])
    data = in_process.prepare(config)
    before = contents(data / "msk")
    mask = folder / "msk" / "two.nii.gz"
    case = spine_case("two", first=9, count=4, shape=(24, 16, 16))
    write_volume(mask, Volume(indices_to_codes(case.labels), Grid(case.labels.shape, (3.0, 3.0, 3.0))))
    in_process.prepare(config)
    after = contents(data / "msk")
    assert {name for name in before if before[name] != after[name]} == {"two.nii.gz"}


def test_another_annotation_prepares_every_case_again(folder: Path) -> None:
    config, _ = get_config(["--data_path", str(folder), *OPTIONS])
    made = []
    for annotation in ("all", "whole", "whole"):
        source = config.dataset.sources["custom"].model_copy(update={"annotation": annotation})
        dataset = config.dataset.model_copy(update={"sources": {"custom": source}})
        data = in_process.prepare(config.model_copy(update={"dataset": dataset}))
        found = [contents(data / part) for part in ("msk", "pap")]
        made.append([{name: files[name] for name in files if name.endswith(".nii.gz")} for files in found])
    assert made[1] == made[2]
    for every, whole in zip(made[0], made[1], strict=True):
        assert not {name for name in every if every[name] == whole[name]}


def test_another_folder_with_the_same_names_and_old_times_is_prepared_anew(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for part in ("img", "msk"):
        (other / part / "one.nii.gz").unlink()
        (other / part / "two.nii.gz").rename(other / part / "one.nii.gz")
        shutil.copy(folder / part / "one.nii.gz", other / part / "two.nii.gz")
    for path in other.rglob("*.nii.gz"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    made = {}
    for name in (folder, other):
        data = in_process.prepare(get_config(["--data_path", str(name), *OPTIONS])[0])
        made[name] = contents(data / "msk")
    assert {name for name in made[other] if made[other][name] != made[folder][name]} >= {"one.nii.gz", "two.nii.gz"}
    assert made[other]["four.nii.gz"] == made[folder]["four.nii.gz"]  # the same scan: not made again


def test_the_options_reach_the_configuration() -> None:
    config, device = get_config(["--data_path", "/scans", "--device", "cpu", "--set", "train.epochs=7"])
    assert config.experiment == "custom"
    assert [source.path for source in config.dataset.sources.values()] == ["/scans"]
    assert config.train.epochs == 7
    assert config.models == ("siil",)
    assert device == "cpu"


def test_without_a_path_the_configurations_folder_is_used() -> None:
    assert [source.path for source in get_config([])[0].dataset.sources.values()] == ["data/raw/custom"]


def test_an_unknown_key_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"train\.epoch.*did you mean"):
        get_config(["--set", "train.epoch=7"])


def test_repeats_are_for_the_workflow() -> None:
    with pytest.raises(ConfigError, match="repeats: these programs train one network a fold, got 3"):
        get_config(["--set", "repeats=3"])


def test_a_folder_without_scans_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    command = [sys.executable, "-m", "siil.trainer", "--data_path", "empty"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    assert len(errors) == 1
    assert "empty" in errors[0] or "img" in errors[0]
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line_and_exit_2(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    Path("data").write_text("a file where the folder should be")
    with pytest.raises(SystemExit) as end:
        in_process.run(in_process.train, lambda: get_config(["--data_path", str(folder), *OPTIONS]))
    assert end.value.code == 2
    assert "ERROR: data/raw: Not a directory" in capsys.readouterr().err


def test_the_trainer_writes_weights_for_the_tester(folder: Path) -> None:
    config, _ = get_config(["--data_path", str(folder), *OPTIONS])
    in_process.train(config, "cpu")
    output = Path("results/custom/train/siil/fold0")
    assert (output / "weights.safetensors").is_file()
    assert (output / "history.tsv").is_file()


@pytest.mark.slow
def test_trainer_and_tester_run_as_programs(folder: Path) -> None:
    before = contents(folder)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for module in ("siil.trainer", "siil.tester"):
        command = [sys.executable, "-m", module, "--data_path", str(folder), "--device", "cpu", *OPTIONS]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert np.isin(["four_seg.nii.gz"], [path.name for path in Path("results/custom/test/siil/fold0").iterdir()]).all()
    assert Path("results/custom/report/index.html").is_file()
    assert contents(folder) == before
