import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from siil import config as configuration
from siil.anatomy import indices_to_codes
from siil.config import Config
from siil.errors import ConfigError, DatasetError, WeightsError
from siil.run.pipeline import BY_NAME
from siil.scan.grid import Grid, Volume
from siil.scan.volume import write_volume
from siil.stages.train import train
from siil.training.patches import Batches
from tests.training.doubles import spine_case


def make_config(**changes: Any) -> Config:
    """The sections of stage train, in the smallest sizes."""
    values = {
        "epochs": 2,
        "steps_per_epoch": 3,
        "checkpoint_every_steps": 2,
        "encoder_epochs": 0.34,
        "teacher_epochs": 0.67,
        "precision": "32-true",
    }
    overrides: dict[str, Any] = {"train": values | changes, "patch": {"size_vox": [16, 16, 16]}}
    config = configuration.resolve("tiny", model="siil", overrides=overrides)
    return configuration.partial(configuration.sections(config, BY_NAME["train"].sections))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three scans of 24 x 20 x 20 voxels: two train, one validates."""
    folder = tmp_path_factory.mktemp("data")
    for name, first in (("a", 3), ("b", 5), ("c", 4)):
        case = spine_case(name, first=first, count=4, shape=(24, 20, 20))
        arrays = {"img": case.image, "msk": indices_to_codes(case.labels), "pap": case.weights.astype(np.float32)}
        for part, array in arrays.items():
            write_volume(folder / part / f"{name}.nii.gz", Volume(array, Grid(array.shape, (3.0, 3.0, 3.0))))
    lists = folder / "folds" / "0"
    lists.mkdir(parents=True)
    (lists / "training.txt").write_text("a\nb\n")
    (lists / "validation.txt").write_text("c\n")
    (lists / "sources.tsv").write_text("case\tsource\na\tone\nb\ttwo\n")
    return folder


def run(data: Path, output: Path, **changes: Any) -> Path:
    train(config=make_config(**changes), data=data, lists=data / "folds" / "0", output=output, device="cpu")
    return output


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(data, tmp_path_factory.mktemp("trained"))


def test_it_writes_weights_history_and_record(trained: Path) -> None:
    history = pd.read_csv(trained / "history.tsv", sep="\t")
    assert history["phase"].tolist() == ["train", "validation"] * 2
    terms = ["total", "spine", "vertebrae", "instance", "semantic", "localisation", "presence"]
    assert np.isfinite(history.loc[history["phase"] == "train", terms]).all().all()
    record = json.loads((trained / "run.json").read_text())
    assert record["steps"] == 6
    assert record["precision"] == "32-true"
    assert record["device"].startswith("cpu")
    assert record["parameters"] > 1000
    assert record["steps_per_second"] > 0
    assert record["peak_memory_mb"]["process"] > 100
    assert set(record["inputs"]) == {f"{part}/{case}.nii.gz" for part in ("img", "msk", "pap") for case in "abc"}
    assert record["notice"] == "Research use only, not a medical device."


def test_the_weights_load_again_and_carry_their_grid(trained: Path) -> None:
    from siil.model.weights import load_network

    network, about = load_network(trained / "weights.safetensors")
    assert about.patch_vox == (16, 16, 16)
    assert about.spacing_mm == 3.0
    last = torch.load(trained / "last.ckpt", weights_only=True)["progress"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, last["best_weights"][name]), name


def test_the_same_configuration_gives_the_same_bytes(data: Path, trained: Path, tmp_path: Path) -> None:
    again = run(data, tmp_path)
    assert (again / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()


class KilledError(Exception):
    """Stands for the end of the process."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    draw = Batches.draw

    def dying(self: Batches, number: int) -> Any:
        if number == step:
            raise KilledError
        return draw(self, number)

    monkeypatch.setattr(Batches, "draw", dying)


def test_a_killed_training_resumes_to_the_same_bytes(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        kill_at(patched, 5)
        run(data, tmp_path)
    assert [path.name for path in tmp_path.glob("*.*")] == ["last.ckpt"] or not (tmp_path / "run.json").exists()
    (tmp_path / "history.tsv").unlink()
    run(data, tmp_path)
    assert (tmp_path / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()
    tables = [pd.read_csv(folder / "history.tsv", sep="\t") for folder in (trained, tmp_path)]
    pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in tables))


def test_deleted_weights_come_back_from_the_resume_file(data: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "last.ckpt", tmp_path)
    run(data, tmp_path)
    assert (tmp_path / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()


def test_another_configuration_starts_from_scratch(data: Path, trained: Path, tmp_path: Path, caplog) -> None:
    shutil.copy(trained / "last.ckpt", tmp_path)
    with caplog.at_level(logging.WARNING):
        run(data, tmp_path, epochs=1)
    assert (tmp_path / "last.ckpt.stale-1").exists()
    assert "is set aside" in caplog.text
    assert len(pd.read_csv(tmp_path / "history.tsv", sep="\t")) == 2


def test_fine_tuning_starts_from_the_given_weights(data: Path, trained: Path, tmp_path: Path) -> None:
    weights = str(trained / "weights.safetensors")
    run(data, tmp_path, init_weights=weights, epochs=1, learning_rate=1e-9)
    from siil.model.weights import load_network

    before, after = (load_network(folder / "weights.safetensors")[0] for folder in (trained, tmp_path))
    for name, value in after.named_parameters():
        assert torch.allclose(value, before.get_parameter(name), atol=1e-6), name


def test_weights_are_of_half_the_size_where_that_is_asked_for(data: Path, trained: Path, tmp_path: Path) -> None:
    from siil.model.weights import load_network

    run(data, tmp_path, half=True)
    whole, half = (load_network(folder / "weights.safetensors") for folder in (trained, tmp_path))
    assert half[1].experiment == "tiny"
    assert (tmp_path / "weights.safetensors").stat().st_size < 0.6 * (trained / "weights.safetensors").stat().st_size
    for name, value in whole[0].state_dict().items():
        torch.testing.assert_close(half[0].state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_init_weights_that_do_not_fit_are_one_line(data: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"init_weights .*gone\.safetensors: no such file"):
        run(data, tmp_path, init_weights=str(tmp_path / "gone.safetensors"))
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"foreign\.safetensors"):
        run(data, tmp_path, init_weights=str(foreign))
    assert not (tmp_path / "run.json").exists()


def test_init_weights_of_another_size_name_what_differs(data: Path, trained: Path, tmp_path: Path) -> None:
    from siil.training.start import start_network

    config = make_config()
    model = config.model.model_copy(update={"memory_slots": 8})
    with pytest.raises(WeightsError, match=r"is \(.*there and \(.*here; fine-tuning"):
        start_network(
            model=model,
            patch_vox=(16, 16, 16),
            spacing_mm=3.0,
            seed=0,
            weights=trained / "weights.safetensors",
        )


def lists_of(folder: Path, training: str, validation: str) -> Path:
    (folder / "training.txt").write_text(training)
    (folder / "validation.txt").write_text(validation)
    (folder / "sources.tsv").write_text("case\tsource\n" + "".join(f"{case}\tone\n" for case in training.split()))
    return folder


@pytest.mark.parametrize(
    ("training", "validation", "message"),
    [
        ("", "c\n", "training.txt: no case to train on"),
        ("a\nc\n", "c\n", "case c is in training.txt and validation.txt"),
        ("a\nz\n", "c\n", r"z.nii.gz: missing; run the preprocess"),
    ],
)
def test_lists_that_cannot_be_used_are_named(
    data: Path, tmp_path: Path, training: str, validation: str, message: str
) -> None:
    lists = lists_of(tmp_path, training, validation)
    with pytest.raises(DatasetError, match=message):
        train(config=make_config(), data=data, lists=lists, output=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / "weights.safetensors").exists()


def test_without_validation_cases_the_last_weights_are_kept(data: Path, tmp_path: Path, caplog) -> None:
    lists = lists_of(tmp_path, "a\n", "")
    with caplog.at_level(logging.WARNING):
        train(config=make_config(epochs=1), data=data, lists=lists, output=tmp_path / "out", device="cpu")
    assert "the last weights are kept" in caplog.text
    assert json.loads((tmp_path / "out" / "run.json").read_text())["best_score"] is None
    assert (tmp_path / "out" / "weights.safetensors").exists()


@pytest.mark.parametrize(("device", "message"), [("tpu", "expected auto, cpu or cuda"), ("cuda", "finds no GPU")])
def test_a_device_that_is_not_there_is_one_line(data: Path, tmp_path: Path, device: str, message: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=message):
        train(config=make_config(), data=data, lists=data / "folds" / "0", output=tmp_path, device=device)


def test_a_share_of_a_source_without_a_training_case_is_one_line(data: Path, tmp_path: Path) -> None:
    config = make_config(shares={"one": 0.5, "three": 0.5})
    with pytest.raises(ConfigError, match=r"train.shares: source three of round 0 has no training case.*one, two"):
        train(config=config, data=data, lists=data / "folds" / "0", output=tmp_path, device="cpu")


def test_rounds_shares_and_a_running_mean_train_and_go_on_after_a_death(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = [
        {"epochs": 1, "learning_rate": 0.01, "shares": {"one": 1.0}},
        {"epochs": 1, "learning_rate": 0.005, "shares": {"one": 0.2, "two": 0.8}},
    ]
    options: dict[str, Any] = {"config": make_config(rounds=rounds, average=0.9), "data": data, "device": "cpu"}
    options["lists"] = data / "folds" / "0"
    train(**options, output=tmp_path / "whole")
    draw = Batches.draw

    def dies(self: Batches, step: int):
        if step == 4:
            raise KeyboardInterrupt
        return draw(self, step)

    monkeypatch.setattr(Batches, "draw", dies)
    with pytest.raises(KeyboardInterrupt):
        train(**options, output=tmp_path / "killed")
    monkeypatch.undo()
    train(**options, output=tmp_path / "killed")
    made = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert made[0] == made[1]
