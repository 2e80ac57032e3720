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

from siil.inference.count import rival_names
from siil.inference.enumeration import Enumeration, span
from siil.inference.posterior import Posterior
from siil.inference.predict_case import Prediction
from siil.inference.vertebrae import Finding
from siil.run import files
from siil.run.provenance import RESEARCH_USE
from siil.scan.grid import Volume
from siil.scan.volume import write_volume

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
        "rivals": [_rival(rival, sequence.candidates[0], prediction.names) for rival in rivals],
        "renamed": round(sequence.renamed, 3),
        "patient_scale": round(sequence.scale, 3),
        "unseen": [label for label in prediction.names if label not in names],
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
    seg, centroids = folder / f"{name}_seg.nii.gz", folder / f"{name}_ctd.json"
    table, scan = folder / f"{name}_vertebrae.tsv", folder / f"{name}_scan.json"
    write_volume(seg, prediction.seg)
    files.write_json(centroids, centroid_json(prediction.findings, prediction.seg))
    files.write_text(table, vertebra_table(prediction.findings).to_csv(sep="\t", index=False))
    files.write_json(scan, scan_facts(prediction, name=name))
    return [seg, centroids, table, scan]


def write_core(path: Path, posterior: Posterior) -> None:
    """Write the localisation rows and the embeddings as {case}_core.npz."""
    with files.atomic(path) as temporary:
        np.savez_compressed(
            temporary,
            localisation=posterior.localisation,
            embeddings=posterior.embeddings,
            classes=posterior.embedding_classes,
        )
