# ruff: noqa: T201
"""What does scoring a scan cost, in boxes with k-d trees (siil.metrics) and on whole arrays with distance maps?

    python -m benchmarks.metrics                            small, seconds
    python -m benchmarks.metrics --size 300 512 512 --plain 2

Both ways score the same synthetic spine of 18 vertebrae, and their numbers must agree to 1e-6. The whole-array way is
timed on `--plain` vertebrae and scaled to all of them, because it takes tens of seconds for each.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from siil.anatomy import BY_CODE, BY_NAME
from siil.metrics.case import score_case
from tests.metrics.plain import surface_metrics

LEVELS = tuple(f"T{n}" for n in range(1, 13)) + tuple(f"L{n}" for n in range(1, 7))
SPACING_MM = (1.5, 0.8, 0.8)
COLUMNS = ("hd_mm", "hd95_mm", "assd_mm", "nsd")


def spine(shape: tuple[int, int, int], shift_vox: int) -> np.ndarray:
    """18 vertebrae of a body and a process each, filling the height; `shift_vox` moves the lower half sideways."""
    labels = np.zeros(shape, np.uint8)
    height = shape[0] / len(LEVELS)
    half_y, half_x = min(shape[1] // 8, 30), min(shape[2] // 6, 45)
    y, x = np.ogrid[: shape[1], : shape[2]]
    for number, name in enumerate(LEVELS):
        move = shift_vox if number > 8 else 0
        middle_y, middle_x = shape[1] // 2 + move, shape[2] // 2 - move
        body = ((y - middle_y) / half_y) ** 2 + ((x - middle_x) / half_x) ** 2 < 1
        process = (np.abs(y - middle_y - half_y) < half_y) & (np.abs(x - middle_x) < half_x / 6)
        top = shape[0] - round(number * height)
        labels[max(1, top - round(0.8 * height)) : top - 1, body | process] = BY_NAME[name].code
    return labels


def main() -> None:
    """Time both ways and compare their numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(100, 128, 128), metavar=("Z", "Y", "X"))
    parser.add_argument("--plain", type=int, default=4, help="vertebrae to score the whole-array way")
    options = parser.parse_args()
    shape = (options.size[0], options.size[1], options.size[2])
    truth, prediction = spine(shape, 0), spine(shape, 3)
    score_case(truth[:8], truth[:8], SPACING_MM)  # makes the table of areas
    start = time.process_time()
    frame = score_case(truth, prediction, SPACING_MM, tolerances_mm=(1.0, 2.0))
    boxed_s = time.process_time() - start
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = frame[frame["scope"] == "vertebra"].set_index("label")
    chosen = list(rows.index[:: max(1, len(rows) // options.plain)])[: options.plain]
    start, worst = time.process_time(), 0.0
    for name in chosen:
        code = BY_NAME[name].code
        plain = surface_metrics(truth == code, prediction == code, SPACING_MM, 1.0)
        found = rows.loc[name].rename({"nsd_1mm": "nsd"})
        worst = max(worst, *(abs(float(found[column]) - plain[column]) for column in COLUMNS))
    plain_s = (time.process_time() - start) / len(chosen) * len(rows)
    assert worst < 1e-6, f"the two ways differ by {worst}"
    print(f"{shape[0]} x {shape[1]} x {shape[2]} voxels, {len(rows)} of {len(BY_CODE)} levels")
    print(f"boxes        {boxed_s:8.2f} s   peak memory {memory_gb:.2f} GB (both arrays included)")
    print(f"whole arrays {plain_s:8.2f} s   (from {len(chosen)} vertebrae; one tolerance)")
    print(f"ratio        {plain_s / boxed_s:8.1f}     largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
