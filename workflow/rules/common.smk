"""What the rules share: the configuration, and the few functions that ask which cases and folds there are."""

import functools
import json
import os
import runpy
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT))
# `python -m siil` in the rules: this interpreter and this checkout, from any working directory.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
    PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")])),
)

LOOKS_ONLY = bool({"-n", "--dry-run", "--dryrun"} & set(sys.argv))
if (
    workflow.is_main_process and not LOOKS_ONLY
):  # so that the same command goes on after any death
    runpy.run_path(str(ROOT / "scripts" / "unlock.py"))["unlock"](Path.cwd())

from siil import config as configuration
from siil.config import layers
from siil.datasets.layout import CASE
from siil.errors import SiilError
from siil.run.pipeline import BY_NAME
from siil.run.provenance import code_digest

EXPERIMENT = str(config.get("experiment") or layers.default_experiment())
OVERRIDES = {key: value for key, value in config.items() if key != "experiment"}


@functools.cache
def resolved(model=None):
    """The configuration of the experiment, and of one of its runs."""
    try:
        return configuration.resolve(EXPERIMENT, model=model, overrides=OVERRIDES)
    except SiilError as error:
        raise WorkflowError(str(error)) from None


@functools.cache
def settings(stage, model=None, source=None):
    """The sections that a stage declares, as JSON: its `params.config`. A changed value reruns what uses it. With a
    source, of the sources only this one, without `annotation` (which is no matter of its files), and the licence flag
    only where it has a licence: experiments may share it.
    """
    names = set(BY_NAME[stage].sections)
    if source is not None:
        names = (names - {"dataset.sources"}) | {f"dataset.sources.{source}"}
        if not hasattr(resolved().dataset.sources[source], "licence"):
            names.remove("dataset.accept_licence")
    values = configuration.sections(resolved(model), names)
    if source is not None:
        del values["dataset"]["sources"][source]["annotation"]
    return json.dumps(values, sort_keys=True)


# Which build of torch --use-conda takes: that of envs/train.yaml, or -cpu or -gpu.
TORCH = "".join(f"-{variant}" for variant in os.getenv("SIIL_TORCH", "").split())
CONFIG = resolved()
RUNS = configuration.runs(CONFIG)  # what the wildcard `model` stands for: siil, siil@1
DATASET = CONFIG.dataset.name
DATA = f"data/{DATASET}"
RESULTS = f"results/{EXPERIMENT}"
# Trainings share the cores of this machine: on CPUs two side by side with half the cores each are done before two in turn.
TRAIN_THREADS = max(
    1,
    (workflow.resource_settings.cores or 8) // (len(RUNS) * len(CONFIG.folds)),
)


wildcard_constraints:
    experiment=EXPERIMENT,
    dataset=DATASET,
    source="|".join(CONFIG.dataset.sources),
    model="|".join(RUNS),
    fold=r"\d+",
    case=CASE,


def own_files(wildcards):
    """The files of a user's own source, so that a new or changed one is seen; nothing for a source to download."""
    source = CONFIG.dataset.sources[wildcards.source]
    if source.kind != "custom":
        return []
    files = (path for path in Path(source.path).rglob("*") if path.is_file())
    return sorted(str(path) for path in files if not path.name.startswith("."))


@functools.cache
def read_cases(path, mtime_ns):
    from siil.datasets.cases import read_cases

    return {case.case: case for case in read_cases(Path(path))}


def indexed():
    """cases.tsv and its time, once `index` has run."""
    path = checkpoints.index.get(dataset=DATASET).output.cases
    return path, os.stat(path).st_mtime_ns


def cases():
    """The rows of cases.tsv by case id."""
    return read_cases(*indexed())


def listed(fold, part):
    """Case ids of a fold's list, once `index` and `split` have run. Asking `index` first matters: Snakemake looks again
    at a job when the checkpoint that it waits for ran, not when that one turned out to need no run.
    """
    indexed()
    path = Path(f"{DATA}/folds/{fold}/{part}.txt")
    if workflow.dryrun and not path.is_file():
        return planned()[int(fold)][
            part
        ]  # so that a plan is whole as soon as the cases are known
    checkpoints.split.get(dataset=DATASET)
    return path.read_text(encoding="utf-8").split()


@functools.cache
def planned():
    """The lists that `split` will write, by fold and part."""
    from siil.datasets import folds

    settings, rare = CONFIG.dataset.split, CONFIG.dataset.pap.rare
    made = folds.make_folds(list(cases().values()), settings=settings, rare=rare)
    return [{part: getattr(fold, part) for part in folds.LISTS} for fold in made]


def raw(column):
    """Input function: the released file of a case, `image` or `mask`."""
    return lambda wildcards: getattr(cases()[wildcards.case], column)


def annotation(wildcards):
    """Params function: how the annotation of a case ends."""
    return cases()[wildcards.case].annotation


def of_all_cases(*patterns):
    """Input function: `patterns` of every case of the dataset."""
    return lambda wildcards: expand(patterns, case=cases())


def of_training_cases(*patterns):
    """Input function: `patterns` of the cases that a fold trains and validates on."""
    return lambda wildcards: expand(
        patterns,
        case=listed(wildcards.fold, "training") + listed(wildcards.fold, "validation"),
    )


def of_tested_cases(*patterns):
    """Input function: `patterns` of every run, fold and tested case of the experiment."""
    return lambda wildcards: [
        path
        for fold in CONFIG.folds
        for path in expand(
            patterns, model=RUNS, fold=fold, case=listed(fold, "testing")
        )
    ]


def above(path, steps=1):
    """The folder that holds a file, or one further up."""
    return str(Path(path).parents[steps - 1])


def growing(amount):
    """Resource function: memory in MB, or minutes, that grow with each attempt at a job."""
    return lambda wildcards, attempt: amount * attempt
