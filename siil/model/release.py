"""From the weights of a training to those that ship with the package.

    python -m siil.model.release results/phantom_full/train/siil/fold{0,1}/weights.safetensors --notes "seed 0"

float16, at most 16 MB. Of several files, trainings that began alike or followed each other, the mean of their
weights (Izmailov et al., UAI 2018; Wortsman et al., ICML 2022). docs/model-card.md says what they are and are not.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from siil.errors import WeightsError
from siil.model.weights import SHIPPED, load_mean, save_weights

LARGEST_BYTES = 16_000_000


def release(*weights: Path, output: Path = SHIPPED, experiment: str = "phantom_full", notes: str = "") -> None:
    """Write the mean of `weights` as float16 to `output`, with the name of the experiment and notes (revision, seeds).

    Raises:
        WeightsError: as `siil.model.weights.load_mean`, or the file would be larger than 16 MB.
    """
    network, about = load_mean(weights)
    size = 2 * sum(value.numel() for value in network.state_dict().values())
    if size > LARGEST_BYTES:
        raise WeightsError(f"{weights[-1]}: {size / 1e6:.1f} MB in float16, expected at most {LARGEST_BYTES / 1e6:.0f}")
    save_weights(output, network, about=replace(about, experiment=experiment, notes=notes), half=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--experiment", default="phantom_full")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    parser.add_argument("--notes", default="", help="revision, seeds, steps")
    given = parser.parse_args()
    release(*given.weights, output=given.output, experiment=given.experiment, notes=given.notes)
