"""The tables of an experiment as text: comparison, paired tests, ablation, per vertebra, per region, trainings.

Stage `tables`; input are the frames of aggregate/vertebrae.tsv, scans.tsv and history.tsv. A `Table` holds finished
cells, "mean ± sd [low, high]", rounded for reading; full digits are in aggregate/*.tsv. siil.report.formats writes it
as CSV, Markdown and LaTeX. Pure: frames in, tables out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

import pandas as pd

from siil.anatomy import REGIONS, VERTEBRAE
from siil.config.schema.model import Model
from siil.config.schema.report import Report
from siil.metrics import pool
from siil.metrics.catalogue import Metric, metrics_of
from siil.metrics.rows import SPACES
from siil.report.cells import NONE, Table, cells_of, difference, lost, p_value
from siil.report.trainings import trainings

NAMES: Final = ("comparison", "paired", "ablation", "per_vertebra", "per_region", "trainings")
"""Every experiment writes all of them; one that has nothing to say says so."""
_SCAN_METRICS: Final = ("binary_dice", "dice", "iou", "hd_mm", "hd95_mm", "assd_mm", "d_mean_mm", "id_rate_verse",
                        "id_rate_strict", "precision", "f1", "shift_accuracy", "all_right")  # fmt: skip
_TESTED: Final = ("dice", "hd95_mm", "assd_mm", "d_mean_mm", "id_rate_verse", "id_rate_strict", "f1")
_VERTEBRA_METRICS: Final = ("dice", "iou", "hd_mm", "hd95_mm", "assd_mm", "distance_mm", "hit_verse", "hit_strict",
                            "detected")  # fmt: skip
_BASELINES: Final = tuple(name for name in get_args(Model.model_fields["name"].annotation) if name != "siil")
_LEVELS: Final = (
    "Dice, IoU, NSD, HD, HD95 and ASSD are means over levels of the mean of each level, invented vertebrae with Dice "
    "0, as nnU-Net's evaluator averages (CTSpine1K's benchmark is nnU-Net's); ± is the standard deviation over levels."
)
_CEILING: Final = "perfect working-grid map"


def make_tables(
    *, vertebrae: pd.DataFrame, scans: pd.DataFrame, history: pd.DataFrame, settings: Report
) -> list[Table]:
    """All tables, in the order of `NAMES`. The first model is the one that others are compared with."""
    return [
        comparison(scans, vertebrae, settings=settings),
        paired(scans, settings=settings),
        ablation(scans, settings=settings),
        per_vertebra(vertebrae, settings=settings),
        per_region(vertebrae, settings=settings),
        trainings(history),
    ]


def comparison(scans: pd.DataFrame, vertebrae: pd.DataFrame, *, settings: Report) -> Table:
    """Models and grids down, metrics across; the ceiling of the input's grid once, below it.

    With `report.averaging: levels` what is measured on single vertebrae is averaged per level, then over levels.
    """
    metrics = _chosen(scans, _SCAN_METRICS)
    names = [m.name for m in metrics]
    pooled = pool.summarise(scans, by=("space", "model"), metrics=names, settings=settings)
    notes = _notes(settings, "scans", scans)
    if settings.averaging == "levels":
        of_one = [name for name in names if name in _VERTEBRA_METRICS or name.startswith("nsd_")]
        levels = pool.by_level(vertebrae, by=("space", "model"), metrics=of_one, settings=settings)
        pooled = pd.concat([pooled[~pooled["metric"].isin(of_one)], levels])
        notes = (*notes, _LEVELS)
    once = pool.once(scans)
    rows = []
    for space in _spaces(scans):
        for model in _models(scans) if space != "ceiling" else _models(scans)[:1]:
            group = pooled[(pooled["space"] == space) & (pooled["model"] == model)]
            of_group = (once["space"] == space) & (once["model"] == model)
            who = model if space != "ceiling" else _CEILING
            rows.append((who, _grid(space), str(int(of_group.sum())), *cells_of(group, metrics)))
    columns = ("Model", "Grid", "Scans", *(m.title for m in metrics))
    return Table("comparison", "Comparison of models", columns, tuple(rows), notes)


def paired(scans: pd.DataFrame, *, settings: Report) -> Table:
    """Each model against the first: on the input's grid, both looks; on the working grid, decoded and network alone."""
    metrics = _chosen(scans, _TESTED)
    columns = ("Model", "Against", "Grid", "Metric", "Patients", "Difference", "p", "p, Holm-corrected")
    reference = _models(scans)[0]
    rows = []
    for space in [s for s in _spaces(scans) if s != "ceiling"]:
        of_space = scans[scans["space"] == space]
        names = [m.name for m in metrics]
        tested = pool.paired(of_space, reference=reference, metrics=names, settings=settings)
        about = {m.name: m for m in metrics}
        for row in tested.to_dict("records"):
            of = about[row["metric"]]
            rows.append((row["model"], reference, _grid(space), of.title, str(row["n"]),
                         difference(row, of.decimals), p_value(row["p"]), p_value(row["p_holm"])))  # fmt: skip
    notes = [f"Differences are means over patients [{settings.confidence:.0%} bootstrap interval over patients]. "
             "Wilcoxon's signed-rank test, two-sided, on means per patient; Holm's correction over all rows of a grid.",
             *_trainings(scans)]  # fmt: skip
    if not rows:
        notes = [f"Only one model was run ({reference}); there is nothing to compare."]
    return Table("paired", f"Paired tests against {reference}", columns, tuple(rows), tuple(notes))


def ablation(scans: pd.DataFrame, *, settings: Report) -> Table:
    """What each variant of SIIL loses, on the input's grid, or on the working grid where that was not scored.

    A variant is every model that is no baseline. Only the input's grid shows a second look.
    """
    variants = [model for model in _models(scans) if not is_baseline(model)]
    space = "input" if (scans["space"] == "input").any() else "work"
    kept = scans[scans["model"].isin(variants) & (scans["space"] == space)]
    if len(variants) < 2:
        said = f"Only one variant was run ({variants[0]})." if variants else "No variant of SIIL was run."
        return Table("ablation", "Ablation", ("Variant",), (), (said,))
    metrics = _chosen(scans, _SCAN_METRICS)
    pooled = pool.summarise(kept, by=("model",), metrics=[m.name for m in metrics], settings=settings)
    tested = pool.paired(kept, reference=variants[0], metrics=["dice", "id_rate_strict"], settings=settings)
    lost_by = {(row["model"], row["metric"]): lost(row) for row in tested.to_dict("records")}
    rows = []
    for variant in variants:
        changes = [lost_by.get((variant, name), NONE) for name in ("dice", "id_rate_strict")]
        rows.append((variant, *changes, *cells_of(pooled[pooled["model"] == variant], metrics)))
    columns = ("Variant", "Change of Dice (0-1)", "Change of id. rate, strict (0-1)", *(m.title for m in metrics))
    notes = (
        f"{_grid(space).capitalize()} grid. Changes against {variants[0]}, mean over patients [interval], with p of "
        "Wilcoxon's test, Holm-corrected over the column pair.",
        *_notes(settings, "scans", scans),
    )
    return Table("ablation", "Ablation", columns, tuple(rows), notes)


def per_vertebra(vertebrae: pd.DataFrame, *, settings: Report) -> Table:
    """Levels down, metrics across, for each model and grid; averages over vertebrae of the truth."""
    order = {v.name: v.index for v in VERTEBRAE}
    frame = vertebrae.assign(group=vertebrae["label"])
    return _by_group(
        frame, sorted(set(frame["group"]), key=order.__getitem__), "per_vertebra", "Per vertebra", "Level", settings
    )


def per_region(vertebrae: pd.DataFrame, *, settings: Report) -> Table:
    """Regions down, complete vertebrae and those cut by the scan's border apart."""
    parts = []
    order = []
    for letter, region in [*REGIONS.items(), ("", "all")]:
        here = vertebrae[vertebrae["label"].str.startswith(letter)]
        for which, rows in (("", here), (", complete", here[here["complete"]]), (", cut", _cut(here))):
            order.append(region + which)
            parts.append(rows.assign(group=region + which))
    frame = pd.concat(parts, ignore_index=True)
    return _by_group(frame, order, "per_region", "Per region", "Region", settings)


def _cut(vertebrae: pd.DataFrame) -> pd.DataFrame:
    return vertebrae[vertebrae["truth"] & ~vertebrae["complete"]]


def _by_group(
    frame: pd.DataFrame, order: Sequence[str], name: str, title: str, heading: str, settings: Report
) -> Table:
    metrics = _chosen(frame, _VERTEBRA_METRICS)
    true = frame[frame["truth"]]
    by = ("model", "space", "group")
    pooled = pool.summarise(true, by=by, metrics=[m.name for m in metrics], settings=settings)
    cells = {key: cells_of(group, metrics) for key, group in pooled.groupby(list(by), sort=False)}
    sides = frame.assign(n=frame["truth"], missed=frame["truth"] & ~frame["predicted"], invented=~frame["truth"])
    summed = sides.groupby(list(by), sort=False)[["n", "missed", "invented"]].sum()
    per_training = (summed / pool.repeats(frame)).round(1)
    counts = dict(zip(summed.index, per_training.to_numpy().tolist(), strict=True))
    empty = (NONE,) * len(metrics)
    rows = []
    for space in [s for s in _spaces(frame) if s in ("input", "first", "work")]:
        for model in _models(frame):
            for group in order:
                key = (model, space, group)
                if key in counts:
                    texts = (f"{count:g}" for count in counts[key])
                    rows.append((model, _grid(space), group, *texts, *cells.get(key, empty)))
    columns = ("Model", "Grid", heading, "Vertebrae", "Missed", "Invented", *(m.title for m in metrics))
    return Table(name, title, columns, tuple(rows), _notes(settings, "vertebrae of the truth", frame))


def is_baseline(model: str) -> bool:
    """Whether a model's name is that of a baseline network, or begins with it (unet, unet_wide)."""
    return any(model == name or model.startswith(f"{name}_") for name in _BASELINES)


def _chosen(frame: pd.DataFrame, names: Sequence[str]) -> list[Metric]:
    """The metrics of `names` that the frame has, with its surface Dices behind the Dice."""
    wanted = list(names)
    surface = [m.name for m in metrics_of(frame.columns) if m.name.startswith("nsd_")]
    wanted[wanted.index("dice") + 1 : wanted.index("dice") + 1] = surface
    return metrics_of(name for name in wanted if name in frame)


def _models(frame: pd.DataFrame) -> list[str]:
    return list(frame["model"].drop_duplicates())


def _spaces(frame: pd.DataFrame) -> list[str]:
    present = set(frame["space"])
    return [space for space in SPACES if space in present]


def _grid(space: str) -> str:
    names = {"input": "input's", "first": "input's, first look", "ceiling": "input's"}
    return (names | {"work": "working", "raw": "working, network alone"})[space]


def _notes(settings: Report, over: str, frame: pd.DataFrame) -> tuple[str, ...]:
    return (
        *_trainings(frame),
        f"Mean ± standard deviation over {over} [{settings.confidence:.0%} bootstrap interval of the mean over "
        f"patients]; {NONE}: none. A missed vertebra has Dice 0 and no distance.",
        "NSD: normalised surface Dice at a tolerance; ASSD: average symmetric surface distance; HD95: 95th percentile "
        "Hausdorff distance. Definitions: docs/decisions/0004-metric-conventions.md.",
    )


def _trainings(frame: pd.DataFrame) -> tuple[str, ...]:
    """A sentence where trainings were repeated."""
    count = pool.repeats(frame)
    return (f"Means over {count} trainings a fold, which differ in their seed; counts are per training.",) * (count > 1)
