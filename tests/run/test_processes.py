"""Which of several processes one is, from the environment of torchrun and of srun."""

from __future__ import annotations

import pytest

from siil.run.processes import Processes, launched

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
}
SRUN = {
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
}


@pytest.mark.parametrize("environment", [TORCHRUN, SRUN, TORCHRUN | SRUN])
def test_two_machines_of_four_processes_each(environment):
    here = launched(environment)
    assert here == Processes(rank=5, world=8, local_rank=1, local_world=4)
    assert here.nodes == 2
    assert not here.first


def test_without_a_launcher_there_is_one_process_that_writes():
    assert launched({}) == Processes(0, 1, 0, 1)
    assert launched({}).first


def test_a_batch_script_of_several_tasks_that_starts_no_step_is_one_process():
    assert launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}).world == 1


def test_the_shares_are_disjoint_and_complete():
    shares = [list(Processes(rank, 3).share("abcdefg")) for rank in range(3)]
    assert shares == [["a", "d", "g"], ["b", "e"], ["c", "f"]]
