"""A prediction as files: label maps, centroids in VerSe's format, the table per vertebra, the facts of the scan.

Used by the stages `test` and `predict`. Every file is written atomically. docs/results.md describes the columns.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siil.errors import InputError
from siil.inference.count import rival_names
from siil.inference.enumeration import Enumeration, span
from siil.inference.posterior import Posterior
from siil.inference.predict_case import Prediction
from siil.inference.vertebrae import Finding
from siil.run import files
from siil.run.provenance import RESEARCH_USE
from siil.scan.grid import Volume
from siil.scan.labels import labels_present
from siil.scan.volume import read_mask, write_volume

TABLE_COLUMNS = (
    "label",
    "code",
    "confidence",
    "complete",
    "flags",
    "centroid_x_mm",
    "centroid_y_mm",
    "centroid_z_mm",
    "body_x_mm",
    "body_y_mm",
    "body_z_mm",
    "volume_mm3",
    "height_mm",
    "mean_hu",
)
_UNITS = ("confidence", "_mm", "_mm3", "_hu")


def centroid_json(findings: tuple[Finding, ...], seg: Volume) -> list[dict[str, Any]]:
    """VerSe's centroid list: voxel coordinates of the body centres along the image's own axes."""
    entries: list[dict[str, Any]] = [{"direction": list(seg.grid.orientation)}]
    for finding in findings:
        x, y, z = (round(value, 1) for value in finding.body_vox)
        entries.append({"label": finding.code, "X": x, "Y": y, "Z": z})
    return entries


def vertebra_table(findings: tuple[Finding, ...]) -> pd.DataFrame:
    """One row per vertebra from the head down. Centres are LPS millimetres of the input; complete is 1 or 0."""
    rows = [
        (
            finding.name,
            finding.code,
            round(finding.confidence, 4),
            int(finding.complete),
            " ".join(finding.flags),
            *(round(value, 2) for value in (*finding.centroid_mm, *finding.body_mm)),
            round(finding.volume_mm3, 1),
            round(finding.height_mm, 2),
            round(finding.mean_hu, 1),
        )
        for finding in findings
    ]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def scan_facts(prediction: Prediction, *, name: str) -> dict[str, Any]:
    """What is known of the scan as a whole: enumeration, rivals, margin in nats, and why it is uncertain."""
    sequence, findings = prediction.sequence, prediction.findings
    names = [finding.name for finding in findings]
    rivals = sequence.candidates[1:]
    return {
        "notice": RESEARCH_USE,
        "scan": name,
        "orientation": prediction.seg.grid.orientation,
        "vertebrae": names,
        "cut": [finding.name for finding in findings if not finding.complete],
        "enumeration": span(prediction.names),
        "uncertain": sequence.uncertain,
        "reason": sequence.reason,
        "margin": None if sequence.margin is None else round(sequence.margin, 3),
        "runner_up": f"{span(rivals[0].names)} ({', '.join(rivals[0].changes)})" if rivals else None,
        "counts": dict(sequence.counts),
        "rivals": [_rival(rival, sequence.candidates[0], prediction.names) for rival in rivals],
        "renamed": round(sequence.renamed, 3),
        "patient_scale": round(sequence.scale, 3),
        "unseen": [label for label in prediction.names if label not in names],
        "second_look_mm": prediction.second_look_mm,
        "details": json.loads(vertebra_table(findings).to_json(orient="records")),  # NaN becomes null
    }


def _rival(rival: Enumeration, best: Enumeration, places: tuple[str, ...]) -> dict[str, Any]:
    why = {name: round(value, 3) for name, value in asdict(best.parts - rival.parts).items()}
    behind = round(best.score - rival.score, 3)
    names = rival_names(places, rival)
    return {
        "enumeration": span(rival.names),
        "behind": behind,
        "changes": list(rival.changes),
        "why": why,
        "names": None if names is None else list(names),
    }


def write_reading(prediction: Prediction, folder: Path, *, name: str) -> list[Path]:
    """Write what both stages give: {name}_seg.nii.gz, _ctd.json, _vertebrae.tsv, _scan.json. Returns the paths."""
    return write_answer(prediction.seg, prediction.findings, scan_facts(prediction, name=name), folder, name=name)


def write_answer(
    seg: Volume, findings: tuple[Finding, ...], facts: dict[str, Any], folder: Path, *, name: str
) -> list[Path]:
    """As `write_reading`, from the facts of the scan (`scan_facts`)."""
    paths = [folder / f"{name}_{kind}" for kind in ("seg.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json")]
    write_volume(paths[0], seg)
    files.write_json(paths[1], centroid_json(findings, seg))
    files.write_text(paths[2], vertebra_table(findings).to_csv(sep="\t", index=False))
    files.write_json(paths[3], facts)
    return paths


def read_answer(folder: Path, *, name: str) -> tuple[Volume, tuple[Finding, ...], dict[str, Any]]:
    """What `write_answer` wrote, as rounded there.

    Raises:
        InputError: a file is missing or was changed so that the files no longer say the same.
    """
    seg = read_mask(folder / f"{name}_seg.nii.gz")
    scan, centroids = folder / f"{name}_scan.json", folder / f"{name}_ctd.json"
    try:
        facts, (_, *entries) = json.loads(scan.read_text("utf-8")), json.loads(centroids.read_text("utf-8"))
        bodies = {entry["label"]: (entry["X"], entry["Y"], entry["Z"]) for entry in entries}
        findings = tuple(_finding(row, bodies[row["code"]]) for row in facts["details"])
        same = facts["vertebrae"] == [finding.name for finding in findings]
        _ = facts["rivals"], facts["unseen"], facts["enumeration"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{scan} and {centroids.name}: expected an answer of predict, got {error!r}") from None
    if not same or labels_present(seg.array) != {finding.code for finding in findings}:
        raise InputError(
            f"{scan} and {name}_seg.nii.gz: expected the same vertebrae in both, got others; predict the scan again"
        )
    return seg, findings, facts


def _finding(row: dict[str, Any], body_vox: tuple[float, float, float]) -> Finding:
    """A row of `details`; NaN is null there."""
    number = {
        key: float("nan") if row[key] is None else float(row[key]) for key in TABLE_COLUMNS if key.endswith(_UNITS)
    }
    return Finding(
        name=row["label"],
        code=row["code"],
        confidence=number["confidence"],
        centroid_mm=(number["centroid_x_mm"], number["centroid_y_mm"], number["centroid_z_mm"]),
        body_mm=(number["body_x_mm"], number["body_y_mm"], number["body_z_mm"]),
        body_vox=body_vox,
        volume_mm3=number["volume_mm3"],
        height_mm=number["height_mm"],
        mean_hu=number["mean_hu"],
        complete=bool(row["complete"]),
        flags=tuple(row["flags"].split()),
    )


def write_core(path: Path, posterior: Posterior) -> None:
    """Write the localisation rows and the embeddings as {case}_core.npz."""
    with files.atomic(path) as temporary:
        np.savez_compressed(
            temporary,
            localisation=posterior.localisation,
            embeddings=posterior.embeddings,
            classes=posterior.embedding_classes,
        )
