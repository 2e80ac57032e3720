"""A label map as DICOM-SEG beside its source series, by which clinical viewers show it.

For DICOM input only. The file refers to the source series, so it must carry that series' patient and study: the only
output of this project that holds patient identifiers. Anatomy is coded in SNOMED CT; T13 and L6 have no code of their
own and are `vertebra`, told apart by the segment's label.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siil import __version__
from siil.anatomy import BY_CODE, BY_NAME
from siil.errors import InputError
from siil.run import files
from siil.run.provenance import RESEARCH_USE
from siil.scan.dicom import read_header, series_files
from siil.scan.grid import Volume
from siil.scan.labels import labels_present

log = logging.getLogger(__name__)
_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def write_dicom_seg(path: Path, seg: Volume, sources: Sequence[Path]) -> bool:
    """Write `seg` (VerSe codes; slices in the order of `sources`) as binary DICOM-SEG.

    Returns False without writing where there is no vertebra: the format has no empty segmentation.

    Raises:
        InputError: the series lacks what a reference to it needs.
    """
    import highdicom

    logging.getLogger("highdicom").setLevel(logging.CRITICAL)  # it says which instances it copies from
    codes = sorted(labels_present(seg.array) & BY_CODE.keys())
    if not codes:
        return False
    numbers = np.zeros(256, np.uint8)
    numbers[codes] = np.arange(1, len(codes) + 1)
    images = [_source(item, seg.grid.spacing_mm[0]) for item in sources]
    for image in images:
        image.ImageOrientationPatient = images[0].ImageOrientationPatient  # what read_series took for all of them
    made = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=numbers[seg.array],
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, code) for number, code in enumerate(codes, start=1)],
        series_instance_uid=highdicom.UID(),
        series_number=_series_number(images[0]),
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="SIIL",
        manufacturer_model_name="siil predict",
        software_versions=__version__,
        device_serial_number="0",
        content_description=RESEARCH_USE,
        content_label="VERTEBRAE",
        series_description="Vertebrae (SIIL). " + RESEARCH_USE,
    )
    with files.atomic(path) as temporary:
        made.save_as(temporary)
    return True


def write_for_series(path: Path, seg: Volume, series: Path, *, name: str) -> None:
    """`write_dicom_seg` beside a series (folder or zip). One that lacks what must be referred to, or that highdicom
    refuses, goes without, and that is said of `name`."""
    with series_files(series) as sources:
        try:
            write_dicom_seg(path, seg, sources)
        except InputError as error:
            log.warning("%s: no DICOM-SEG: %s", name, error)
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # its text may quote the patient
            log.warning("%s: no DICOM-SEG: a tag of the series cannot be used (%s)", name, type(error).__name__)


def rename_segments(old: Path, new: Path, names: Mapping[str, str]) -> None:
    """Write a DICOM-SEG of `write_dicom_seg` under other names (old -> new): a further object of the same study.

    Its frames and its references to patient and series stay; the segments with another name are semi-automatic.

    Raises:
        InputError: it is no such object, or has other segments.
    """
    import highdicom
    import pydicom

    try:
        made = pydicom.dcmread(old)
        found = {segment.SegmentLabel for segment in made.SegmentSequence}
    except (pydicom.errors.InvalidDicomError, OSError, AttributeError, ValueError) as error:
        raise InputError(f"{old}: expected a DICOM-SEG of predict, got {type(error).__name__}") from None
    if found != set(names):
        raise InputError(f"{old}: expected the segments {', '.join(names)}, got {', '.join(sorted(found))}")
    by_hand = highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    for n, segment in enumerate(made.SegmentSequence):
        name = names[segment.SegmentLabel]
        if name != segment.SegmentLabel:
            made.SegmentSequence[n] = _segment(int(segment.SegmentNumber), BY_NAME[name].code, kind=by_hand)
    made.SOPInstanceUID, made.SeriesInstanceUID = highdicom.UID(), highdicom.UID()
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.ContentDate, made.ContentTime = time.strftime("%Y%m%d"), time.strftime("%H%M%S")
    with files.atomic(new) as temporary:
        made.save_as(temporary)


def _source(path: Path, step_mm: float) -> Any:
    """A slice without its pixels, with all that highdicom reads.

    What de-identification took out is put back as empty or from the file's meta; a date, time or sex that breaks the
    standard is emptied; a missing thickness becomes the step between slices.
    """
    import highdicom
    from pydicom.valuerep import DA, TM

    image = read_header(path)
    missing = [name for name in _REQUIRED if not image.get(name)]
    if missing:
        raise InputError(f"{path.name}: the series has no {', '.join(missing)}, which a DICOM-SEG must refer to")
    for name in _MAY_BE_EMPTY:
        if name not in image:
            setattr(image, name, "")
    for name, stored in (("SOPClassUID", "MediaStorageSOPClassUID"), ("SOPInstanceUID", "MediaStorageSOPInstanceUID")):
        if not image.get(name):
            setattr(image, name, image.file_meta.get(stored, ""))
    if not image.SOPInstanceUID:
        raise InputError(f"{path.name}: the slice has no SOPInstanceUID, which a DICOM-SEG must refer to")
    parsers = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM, "PatientSex": highdicom.PatientSexValues}
    for name, parse in parsers.items():
        try:
            parse(image.get(name) or None)
        except (ValueError, TypeError):
            setattr(image, name, "")
    if not image.get("SliceThickness"):
        image.SliceThickness = step_mm
    return image


def _series_number(image: Any) -> int:
    return int(image.get("SeriesNumber") or 0) % 10_000 + 10_000


def _segment(number: int, code: int, *, kind: Any = None) -> Any:
    """kind: highdicom's algorithm type; automatic without one."""
    import highdicom
    from pydicom.sr.codedict import codes

    vertebra = BY_CODE[code]
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=vertebra.name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=getattr(codes.SCT, f"{vertebra.name}Vertebra", codes.SCT.Vertebra),
        algorithm_type=kind or highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="SIIL",
            version=__version__,
            family=codes.DCM.ArtificialIntelligence,
        ),
        tracking_id=f"siil {vertebra.name}",
        tracking_uid=highdicom.UID(),
        display_color=highdicom.color.CIELabColor.from_rgb(*vertebra.colour),
    )
