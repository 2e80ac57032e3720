# ruff: noqa: T201
"""Are the labels right? One table of phantoms and real scans, the network alone and after decoding, on both grids.

    python -m benchmarks.labels --weights FILE --seeds 60000 60100 --recipe benchmarks/recipes/plain.yaml --output OUT
    python -m benchmarks.labels --weights FILE --data data/DATASET --real "$SIIL_REAL_DATA" --output OUT
    python -m benchmarks.labels --output OUT                                         the table again

On the input's grid masks are those of the second look and, beside them, of the first alone (--set
inference.refine=false leaves it out); benchmarks/second_look.py says more of masks, apart from names.
Scans are taken in turn. OUT gets scans/NAME.tsv for each (the rows of `siil evaluate`, with what decoding thinks of
itself), labels/NAME.npz for the gallery, then scans.tsv (a row per scan), table.md and gallery.png (the worst scans). A
scan that is there is not computed again. The network's answers are kept in --network (OUT/network), so that another
--set of the decoding takes seconds. benchmarks/calibrate.py reads OUT.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.label_table import one_row_per_scan, table
from benchmarks.reader import Reader, same_or_refused
from benchmarks.subjects import Loaded, Subject, of_dataset, of_folder, of_seeds
from siil import config as configuration
from siil.anatomy import BY_INDEX, codes_to_indices, without_unlabelled
from siil.config import Config
from siil.config.layers import merge, read
from siil.config.schema.phantom import PhantomRecipe
from siil.errors import DatasetError, SiilError
from siil.inference.enumeration import span
from siil.inference.outputs import scan_facts
from siil.inference.predict_case import Prediction
from siil.metrics import objects, rows
from siil.metrics.case import score_case
from siil.model.weights import SHIPPED_SECOND_LOOK
from siil.report.overlays import Picture, worst_cases
from siil.report.preview import preview, write_preview
from siil.report.results import Scan
from siil.report.style import save
from siil.run import files
from siil.run.progress import track
from siil.scan.grid import Volume
from siil.scan.undo import SoftMap, undo_soft

FACTS = ("enumeration", "uncertain", "reason", "margin", "runner_up", "renamed", "patient_scale")


def spaces(found: Prediction, scan: Loaded) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """Space, truth and prediction, as `siil evaluate` compares them; one at a time."""
    yield "work", scan.truth, found.work.array
    yield "raw", scan.truth, found.raw.array
    yield "input", scan.native, found.seg.array
    if found.first is not None:
        yield "first", scan.native, found.first.array
    yield "ceiling", scan.native, undo_soft(crisp(scan.truth), scan.geometry).array


def crisp(mask: Volume) -> Iterator[SoftMap]:
    """The truth on the working grid as a perfect prediction."""
    for code, place in objects.locate(mask.array, mask.grid.spacing_mm).items():
        z, y, x = (side.start for side in place.box)
        yield SoftMap(code, (z, y, x), (mask.array[place.box] == code).astype(np.float32))


def measure(found: Prediction, scan: Loaded, subject: Subject) -> pd.DataFrame:
    """The rows of one scan: of `siil evaluate` without surfaces, and what decoding says of itself."""
    places = objects.locate(scan.native.array, scan.native.grid.spacing_mm)
    uncut = objects.complete(places, scan.native.array.shape)
    facts = scan_facts(found, name=subject.name)
    raw = {BY_INDEX[level.index].name: level.confidence for level in found.sequence.levels}
    said = {finding.name: finding.confidence for finding in found.findings}
    frames = []
    for space, truth, labels in spaces(found, scan):
        frame = score_case(truth.array, labels, truth.grid.spacing_mm, complete=uncut, surfaces=False)
        frame.insert(0, "case", subject.name)
        frame.insert(1, "space", space)
        own = (frame["scope"] == "vertebra") & frame["predicted"].eq(True) & (space == "work")
        frame["raw_confidence"] = frame["label"].map(raw).where(own)
        frame["confidence"] = frame["label"].map(said).where(own)
        for name in FACTS:
            frame[name] = [facts[name] if scope == "scan" else None for scope in frame["scope"]]
        frame["flagged"] = [facts["uncertain"] if scope == "scan" else None for scope in frame["scope"]]
        frames.append(frame.astype(object))
    whole = pd.concat(frames, ignore_index=True)
    whole["group"], whole["field"] = subject.group, subject.field
    return whole


def recipe(config: Config, differences: Path | None) -> PhantomRecipe | None:
    """The recipe of the experiment's first source, if it is one of phantoms, with what a file says differently."""
    found: PhantomRecipe | None = getattr(next(iter(config.dataset.sources.values())), "recipe", None)
    if found is None or differences is None:
        return found
    return PhantomRecipe.model_validate(merge(found.model_dump(), read(differences)))


def run(subjects: list[Subject], reader: Reader, output: Path, *, sheets: bool = False) -> None:
    """Measure what is not there yet; with `sheets`, draw each scan on the working grid."""
    waiting = [subject for subject in subjects if not (output / "scans" / f"{subject.name}.tsv").is_file()]
    done = len(subjects) - len(waiting)
    for subject in track(waiting, description="labels", total=len(subjects), start=done):
        scan = subject.load()
        found = reader.read(scan, subject.name)
        with files.atomic(output / "labels" / f"{subject.name}.npz") as temporary:
            np.savez_compressed(
                temporary, ct_hu=scan.image.array, truth=scan.truth.array, prediction=found.work.array,
                spacing_mm=scan.image.grid.spacing_mm[0],
            )  # fmt: skip
        if sheets:
            why = found.sequence.reason if found.sequence.uncertain else ""
            about = {"title": f"{subject.name} {subject.field}", "enumeration": span(found.names), "warning": why}
            sheet = preview(scan.image, found.work.array, found.findings, centreline=found.centreline, **about)
            write_preview(output / "sheets" / f"{subject.name}.png", sheet)
        files.write_text(output / "scans" / f"{subject.name}.tsv", rows.to_text(measure(found, scan, subject)))


def gallery(output: Path, scans: pd.DataFrame, count: int) -> None:
    """The worst scans in one picture: names that are wrong and not flagged first, then by Dice."""
    order = scans.assign(bad=scans["work_all_right"] + scans["flagged"]).sort_values(["bad", "work_dice"])
    pictures = []
    for row in order.head(count).to_dict("records"):
        with np.load(output / "labels" / f"{row['case']}.npz", allow_pickle=False) as kept:
            indices = [codes_to_indices(without_unlabelled(kept[name])) for name in ("truth", "prediction")]
            scan = Scan(row["case"], kept["ct_hu"], *indices, float(kept["spacing_mm"]))
        flag = "flagged" if row["flagged"] else "NOT flagged"
        said = "all right" if row["work_all_right"] else f"wrong, {flag}"
        pictures.append(Picture(scan, f"{row['case']}\n{row['field']} {said}, Dice {row['work_dice']:.2f}"))
    save(worst_cases(pictures), output, "gallery")


def _subjects(options: argparse.Namespace, reader: Reader) -> list[Subject]:
    found: list[Subject] = []
    if options.data:
        names = (options.data / f"folds/{options.fold}/{options.list}.txt").read_text().split()
        found += of_dataset(options.data, [name.split("/")[-1].split(".")[0] for name in names])
    if options.seeds:
        if reader.recipe is None:
            raise DatasetError(f"experiment {options.experiment}: no phantoms, so no --seeds; name one of phantoms")
        found += of_seeds(reader.recipe, range(*options.seeds), reader.preprocess)
    found = found[: options.limit]
    return [*found, *(of_folder(options.real, reader.preprocess) if options.real else [])]


def main() -> None:
    """Measure, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="without them only the table is made")
    parser.add_argument(
        "--second-look", type=Path, default=SHIPPED_SECOND_LOOK, help="its weights; else those that ship"
    )
    parser.add_argument("--experiment", default="pretrain", help="inference settings, and the recipe of --seeds")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="what differs in that recipe (benchmarks/recipes)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--data", type=Path, metavar="data/DATASET", help="preprocessed cases")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--list", default="testing", choices=("training", "validation", "testing"))
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "STOP"), help="phantoms drawn anew")
    parser.add_argument("--real", type=Path, help="folder of real scans (SIIL_REAL_DATA)")
    parser.add_argument("--limit", type=int, help="phantoms at most; real scans are always all taken")
    parser.add_argument("--network", type=Path, help="where the network's answers are kept (OUT/network)")
    parser.add_argument("--gallery", type=int, default=12, metavar="N", help="scans in the picture of the worst")
    parser.add_argument("--sheets", action="store_true", help="a sheet per scan too, OUT/sheets/NAME.png")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT")
    options = parser.parse_args()
    try:
        if options.weights:
            config = configuration.resolve(
                options.experiment, model="siil", overrides=configuration.parse_overrides(options.set)
            )
            reader = Reader(
                options.weights,
                config,
                recipe=recipe(config, options.recipe),
                kept=options.network or options.output / "network",
                device=options.device,
                second_look=options.second_look,
            )
            about = {"inference": config.inference.model_dump(mode="json"), **reader.about_scans}
            about["second_look"] = reader.second_look and files.sha256(reader.second_look)
            same_or_refused(options.output / "measured.json", about, "scans of another recipe, weights or settings")
            run(_subjects(options, reader), reader, options.output, sheets=options.sheets)
        scans = one_row_per_scan(options.output / "scans")
    except SiilError as error:
        raise SystemExit(f"ERROR: {error}") from None
    files.write_text(options.output / "scans.tsv", scans.to_csv(sep="\t", index=False, float_format="%.6g"))
    text = table(scans)
    files.write_text(options.output / "table.md", text)
    gallery(options.output, scans, options.gallery)
    print(text)


if __name__ == "__main__":
    main()
