"""What the rules share: the configuration, and the few functions that ask which cases there are."""

import functools
import hashlib
import json
import os
import runpy
import shutil
import sys
from dataclasses import astuple
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

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
from siil.datasets import batches as dealing
from siil.errors import SiilError
from siil.run import checksums
from siil.run.pipeline import BY_NAME
from siil.run.provenance import code_digest


def told(value):
    """A value of --config. Snakemake reads what is nested in it as text, null too."""
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    return None if value == "null" else value


EXPERIMENT = str(config.get("experiment") or layers.default_experiment())
OVERRIDES = {key: told(value) for key, value in config.items() if key != "experiment"}


@functools.cache
def resolved(model=None):
    """The configuration of the experiment, and of one of its runs."""
    try:
        return configuration.resolve(EXPERIMENT, model=model, overrides=OVERRIDES)
    except SiilError as error:
        raise WorkflowError(str(error)) from None


@functools.cache
def settings(stage, model=None, source=None):
    """The sections that a stage declares, as JSON: its `params.config`. A changed value reruns what uses it. With
    `source` only that source is kept, without `annotation` (which says nothing of its files), and the licence flag only
    if the source has a licence: so experiments share what was fetched.
    """
    names = set(BY_NAME[stage].sections)
    if source is not None:
        names = (names - {"dataset.sources"}) | {f"dataset.sources.{source}"}
        if not hasattr(resolved().dataset.sources[source], "licence"):
            names.remove("dataset.accept_licence")
    values = configuration.sections(resolved(model), names)
    if source is not None:
        del values["dataset"]["sources"][source]["annotation"]
        del values["dataset"]["sources"][source]["landmarks"]
    return json.dumps(values, sort_keys=True)


# Which build of torch --use-conda takes: that of envs/train.yaml, or -cpu or -gpu.
TORCH = "".join(f"-{variant}" for variant in os.getenv("SIIL_TORCH", "").split())
CONFIG = resolved()
RUNS = configuration.runs(CONFIG)  # what the wildcard `model` stands for: siil, siil@1
if workflow.is_main_process and not LOOKS_ONLY:
    try:
        configuration.check_places(resolved(run) for run in RUNS)
    except SiilError as error:
        raise WorkflowError(str(error)) from None
DATASET = CONFIG.dataset.name
DATA = f"data/{DATASET}"
RESULTS = f"results/{EXPERIMENT}"
CORES = workflow.resource_settings.cores or 8
# Trainings share the cores of this machine: on CPUs two side by side with half the cores each are done before two in turn.
TRAIN_THREADS = max(1, CORES // (len(RUNS) * len(CONFIG.folds)))
# So do the folds that are tested, a scan per core at a time. On a GPU one scan at a time.
TEST_THREADS = 1 if shutil.which("nvidia-smi") else TRAIN_THREADS


wildcard_constraints:
    experiment=EXPERIMENT,
    dataset=DATASET,
    source="|".join(CONFIG.dataset.sources),
    model="|".join(RUNS),
    fold=r"\d+",
    batch=r"\d+",
    batches=r"\d+",


def files_below(folder):
    """The files of a user's own folder (or that one file), so that a new or changed one is seen."""
    if folder is None:
        return []
    place = Path(folder)
    files = [place] if place.is_file() else place.rglob("*")
    shown = (path for path in files if path.is_file())
    return sorted(str(path) for path in shown if not path.name.startswith("."))


def own_files(wildcards):
    """The files of a user's own source; nothing for a source to download."""
    source = CONFIG.dataset.sources[wildcards.source]
    return files_below(source.path) if source.kind == "custom" else []


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


def of_batches(*patterns):
    """Input function: `patterns` of every batch of the dataset's cases."""

    def paths(wildcards):
        batches = dealing.count(len(cases()))
        used = {dealing.place(case, batches) for case in cases()}
        return expand(patterns, batch=sorted(used), batches=batches)

    return paths


def in_batch(wildcards):
    """The cases of a batch."""
    return dealing.members(
        list(cases().values()), int(wildcards.batch), int(wildcards.batches)
    )


def released(wildcards):
    """Input function: the released files of a batch, image and mask of each case."""
    return [path for case in in_batch(wildcards) for path in (case.image, case.mask)]


def rows(chosen):
    """A digest of the rows of cases: a stage that reads them in cases.tsv runs again when one of its own changes."""
    text = "\n".join("\t".join(astuple(case)) for case in chosen)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rows_of_tested(wildcards):
    """The same of the cases that a fold tests, once these are known."""
    table = Path(f"{DATA}/cases.tsv")
    tested = Path(f"{DATA}/folds/{wildcards.fold}/testing.txt")
    if not table.is_file() or not tested.is_file():
        return ""
    known = read_cases(table, table.stat().st_mtime_ns)
    names = tested.read_text(encoding="utf-8").split()
    return rows([known[name] for name in names if name in known])


def once_split(*patterns):
    """Input function: files that do not depend on what the cases are, once `index` and `split` have run. Snakemake
    then looks at the contents of the lists: what they say of other cases reruns nothing. Asking `index` first matters:
    Snakemake looks again at a job when the checkpoint that it waits for ran, not when that one turned out to need no
    run. A plan (-n) asks neither and shows all that may have to run.
    """

    def paths(wildcards):
        if not workflow.dryrun:
            indexed()
            checkpoints.split.get(dataset=DATASET)
        return expand(patterns, fold=wildcards.fold)

    return paths


def refined(run):
    """Has this run a second look?"""
    return resolved(run).refine.enabled


def second_look_of(wildcards):
    """Input function: the second look that a test takes, where its run has one."""
    if not refined(wildcards.model):
        return []
    return f"results/{wildcards.experiment}/refine/{wildcards.model}/fold{wildcards.fold}/second_look.safetensors"


def withdraw():
    """Delete each list of files that is not true any more, so that its job runs again and mends what is missing."""
    lists = [
        path
        for verb in ("preprocess", "pap")
        for path in Path(DATA).glob(f"{verb}/*.sha256")
    ]
    lists += [
        path
        for verb in ("test", "evaluate")
        for path in Path(RESULTS).glob(f"{verb}/*/fold*.sha256")
    ]
    for path in lists:
        gone = checksums.untrue(path)
        if gone is not None:
            logger.warning(f"{gone} is gone or not what {path} says: it is made again.")
            path.unlink()


def above(path, steps=1):
    """The folder that holds a file, or one further up."""
    return str(Path(path).parents[steps - 1])


def growing(amount):
    """Resource function: memory in MB, or minutes, that grow with each attempt at a job."""
    return lambda wildcards, attempt: amount * attempt


def growing_by_process(amount):
    """Resource function: so many MB for each process, that is thread, growing with each attempt."""
    return lambda wildcards, attempt, threads: amount * threads * attempt


if workflow.is_main_process and not {"--touch", "-t"} & set(sys.argv):
    withdraw()
