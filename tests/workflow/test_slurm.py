"""The workflow on a real SLURM (a private one of this machine), read from SLURM's own records.

One submission of the smallest experiment, whose training is killed twice on the way: by its time limit and by scancel.
"""

from __future__ import annotations

import filecmp
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.workflow.checkout import Checkout
from tests.workflow.conftest import copy_of
from tests.workflow.private_slurm import PrivateSlurm, output, why_not

pytestmark = [pytest.mark.slow, pytest.mark.slurm]
PROFILE = ("snakemake", "--profile", "workflow/profiles/slurm", "--slurm-init-seconds-before-status-checks", "4")
RESULT = "results/smallest/train/siil/fold0"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    if reason := why_not():
        pytest.skip(reason)
    cluster = PrivateSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def wait_for(condition, seconds: float, what: str, every_s: float = 1) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come in {seconds} s"
        time.sleep(every_s)


def trainings(folder: Path) -> list[psutil.Process]:
    """The running processes of `siil train` that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if words[1:4] == ["-m", "siil", "train"] and Path(process.cwd()) == folder:
                found.append(process)
        except psutil.Error:
            continue
    return found


def stop_training(checkout: Checkout, step_file: Path, seconds: float) -> float:
    """Stop the training (SIGSTOP) as soon as it has written a newer resume file; the time of that file."""
    before = step_file.stat().st_mtime if step_file.exists() else 0
    wait_for(lambda: step_file.exists() and step_file.stat().st_mtime > before, seconds, str(step_file), 0.02)
    for process in trainings(checkout.folder):
        process.suspend()
    return step_file.stat().st_mtime


@pytest.fixture(scope="module")
def submitted(slurm: PrivateSlurm, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The smallest experiment, run on SLURM; its training killed by its time limit, then by scancel."""
    checkout = Checkout(tmp_path_factory.mktemp("cluster") / "repository")
    checkout.edit("siil/datasets/batches.py", "CASES = 64", "CASES = 1")  # so that three scans are several batches
    partitions = [f"{rule}:slurm_partition=gpu" for rule in ("train", "test", "evaluate")]
    minutes = ("--set-resources", "train:runtime=attempt**4+1", *partitions)
    account = ("--default-resources", "slurm_partition=cpu", "slurm_account=spine", "mem_mb=2000", "runtime=30")
    words = (*PROFILE, "--config", "experiment=smallest", *minutes, *account)
    resume = checkout.folder / RESULT / "last.ckpt"
    with (checkout.folder / "log").open("w") as log, checkout.start(*words, stdout=log) as process:
        try:
            stop_training(checkout, resume, 1500)
            limited = training_jobs(slurm)[0]
            wait_for(lambda: training_jobs(slurm)[0]["JobState"] == "TIMEOUT", 300, f"the end of {limited['JobId']}")
            stop_training(checkout, resume, 1500)
            output("scancel", training_jobs(slurm)[1]["JobId"])
            assert process.wait(timeout=1800) == 0, (checkout.folder / "log").read_text()[-6000:]
        finally:
            process.kill()
    return checkout


@pytest.fixture(scope="module")
def records(slurm: PrivateSlurm, submitted: Checkout) -> list[dict[str, str]]:
    """What SLURM knows of that run."""
    return slurm.jobs()


def named(slurm: PrivateSlurm, rule: str) -> list[dict[str, str]]:
    return [job for job in slurm.jobs() if job.get("Comment", "").startswith(f"rule_{rule}")]


def submissions(records: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """The jobs of each submission: the tasks of an array, or one job."""
    found: dict[str, list[dict[str, str]]] = {}
    for job in records:
        found.setdefault(job.get("ArrayJobId", job["JobId"]), []).append(job)
    return list(found.values())


def training_jobs(slurm: PrivateSlurm) -> list[dict[str, str]]:
    return named(slurm, "train")


def test_every_step_was_a_job_with_its_partition_account_memory_and_time(slurm, submitted):
    jobs = slurm.jobs()
    assert {job["Account"] for job in jobs} == {"spine"}
    (fetch,) = named(slurm, "fetch")
    assert (fetch["Partition"], fetch["TimeLimit"]) == ("cpu", "1-00:00:00")
    assert "cpu=2,mem=4000M" in fetch["TRES"]


def test_only_training_and_testing_had_a_gpu(slurm, submitted):
    gpu = [job for job in slurm.jobs() if "gpu" in job.get("TresPerJob", "")]
    assert {job["Partition"] for job in gpu} == {"gpu"}
    assert len(gpu) == 4  # three attempts at the training, and the scans of its fold
    others = [job for job in slurm.jobs() if job not in gpu]
    assert {job["Partition"] for job in others} == {"cpu"}


def test_preparing_was_a_job_a_batch_a_fold_was_scored_by_one_job_and_the_report_was_one(slurm, submitted):
    """Batches that are ready together become tasks of one array; how many are, is a matter of timing."""
    for step, threads in (("preprocess", 4), ("pap", 4)):
        lists = list((submitted.folder / "data/phantom_smallest" / step).glob("*.sha256"))
        tasks = named(slurm, step)
        assert len(tasks) == len(lists) > 1
        assert {job["NumCPUs"] for job in tasks} == {str(threads)}
    assert len([job for job in slurm.jobs() if job.get("Comment", "").startswith("rule_score_siil_fold0")]) == 1
    groups = [job for job in slurm.jobs() if job.get("Comment", "").startswith("rule_reporting")]
    assert len(groups) == 1
    comments = [job.get("Comment", "") for job in slurm.jobs()]
    assert not any(word in comment for comment in comments for word in ("rule_tables", "rule_figures", "rule_evaluate"))


def test_training_scores_and_report_were_one_submission_each_and_no_scan_was_one(records, submitted):
    """Batches hold one scan here, so that a job per scan anywhere else would be one more. Those that are ready together
    are one array; how many are, is a matter of timing."""
    steps = [re.match("rule_([a-z]+)", jobs[0]["Comment"])[1] for jobs in submissions(records)]
    attempts = ["train"] * 3  # one training, killed twice
    once = ["fetch", "index", "audit", "split", "score", "reporting"]
    assert sorted(step for step in steps if step not in ("preprocess", "pap")) == sorted([*once, *attempts])
    for step in ("preprocess", "pap"):
        batches = list((submitted.folder / "data/phantom_smallest" / step).glob("*.sha256"))
        assert 1 <= steps.count(step) <= len(batches)


def test_a_killed_training_came_back_with_more_and_went_on_where_it_was(slurm, submitted, smallest):
    attempts = training_jobs(slurm)
    assert [job["JobState"] for job in attempts] == ["TIMEOUT", "CANCELLED", "COMPLETED"]
    assert [job["TimeLimit"] for job in attempts] == ["00:02:00", "00:17:00", "01:22:00"]
    assert [re.search(r"mem=(\d+[MG])", job["TRES"])[1] for job in attempts] == ["16000M", "32000M", "48000M"]
    log = (submitted.folder / "logs/smallest/train/siil/fold0.log").read_text(encoding="utf-8")
    steps = re.search(r"resuming .* after step (\d+)", log)
    assert steps
    assert int(steps[1]) >= 2
    for name in (f"{RESULT}/weights.safetensors", "results/smallest/tables/comparison.csv"):
        assert filecmp.cmp(submitted.folder / name, smallest.folder / name, shallow=False), name
    assert submitted.plan(experiment="smallest") == {}


def test_ctrl_c_cancels_what_was_submitted(slurm, submitted, tmp_path):
    checkout = copy_of(submitted, tmp_path / "repository")
    words = (*PROFILE, "all_train", "--forcerun", "train", "--config", "experiment=smallest")
    with (checkout.folder / "log").open("w") as log, checkout.start(*words, stdout=log) as process:
        wait_for(lambda: "RUNNING" in output("squeue", "-h", "-o", "%T"), 120, "a running job")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    assert slurm.wait_until_empty(30)
    assert slurm.jobs()[-1]["JobState"] == "CANCELLED"


def test_dvc_repro_through_the_profile_submits_each_stage(slurm, tracked_once, tmp_path):
    checkout = copy_of(tracked_once, tmp_path / "repository")
    checkout.variables = {**tracked_once.variables, "SNAKEMAKE_PROFILE": "workflow/profiles/slurm"}
    with (checkout.folder / "siil/stages/report.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    before = len(slurm.jobs())
    done = checkout.call("dvc", "repro", "report", timeout_s=300)
    assert done.returncode == 0, done.stdout[-4000:]
    (job,) = slurm.jobs()[before:]
    assert job["JobState"] == "COMPLETED"
    assert "up to date" in checkout.call("dvc", "status").stdout


def test_two_processes_of_srun_train_together(slurm, smallest, tmp_path):
    data = smallest.folder / "data/phantom_smallest"
    siil = ("python", "-m", "siil", "train", "--data", str(data), "--lists", str(data / "folds/0"), "--device", "cpu")
    rest = ("--output", str(tmp_path / "out"), "--experiment", "smallest", "--log", str(tmp_path / "log"))
    srun = ("srun", "--ntasks=2", "--ntasks-per-node=2", "--cpus-per-task=1", "--mem=4000", "--time=5")
    done = smallest.call(*srun, *siil, *rest, "--set", "train.batch_size=4", timeout_s=200)
    assert done.returncode == 0, done.stdout[-4000:]
    assert (tmp_path / "out/weights.safetensors").is_file()
    assert "MEMBER: 2/2" in done.stdout
    assert slurm.jobs()[-1]["NumTasks"] == "2"
