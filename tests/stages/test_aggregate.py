"""Stage aggregate on two models, two folds and three patients, scored by the real metrics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from siil import config as configuration
from siil.config import partial
from siil.datasets.cases import Case, write_cases
from siil.errors import DatasetError
from siil.metrics import rows
from siil.metrics.case import score_case
from siil.report import tables
from siil.run import files
from siil.run.tsv import read_table
from siil.stages.aggregate import aggregate

FOLDS = {0: ("a1", "a2"), 1: ("b",)}
"""a1 and a2 are scans of one patient"""


def write_scores(path: Path, case: str, *, missed: bool, empty: bool = False) -> None:
    truth = np.zeros((6, 6, 12), np.uint8)
    truth[1:5, 1:5, 1:5], truth[1:5, 1:5, 7:11] = 20, 21
    prediction = np.where(truth == 21, 0, truth).astype(np.uint8) if missed else truth
    prediction = np.zeros_like(truth) if empty else prediction
    scored = score_case(truth, prediction, (1.0, 1.0, 1.0))
    scored.insert(0, "case", case)
    scored.insert(1, "space", "work")
    scored["flagged"] = [False if scope == "scan" else None for scope in scored["scope"]]
    files.write_text(path, rows.to_text(scored))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


def make_tree(tmp_path: Path, b: str = "b") -> Path:
    """Two folds of a1, a2 (one patient) and `b`."""
    empty = dict.fromkeys(Case.__dataclass_fields__, "") | {"annotation": "all"}
    patients = {"a1": "a", "a2": "a", b: b}
    folds = {0: ("a1", "a2"), 1: (b,)}
    write_cases(tmp_path / "data/cases.tsv", [Case(**empty | {"case": c, "patient": p}) for c, p in patients.items()])
    for fold, cases in folds.items():
        files.write_text(tmp_path / f"data/folds/{fold}/testing.txt", "".join(f"{case}\n" for case in cases))
    for model in ("siil", "unet"):
        for fold, cases in folds.items():
            for case in cases:
                path = tmp_path / f"results/evaluate/{model}/fold{fold}/{case}.tsv"
                write_scores(path, case, missed=model == "unet" and case == b)
            history = f"epoch\tphase\ttotal\n1\ttrain\t{fold + 1}.5\n"
            files.write_text(tmp_path / f"results/train/{model}/fold{fold}/history.tsv", history)
    return tmp_path


def run(
    folder: Path, *, models: tuple[str, ...] = ("siil", "unet"), folds: tuple[int, ...] = (0, 1), repeats: int = 1
) -> Path:
    report = {"bootstrap": 100, "confidence": 0.95, "seed": 0}
    aggregate(
        config=partial({"models": list(models), "repeats": repeats, "folds": list(folds), "report": report}),
        results=folder / "results",
        data=folder / "data",
        output=folder / "out",
    )
    return folder / "out"


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.tsv", sep="\t")


def test_every_row_is_pooled_with_model_fold_and_patient_in_front(tree: Path) -> None:
    out = run(tree)
    scans, vertebrae = read(out, "scans"), read(out, "vertebrae")
    for frame in (scans, vertebrae):
        assert list(frame.columns[:5]) == ["model", "repeat", "fold", "case", "patient"]
        assert set(frame["repeat"]) == {0}
    assert len(scans) == 6
    assert len(vertebrae) == 12
    assert scans.loc[scans["case"] == "a2", "patient"].tolist() == ["a", "a"]
    assert vertebrae["truth"].dtype == bool


def test_the_summary_averages_scans_and_metrics_json_holds_its_means(tree: Path) -> None:
    out = run(tree)
    summary = read(out, "summary").set_index(["model", "space", "metric"])
    assert summary.loc[("siil", "work", "dice"), "mean"] == 1
    missed = summary.loc[("unet", "work", "dice")]
    assert missed["mean"] == pytest.approx(2.5 / 3)
    assert missed["n"] == 3
    assert (missed["low"], missed["high"]) == (0.5, 1)
    nested = json.loads((out / "metrics.json").read_text())
    assert nested["unet"]["work"]["dice"] == pytest.approx(2.5 / 3, abs=1e-6)
    assert nested["siil"]["work"]["id_rate_verse"] == 1
    assert nested["siil"]["work"]["all_right"] == 1


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "001"])
def test_a_patient_of_any_name_stays_that_patient_in_the_tables_and_the_paired_tests(tmp_path, name: str) -> None:
    out = run(make_tree(tmp_path, name))
    frame = read_table(out / "scans.tsv")
    assert set(frame["case"]) == {"a1", "a2", name}
    assert set(frame["patient"]) == {"a", name}
    settings = configuration.resolve("demo", overrides={"report": {"bootstrap": 100}}).report
    rows = [row for row in tables.paired(frame, settings=settings).rows if row[0] == "unet"]
    assert {row[4] for row in rows} == {"2"}  # patients


def repeat_all(tree: Path, *, missed: bool) -> None:
    """Write the files of a second training of each model."""
    for model in ("siil", "unet"):
        for fold, cases in FOLDS.items():
            for case in cases:
                write_scores(tree / f"results/evaluate/{model}@1/fold{fold}/{case}.tsv", case, missed=missed)
            history = "epoch\tphase\ttotal\n1\ttrain\t7.5\n"
            files.write_text(tree / f"results/train/{model}@1/fold{fold}/history.tsv", history)


def test_repeats_are_rows_of_the_same_model_scans_and_patients(tree: Path) -> None:
    repeat_all(tree, missed=True)
    out = run(tree, repeats=2)
    scans, history = read(out, "scans"), read(out, "history")
    assert scans[["model", "repeat"]].drop_duplicates().to_numpy().tolist() == [
        *(["siil", 0], ["unet", 0], ["siil", 1], ["unet", 1])
    ]
    assert len(scans) == 12
    assert len(read(out, "vertebrae")) == 24
    assert history.loc[history["repeat"] == 1, "total"].tolist() == [7.5] * 4


def test_repeats_are_averaged_and_their_scans_count_once(tree: Path) -> None:
    repeat_all(tree, missed=True)
    summary = read(run(tree, repeats=2), "summary").set_index(["model", "space", "metric"])
    assert set(summary.index.get_level_values("model")) == {"siil", "unet"}
    dice = summary.loc[("siil", "work", "dice")]
    assert dice["mean"] == pytest.approx(0.75)  # 1 and 0.5 on every scan
    assert (dice["low"], dice["high"]) == (0.75, 0.75)  # patients are drawn, and all are alike
    assert dice["n"] == 3


def test_a_repeat_that_was_not_scored_is_named(tree: Path) -> None:
    with pytest.raises(DatasetError, match=r"siil@1/fold0/a1\.tsv: expected the scores"):
        run(tree, repeats=2)


def test_a_mean_that_does_not_exist_is_left_out_of_metrics_json(tree: Path) -> None:
    for fold, cases in FOLDS.items():
        for case in cases:
            path = tree / f"results/evaluate/unet/fold{fold}/{case}.tsv"
            write_scores(path, case, missed=True, empty=True)
    nested = json.loads((run(tree) / "metrics.json").read_text())
    assert nested["unet"]["work"]["dice"] == 0
    assert not {"precision", "hd_mm", "d_mean_mm"} & set(nested["unet"]["work"])


def test_histories_are_stacked(tree: Path) -> None:
    history = read(run(tree), "history")
    assert list(history.columns[:3]) == ["model", "repeat", "fold"]
    assert history[["model", "fold", "total"]].to_numpy().tolist() == [
        ["siil", 0, 1.5],
        ["siil", 1, 2.5],
        ["unet", 0, 1.5],
        ["unet", 1, 2.5],
    ]


def test_stale_files_of_other_models_folds_and_cases_are_not_read(tree: Path) -> None:
    write_scores(tree / "results/evaluate/siil/fold0/old.tsv", "old", missed=True)
    out = run(tree, models=("siil",), folds=(0,))
    assert read(out, "scans")["case"].tolist() == ["a1", "a2"]


def test_missing_scores_are_named(tree: Path) -> None:
    (tree / "results/evaluate/unet/fold1/b.tsv").unlink()
    with pytest.raises(DatasetError, match=r"unet/fold1/b\.tsv: expected the scores"):
        run(tree)
    assert not (tree / "out").exists()


def test_a_missing_history_is_named(tree: Path) -> None:
    (tree / "results/train/siil/fold1/history.tsv").unlink()
    with pytest.raises(DatasetError, match=r"siil/fold1/history\.tsv: expected the history"):
        run(tree)


def test_a_case_that_is_not_in_the_table_of_cases_is_named(tree: Path) -> None:
    files.write_text(tree / "data/folds/0/testing.txt", "stranger\n")
    write_scores(tree / "results/evaluate/siil/fold0/stranger.tsv", "stranger", missed=False)
    with pytest.raises(DatasetError, match=r"stranger\.tsv: the case is not in cases\.tsv"):
        run(tree, models=("siil",))


def test_the_run_record_says_how_many_were_scored(tree: Path) -> None:
    assert json.loads((run(tree) / "vertebrae.run.json").read_text())["scored"] == 6
