"""`dvc repro`, pull, push, metrics, plots and experiments on the finished smallest experiment, beside Snakemake.

After everything that DVC did: its status is clean, and Snakemake has nothing to do. Never old results under new code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout, jobs
from tests.workflow.conftest import copy_of

pytestmark = pytest.mark.slow
EXPERIMENT = "config/experiments/smallest.yaml"
REPORTING = {"aggregate": 1, "tables": 1, "figures": 1, "report": 1}


def stages(text: str) -> list[str]:
    return re.findall(r"^Running stage '(\w+)'", text, flags=re.M)


def settled(checkout: Checkout) -> None:
    """Nothing is left to do, whichever tool is asked."""
    assert "Data and pipelines are up to date" in checkout.do("dvc", "status")
    assert "Nothing to be done" in checkout.do("snakemake", "--cores", "2", "--dry-run")


@pytest.fixture
def tracked(tracked_once: Checkout, tmp_path: Path) -> Checkout:
    return copy_of(tracked_once, tmp_path / "repository")


def test_a_second_repro_does_nothing_and_checkout_restores_what_was_deleted(tracked: Checkout) -> None:
    assert stages(tracked.do("dvc", "repro")) == []
    settled(tracked)
    shutil.rmtree(tracked.folder / "results/smallest")
    shutil.rmtree(tracked.folder / "data/phantom_smallest/pap")
    tracked.do("dvc", "checkout")
    settled(tracked)
    assert stages(tracked.do("dvc", "repro")) == []


def test_a_fresh_clone_pulls_and_has_nothing_to_do_yet_sees_a_later_change(tracked: Checkout, tmp_path: Path) -> None:
    tracked.do("dvc", "push")
    assert any((tracked.folder / ".dvc-store").rglob("*")), "the default remote is a folder of the checkout"
    clone = object.__new__(Checkout)
    clone.folder, clone.variables = tmp_path / "clone", tracked.variables
    tracked.do("git", "clone", "-q", ".", str(clone.folder))
    shutil.move(tracked.folder / ".dvc-store", clone.folder / ".dvc-store")
    clone.do("dvc", "pull")
    recipe = re.search(r"^restore:.*\n\t@(.*)$", (clone.folder / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    assert recipe
    clone.do("bash", "-c", recipe[1])
    settled(clone)
    clone.edit(EXPERIMENT, "report: {bootstrap: 100", "report: {bootstrap: 150")
    assert clone.plan(experiment="smallest") == REPORTING


def test_a_line_of_code_reruns_its_stages_alone(tracked: Checkout) -> None:
    with (tracked.folder / "siil/stages/tables.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    assert "tables" in tracked.call("dvc", "status").stdout
    text = tracked.do("dvc", "repro")
    assert stages(text) == ["tables", "report"]
    assert jobs(text) == {"tables": 1}  # the tables say what they said: the page need not be made again
    settled(tracked)


def test_one_more_fold_trains_once_and_leaves_the_first(tracked: Checkout) -> None:
    weights = tracked.folder / "results/smallest/train/siil"
    before = (weights / "fold0/weights.safetensors").stat().st_mtime_ns
    tracked.edit(EXPERIMENT, "folds: [0]", "folds: [0, 1]")
    assert jobs(tracked.do("dvc", "repro")) == {"train": 1, "test": 1, "evaluate": 1, **REPORTING}
    assert (weights / "fold0/weights.safetensors").stat().st_mtime_ns == before
    assert (weights / "fold1/weights.safetensors").is_file()
    settled(tracked)


def test_an_override_of_dvc_reaches_the_run_and_metrics_and_plots_show_it(tracked: Checkout) -> None:
    text = tracked.do("dvc", "exp", "run", "-S", "config/config.yaml:inference.spine_threshold=0.1")
    assert jobs(text) == {"train": 1, "test": 1, "evaluate": 1, **REPORTING}  # validation uses the threshold too
    record = next((tracked.folder / "results/smallest/test/siil/fold0").glob("*_seg.run.json"))
    assert json.loads(record.read_text(encoding="utf-8"))["config"]["inference"]["spine_threshold"] == 0.1
    settled(tracked)
    changes = json.loads(tracked.do("dvc", "metrics", "diff", "--json"))
    name = "results/smallest/aggregate/metrics.json"
    assert changes[name], "a network of eight steps answers otherwise at another threshold"
    assert name in json.loads(tracked.do("dvc", "metrics", "show", "--json"))[""]["data"]
    drawn = tracked.do("dvc", "plots", "show", "--json")
    assert "history.tsv" in drawn
    assert "vertebrae.tsv" in drawn
    assert "Loss of the trainings" in drawn


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A loopback S3 server with the bucket siil-dvc; its address and the variables that reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    make = f"import botocore.session as s; s.get_session().create_client('s3', endpoint_url={url!r})"
    with (tmp_path / "s3.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            for _ in range(100):
                time.sleep(0.2)
                words = [sys.executable, "-c", f"{make}.create_bucket(Bucket='siil-dvc')"]
                if not subprocess.run(
                    words, env={**os.environ, **variables}, capture_output=True, check=False
                ).returncode:
                    break
            yield {"url": url, **variables}
        finally:
            server.kill()


def test_a_remote_on_s3_takes_and_gives_everything(tracked: Checkout, s3: dict[str, str]) -> None:
    tracked.variables = {**tracked.variables, **{name: value for name, value in s3.items() if name != "url"}}
    tracked.do("dvc", "remote", "add", "--default", "s3", "s3://siil-dvc/store")
    tracked.do("dvc", "remote", "modify", "--local", "s3", "endpointurl", s3["url"])
    assert "files pushed" in tracked.do("dvc", "push")
    shutil.rmtree(tracked.folder / ".dvc/cache")
    shutil.rmtree(tracked.folder / "results")
    tracked.do("dvc", "pull")
    assert "up to date" in tracked.do("dvc", "status")
    settled(tracked)
