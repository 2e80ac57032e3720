"""From the weights of a training to those that ship with the package: `python -m siil.model.release WEIGHTS`."""

from __future__ import annotations

import argparse
from pathlib import Path

from siil.errors import WeightsError
from siil.model.weights import SHIPPED, load_network, save_weights

LARGEST_BYTES = 16_000_000


def release(weights: Path, output: Path = SHIPPED) -> None:
    """Write `weights` as float16 to `output`.

    Raises:
        WeightsError: the file would be larger than 16 MB.
    """
    network, about = load_network(weights)
    size = 2 * sum(value.numel() for value in network.state_dict().values())
    if size > LARGEST_BYTES:
        raise WeightsError(f"{weights}: {size / 1e6:.1f} MB in float16, expected at most {LARGEST_BYTES / 1e6:.0f}")
    save_weights(output, network, about=about, half=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    release(parser.parse_args().weights)
