"""The second look through the rules: it is trained after the first, tested with it, and the tables have both."""

from __future__ import annotations

import pytest

from siil.model.weights import load_second_look
from siil.run.tsv import read_table
from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
SMALL = (
    "folds=[0]",
    "refine={enabled: true, first: siil/pretrained/patients.safetensors, widths: [4, 4, 4], cases: 2, epochs: 1, "
    "steps_per_epoch: 3, patch_vox: [16, 24, 24], validate_crops: 2}",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("refine") / "repository")
    made.snakemake(experiment="tiny", config=SMALL)
    return made


def test_it_is_trained_tested_and_compared(checkout: Checkout) -> None:
    results = checkout.folder / "results/tiny"
    about = load_second_look(results / "refine/siil/fold0/second_look.safetensors")[1]
    assert (about.experiment, about.widths) == ("tiny", (4, 4, 4))
    [tested] = [path.stem for path in (results / "evaluate/siil/fold0").glob("*.tsv")][:1]
    assert {"input", "first"} <= set(read_table(results / f"evaluate/siil/fold0/{tested}.tsv")["space"])
    assert (results / f"test/siil/fold0/{tested}_first.nii.gz").is_file()


def test_a_second_run_has_nothing_to_do_and_another_second_look_trains_no_first(checkout: Checkout) -> None:
    assert checkout.plan(experiment="tiny", config=SMALL) == {}
    longer = (SMALL[0], SMALL[1].replace("steps_per_epoch: 3", "steps_per_epoch: 4"))
    planned = checkout.plan(experiment="tiny", config=longer)
    assert planned["refine"] == 1
    assert "train" not in planned
