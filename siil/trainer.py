"""`python -m siil.trainer`: the method's original entry point for training, over siil.stages.in_process."""

from __future__ import annotations

from siil.get_config import get_config
from siil.stages import in_process

if __name__ == "__main__":
    in_process.run(in_process.train, get_config)
