"""A training as one of several processes, for test_processes.py: `torchrun -m tests.training.ranks DATA OUTPUT CONFIG`.

Besides what `siil train` writes, each process leaves its own network: OUTPUT/rank{n}.pt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from siil import config as configuration
from siil.run import processes
from siil.stages import train as stage


def main(data: Path, output: Path, config: dict[str, Any]) -> None:
    """Train on DATA as the stage does."""
    told = stage.facts

    def facts(progress: Any, network: Any, **values: Any) -> dict[str, Any]:
        output.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), output / f"rank{processes.launched().rank}.pt")
        return told(progress, network, **values)

    stage.facts = facts
    partial = configuration.partial(config)
    stage.train(config=partial, data=data, lists=data / "folds" / "0", output=output, device="cpu")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
