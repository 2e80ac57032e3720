"""`siil trace` asks for one thing at a time. On real results: tests/workflow/test_trace.py."""

from __future__ import annotations

import pandas as pd
import pytest

from siil import config as configuration
from siil.errors import InputError
from siil.stages.trace import SECTIONS, trace


def test_one_of_a_case_and_a_metric_is_wanted(tmp_path) -> None:
    config = configuration.partial(configuration.sections(configuration.resolve("tiny"), SECTIONS))
    for words in ({}, {"case": "a", "metric": "dice"}):
        with pytest.raises(InputError, match="expected a case or --metric"):
            trace(config=config, root=tmp_path, **words)


def config_with(averaging: str) -> configuration.Config:
    full = configuration.resolve("tiny", overrides={"report": {"averaging": averaging}})
    return configuration.partial(configuration.sections(full, SECTIONS))


@pytest.fixture
def root(tmp_path):
    """Two models; three vertebrae of two levels in two scans of the first."""
    folder = tmp_path / "results/tiny/aggregate"
    folder.mkdir(parents=True)
    same = {"repeat": 0, "fold": 0, "space": "work"}
    vertebrae = [("siil", "a", "L1", 0.9), ("siil", "b", "L1", 0.7), ("siil", "b", "L2", 0.4), ("unet", "a", "L1", 0.1)]
    frame = pd.DataFrame([{**same, "model": m, "case": c, "label": n, "dice": d} for m, c, n, d in vertebrae])
    frame.to_csv(folder / "vertebrae.tsv", sep="\t", index=False)
    scans = frame.groupby(["model", "case", "repeat", "fold", "space"], as_index=False)["dice"].mean()
    scans.assign(binary_dice=0.5).to_csv(folder / "scans.tsv", sep="\t", index=False)
    return tmp_path


@pytest.mark.parametrize("averaging", ["scans", "levels"])
def test_of_several_models_one_must_be_named(root, averaging) -> None:
    with pytest.raises(InputError, match=r"give one: siil, unet"):
        trace(config=config_with(averaging), root=root, metric="dice")


def test_a_number_is_averaged_as_its_table_is(root, capsys) -> None:
    trace(config=config_with("scans"), root=root, metric="dice", model="siil")
    assert "dice, siil work: mean 0.725 of 2\n" in capsys.readouterr().out  # (0.9 + (0.7 + 0.4) / 2) / 2
    trace(config=config_with("levels"), root=root, metric="dice", model="siil")
    said = capsys.readouterr().out
    assert "dice, siil work: mean 0.6 of 2 levels\n" in said  # ((0.9 + 0.7) / 2 + 0.4) / 2
    assert "0.8  L1, mean of 2\n" in said
    trace(config=config_with("levels"), root=root, metric="dice", model="siil", label="L1")
    assert "mean 0.8 of 2\n" in capsys.readouterr().out


def test_what_no_vertebra_has_is_over_scans_in_either_case(root, capsys) -> None:
    trace(config=config_with("levels"), root=root, metric="binary_dice", model="siil")
    assert "mean 0.5 of 2\n" in capsys.readouterr().out


def test_without_results_the_table_is_named(tmp_path) -> None:
    for averaging in ("scans", "levels"):
        with pytest.raises(InputError, match=r"not there; run the workflow"):
            trace(config=config_with(averaging), root=tmp_path, metric="dice")


def test_a_file_is_answered_by_one_line_and_neither_by_what_to_do(tmp_path, capsys) -> None:
    (tmp_path / "run.json").write_text('{"stage": "train", "started": "2026-01-02", "code": "abc"}')
    (tmp_path / "weights.safetensors").touch()
    trace(config=config_with("scans"), root=tmp_path, case=str(tmp_path / "weights.safetensors"))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "lies with what `siil train` made, 2026-01-02: code abc" in said[0]
    with pytest.raises(InputError, match=r"^nobody: no such file, and no case of .*cases.tsv; run the workflow first"):
        trace(config=config_with("scans"), root=tmp_path, case="nobody")
