# ruff: noqa: T201
"""What does the second look bring on the grid that users get? Dice and surface distance of both looks, beside the
ceiling of a perfect working-grid map.

    python -m benchmarks.second_look --seeds 60000 60100 --recipe benchmarks/recipes/plain.yaml --output OUT
    python -m benchmarks.second_look --second-look FILE --real "$SIIL_REAL_DATA" --output OUT
    python -m benchmarks.second_look --output OUT                                             the table again

Names are given right: each vertebra of the truth is compared with the label that covers most of it, since names are the
matter of benchmarks/labels.py and the second look leaves them alone. Scans are taken in turn; OUT/NAME.tsv has a row
per vertebra and look (first, second, ceiling), and is not computed again. Surface distances are of whole vertebrae.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.labels import crisp, recipe
from benchmarks.subjects import Loaded, Subject, of_dataset, of_folder, of_seeds
from siil import config as configuration
from siil.anatomy import BY_CODE
from siil.config import Config
from siil.errors import SiilError
from siil.inference.device import pick_device, usable_precision
from siil.inference.predict_case import predict_case
from siil.inference.second_look import Again
from siil.metrics import objects
from siil.metrics.case import score_case
from siil.model.weights import SHIPPED, SHIPPED_SECOND_LOOK, load_network, load_second_look
from siil.run import files
from siil.run.progress import track
from siil.run.provenance import RESEARCH_USE
from siil.run.tsv import read_table
from siil.scan.undo import undo_soft

LOOKS = ("first", "second", "ceiling")


class Looks:
    """Both networks, and what they say of a scan."""

    def __init__(self, first: Path, second: Path, config: Config, device: str) -> None:
        self.device, self.inference = pick_device(device), config.inference
        network, self.about = load_network(first)
        again, self.about_again = load_second_look(second)
        self.network, self.again = network.to(self.device), again.to(self.device)
        trained = {"spacing_mm": self.about.spacing_mm, "window_hu": self.about.window_hu}
        self.preprocess = config.dataset.preprocess.model_copy(update=trained)

    def labels(self, scan: Loaded) -> dict[str, np.ndarray]:
        """Look -> label map on the scan's own grid."""
        precision = usable_precision(self.inference.precision, self.device)
        again = Again(self.again, self.about_again, scan.source(), self.device, precision)
        found = predict_case(
            self.network,
            scan.image,
            scan.geometry,
            weights=self.about,
            inference=self.inference,
            device=self.device,
            again=again,
            both=True,
        )
        ceiling = undo_soft(crisp(scan.truth), scan.geometry)
        first = found.seg if found.first is None else found.first
        return {"first": first.array, "second": found.seg.array, "ceiling": ceiling.array}


def named_right(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """`found` with each label called as the vertebra of the truth that it covers most of; others are gone."""
    names = np.zeros(256, np.uint8)
    shared = np.bincount(found.reshape(-1) * np.int64(256) + truth.reshape(-1), minlength=65536).reshape(256, 256)
    shared[0] = 0
    for code in sorted(set(np.unique(truth).tolist()) & set(BY_CODE), key=lambda code: -int(shared[:, code].max())):
        label = int(shared[:, code].argmax())
        if shared[label, code]:
            names[label] = code
            shared[label] = 0
    return names[found]


def measure(scan: Loaded, subject: Subject, looks: Looks) -> pd.DataFrame:
    """A row per vertebra and look: case, group, look, label, complete, dice, assd_mm."""
    truth, spacing = scan.native.array, scan.native.grid.spacing_mm
    uncut = objects.complete(objects.locate(truth, spacing), truth.shape)
    frames = []
    for look, found in looks.labels(scan).items():
        scored = score_case(truth, named_right(truth, found), spacing, complete=uncut)
        rows = scored[(scored["scope"] == "vertebra") & scored["truth"].eq(True)]
        frames.append(rows[["label", "complete", "dice", "assd_mm"]].assign(look=look))
    return pd.concat(frames, ignore_index=True).assign(case=subject.name, group=subject.group, field=subject.field)


def table(rows: pd.DataFrame) -> str:
    """Markdown: groups down, both looks and the ceiling across; means over vertebrae."""
    groups = [("phantoms", rows[rows["group"] == "phantom"])]
    groups += [(f"phantoms, {field}", part) for field, part in groups[0][1].groupby("field") if field]
    groups += [(case, part) for case, part in rows[rows["group"] == "real"].groupby("case")]
    head = ["scans of", "n", "vertebrae", *(f"Dice, {look}" for look in LOOKS), *(f"ASSD mm, {look}" for look in LOOKS)]
    lines = [head, ["---"] * len(head)]
    for name, part in groups:
        if len(part):
            whole = part[part["complete"].astype(str) == "True"]
            cells = [f"{part.loc[part['look'] == look, 'dice'].mean():.3f}" for look in LOOKS]
            cells += [f"{whole.loc[whole['look'] == look, 'assd_mm'].mean():.2f}" for look in LOOKS]
            lines.append([name, str(part["case"].nunique()), str(int((part["look"] == "first").sum())), *cells])
    said = f"The scan's own grid, names given right. A missed vertebra has Dice 0 and no distance. {RESEARCH_USE}"
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", said, ""])


def main() -> None:
    """Measure what is not there yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="of the first look")
    parser.add_argument("--second-look", type=Path, default=SHIPPED_SECOND_LOOK)
    parser.add_argument("--experiment", default="pretrain", help="inference settings, and the recipe of --seeds")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="what differs in that recipe (benchmarks/recipes)")
    parser.add_argument("--data", type=Path, metavar="data/DATASET", help="preprocessed cases of --list")
    parser.add_argument("--list", default="testing", choices=("training", "validation", "testing"))
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "STOP"), help="phantoms drawn anew")
    parser.add_argument("--real", type=Path, help="folder of real scans (SIIL_REAL_DATA)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT")
    options = parser.parse_args()
    try:
        config = configuration.resolve(options.experiment, model="siil")
        subjects: list[Subject] = []
        if options.data or options.seeds or options.real:
            looks = Looks(options.weights, options.second_look, config, options.device)
            if options.data:
                subjects += of_dataset(options.data, (options.data / f"folds/0/{options.list}.txt").read_text().split())
            if options.seeds:
                subjects += of_seeds(recipe(config, options.recipe), range(*options.seeds), looks.preprocess)
            if options.real:
                subjects += of_folder(options.real, looks.preprocess)
        for subject in track(subjects, description="second look", total=len(subjects)):
            path = options.output / f"{subject.name}.tsv"
            if not path.is_file():
                files.write_text(path, measure(subject.load(), subject, looks).to_csv(sep="\t", index=False))
    except SiilError as error:
        raise SystemExit(f"ERROR: {error}") from None
    found = sorted(options.output.glob("*.tsv"))
    if not found:
        raise SystemExit(f"ERROR: {options.output}: no scan was measured; name --seeds, --real or --data")
    text = table(pd.concat([read_table(path) for path in found], ignore_index=True))
    files.write_text(options.output / "table.md", text)
    print(text)


if __name__ == "__main__":
    main()
