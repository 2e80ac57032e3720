"""`snakemake --use-conda`: every rule in the environment of its family.

Offline, on a stand-in for conda and a channel that holds what the lock names (conda_stand_in.py); with a real conda on
PATH, on the real channels too.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from siil.run.pipeline import VERBS
from tests.test_envs import ENVS, PYPI_OF_CONDA, environment, family
from tests.workflow.checkout import ROOT, Checkout
from tests.workflow.conda_stand_in import lay_out

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the environments are of Python 3.11"),
]
RESULTS = (
    "results/smallest/train/siil/fold0/weights.safetensors",
    "results/smallest/tables/comparison.csv",
    "results/smallest/aggregate/vertebrae.tsv",
)


@pytest.fixture(scope="module")
def conda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with bin/conda, bin/activate and the channel."""
    folder = tmp_path_factory.mktemp("conda")
    names: dict[str, list[str]] = {}
    for conda_name, name in PYPI_OF_CONDA.items():
        names.setdefault(name, []).append(conda_name)
    wanted = {name for path in ENVS for name in environment(path)[0]}
    lay_out(folder, packages=wanted, conda_names=names)
    return folder


def with_conda(folder: Path, place: Path) -> Checkout:
    checkout = Checkout(place)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    checkout.variables = {"PATH": path, "CONDA_STAND_IN_LOG": str(place / "ran")}
    return checkout


def create(conda: Path, values: dict, place: Path) -> subprocess.CompletedProcess[str]:
    """`conda env create` of an environment file with these values."""
    place.mkdir(exist_ok=True)
    (place / "env.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    words = [conda / "bin/conda", "env", "create", "--quiet", "--file", place / "env.yaml", "--prefix", place / "env"]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def finished_with_conda(conda: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = with_conda(conda, tmp_path_factory.mktemp("use_conda") / "repository")
    checkout.snakemake("--use-conda", experiment="smallest")
    return checkout


def test_every_step_ran_in_the_environment_of_its_family(finished_with_conda: Checkout) -> None:
    ran = [line.split() for line in (finished_with_conda.folder / "ran").read_text(encoding="utf-8").splitlines()]
    places = {words[3]: words[0] for words in ran if words[1:3] == ["-m", "siil"]}
    assert set(places) == set(VERBS) - {"refine", "adapt"}
    homes = {str(finished_with_conda.folder / ".snakemake/conda")}
    assert {str(Path(place).parent) for place in places.values()} == homes
    families: dict[str, set[str]] = {}
    for verb, place in places.items():
        families.setdefault(family(verb), set()).add(place)
    assert [len(found) for found in families.values()] == [1, 1, 1]


def test_the_results_are_those_without_conda(finished_with_conda: Checkout, smallest: Checkout) -> None:
    for name in RESULTS:
        assert filecmp.cmp(finished_with_conda.folder / name, smallest.folder / name, shallow=False), name


def test_a_second_run_makes_no_environment_and_no_job(finished_with_conda: Checkout) -> None:
    text = finished_with_conda.snakemake("--use-conda", experiment="smallest")
    assert "Nothing to be done" in text
    assert "Creating conda environment" not in text


def test_what_an_environment_does_not_name_cannot_be_imported(conda: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "workflow/envs/data.yaml").read_text(encoding="utf-8"))
    values["dependencies"] = [item for item in values["dependencies"] if not item.startswith("edt")]
    assert create(conda, values, tmp_path).returncode == 0
    for name, works in (("numpy", True), ("edt", False), ("torch", False)):
        done = subprocess.run([tmp_path / "env/bin/python", "-c", f"import {name}"], capture_output=True, check=False)
        assert (done.returncode == 0) is works, name


@pytest.mark.parametrize("line", ["numpy =9.9.9", "no-such-package =1.0"])
def test_a_pin_that_cannot_be_met_is_refused(conda: Path, tmp_path: Path, line: str) -> None:
    done = create(conda, {"channels": ["conda-forge", "nodefaults"], "dependencies": ["python =3.11", line]}, tmp_path)
    assert done.returncode != 0
    assert "SolverError" in done.stderr


@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_the_variants_for_cpu_and_gpu_can_be_made(conda: Path, tmp_path: Path, variant: str) -> None:
    values = yaml.safe_load((ROOT / f"workflow/envs/train-{variant}.yaml").read_text(encoding="utf-8"))
    assert create(conda, values, tmp_path).returncode == 0
    done = subprocess.run([tmp_path / "env/bin/python", "-c", "import torch"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_dockerfile_of_the_environments_is_in_step(conda: Path, tmp_path: Path) -> None:
    checkout = with_conda(conda, tmp_path / "repository")
    done = subprocess.run(
        ["snakemake", "--containerize"],
        cwd=checkout.folder,
        env=checkout.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = (ROOT / "workflow/envs/Dockerfile").read_text(encoding="utf-8")
    assert done.stdout == kept, "workflow/envs/Dockerfile is out of step; run `snakemake --containerize > …` there"


@pytest.mark.network
@pytest.mark.skipif(shutil.which("conda") is None, reason="no conda on PATH")
def test_a_real_conda_makes_every_environment_and_runs_the_experiment(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repository")
    checkout.snakemake("--use-conda", experiment="smallest")
    assert all((checkout.folder / name).is_file() for name in RESULTS)
