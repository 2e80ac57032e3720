"""Which of several processes this one is, as torchrun or SLURM's srun says it in the environment. Imports no torch.

`torchrun --nproc-per-node 2 -m siil train …` or `srun --ntasks-per-node 2 python -m siil train …`: every process calls
the same command, and the first (rank 0) writes the files. Without a launcher there is one process. Lowest layer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process is number `rank` of `world`, and number `local_rank` of the `local_world` on its machine."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def first(self) -> bool:
        """Is it the one that writes?"""
        return self.rank == 0

    @property
    def nodes(self) -> int:
        """Machines, each with the same number of processes."""
        return self.world // self.local_world

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Every `world`-th item, beginning with number `rank`."""
        return items[self.rank :: self.world]


def launched(environment: Mapping[str, str] | None = None) -> Processes:
    """What torchrun, else the running step of srun, says; an sbatch script that starts no step is one process."""
    found = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in found:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        return Processes(*(int(found[name]) for name in names))
    world = int(found.get("SLURM_STEP_NUM_TASKS", "1")) if "SLURM_STEP_ID" in found else 1
    if world == 1:
        return Processes()
    nodes = int(found.get("SLURM_STEP_NUM_NODES", "1"))
    return Processes(int(found["SLURM_PROCID"]), world, int(found["SLURM_LOCALID"]), world // nodes)
