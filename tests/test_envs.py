"""The lock file, the conda environments and pyproject name the same packages at the same versions.

Shown: each pin admits the locked version, channels are given, and what a rule's modules import is in its environment
file. Not shown: that conda-forge has the builds.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from siil.run.pipeline import VERBS
from siil.run.provenance import PACKAGE, _path, import_closure
from tests.test_architecture import rules

ROOT = PACKAGE.parent
ENVS = sorted((ROOT / "workflow" / "envs").glob("*.yaml"))
CHANNELS = ["conda-forge", "nodefaults"]
VARIANTS = {f"train-{variant}.yaml": f"pytorch-{variant}" for variant in ("cpu", "gpu")}
"""Of train.yaml, taken where SIIL_TORCH says so -> what they ask for instead of pytorch."""
PYPI_OF_CONDA = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "matplotlib-base": "matplotlib",
    "lightning": "lightning-fabric",
}
"""Where conda-forge's name differs. `lightning` holds Fabric there (siil.training.fabric takes either)."""
PACKAGE_OF_IMPORT = {
    "yaml": "pyyaml",
    "SimpleITK": "simpleitk",
    "sklearn": "scikit-learn",
    "cc3d": "connected-components-3d",
    "lightning_fabric": "lightning-fabric",
    "lightning": "lightning-fabric",
}
UNPINNED = {"python", "make", "pip"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pairs}


def environment(path: Path) -> tuple[dict[str, str], list[str]]:
    """PyPI name -> version of the conda packages, and the pip section."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    pip = [item for entry in values["dependencies"] if isinstance(entry, dict) for item in entry["pip"]]
    found = {}
    for entry in values["dependencies"]:
        if isinstance(entry, str):
            name, _, version = entry.partition(" =")
            found[normal(PYPI_OF_CONDA.get(name, name))] = version
    return found, pip


def family(name: str) -> str:
    """The environment file of a rule, without suffix and variant."""
    used = re.search(r'conda:\n        f?"\.\./envs/(\w+)(?:\{TORCH\})?\.yaml"', rules()[name])
    assert used, name
    return used[1]


def imports(stage: str) -> set[str]:
    """Third-party packages that the modules behind a stage and the command line import."""
    names: set[str] = set()
    for module in import_closure(f"siil.stages.{stage}") | import_closure("siil.__main__"):
        for node in ast.walk(ast.parse(_path(module).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    foreign = names - set(sys.stdlib_module_names) - {"siil"}
    return {normal(PACKAGE_OF_IMPORT.get(name, name)) for name in foreign}


def test_the_lock_pins_every_package_without_local_versions():
    lines = [line for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert len(lines) > 100
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!]+", line)] == []


def test_the_lock_admits_what_pyproject_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(item for group in project["optional-dependencies"].values() for item in group)]
    locked = lock()
    for line in asked:
        wanted = Requirement(line)
        assert normal(wanted.name) in locked, f"{wanted.name} is not in requirements.lock; run `make lock`"
        assert wanted.specifier.contains(locked[normal(wanted.name)]), f"{line}, locked {locked[normal(wanted.name)]}"


@pytest.mark.parametrize("path", [*ENVS, ROOT / "environment.yml"], ids=lambda path: path.name)
def test_an_environment_names_the_versions_of_the_lock(path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert values["channels"] == CHANNELS
    packages, pip = environment(path)
    locked = lock()
    for name, version in packages.items():
        if name not in UNPINNED:
            assert version == locked[name], f"{path.name}: {name} ={version}, locked {locked[name]}"
    assert packages["python"] == "3.11"
    for line in pip:
        name, version = line.split("==")
        assert version == locked[normal(name)], f"{path.name}: {line}, locked {locked[normal(name)]}"


@pytest.mark.parametrize("path", ENVS, ids=lambda path: path.name)
def test_a_rules_environment_has_no_pip_section_and_no_loose_pin(path):
    packages, pip = environment(path)
    assert pip == []
    assert all(packages.values())


def test_the_whole_environment_has_what_the_package_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages, pip = environment(ROOT / "environment.yml")
    have = set(packages) | {normal(line.split("==")[0]) for line in pip}
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    assert {normal(Requirement(line).name) for group in groups for line in group} - have == set()


@pytest.mark.parametrize("name", VERBS)
def test_what_a_rule_imports_is_in_its_environment(name):
    packages, _ = environment(ROOT / "workflow" / "envs" / f"{family(name)}.yaml")
    assert imports(name) - set(packages) == set()


def test_every_environment_is_used_by_a_rule():
    used = {f"{family(name)}.yaml" for name in rules()}
    assert used | set(VARIANTS) == {path.name for path in ENVS}


@pytest.mark.parametrize(("name", "package"), VARIANTS.items())
def test_a_variant_differs_in_the_build_of_torch_alone(name, package):
    plain, variant = (
        yaml.safe_load((ROOT / "workflow" / "envs" / file).read_text(encoding="utf-8")) for file in ("train.yaml", name)
    )
    wanted = [line.replace("pytorch ", f"{package} ") for line in plain["dependencies"]]
    assert variant == {**plain, "dependencies": wanted}
