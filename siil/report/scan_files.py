"""All files of a scan that `predict` read, beside run.json: its answer, its pictures, and what was asked for more.

Compressing a label map does not hold the interpreter, so the pictures are drawn meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from siil.config.schema.dataset import Preprocess
from siil.inference.dicom_seg import write_for_series
from siil.inference.outputs import write_answer
from siil.inference.predict_case import Prediction
from siil.inference.slicer import write_slicer
from siil.report.pictures import Views, write_pictures


def write_scan(
    made: Path,
    facts: Mapping[str, Any],
    found: Prediction,
    views: Views,
    *,
    settings: Preprocess,
    folder: Path,
    slicer: bool = False,
    series: Path | None = None,
) -> None:
    """Write the files of a scan.

    Args:
        made, facts, views, settings, folder: as of `write_pictures`.
        found: the answer that the facts are of.
        slicer: also what 3D Slicer opens.
        series: the DICOM series (folder or zip) that the scan was read from, which gets a DICOM-SEG.
    """
    name = facts["scan"]
    with ThreadPoolExecutor(1) as beside:
        answer = beside.submit(write_answer, found.seg, found.findings, dict(facts), made, name=name)
        write_pictures(made, facts, found.findings, views, settings=settings, folder=folder)
        if series is not None:
            write_for_series(made / f"{name}_seg.dcm", found.seg, series, name=name)
        if slicer:
            write_slicer(found.seg, found.findings, made, name=name)
        answer.result()
