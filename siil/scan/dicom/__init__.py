"""A CT series in DICOM, as a folder or a zip, to a volume in HU.

Lives here: what a file is (`objects`), which series of a folder is read (`choosing`), where its slices lie
(`stacking`), the volume (`series`). What is no CT slice is set aside and counted; patients and studies are never chosen
between; a series is read whole or not at all. Only geometry and pixels are read: no patient identifier reaches a log, a
message or an output, but for the DICOM-SEG (inference/dicom_seg.py). Compressed pixels are decoded by pylibjpeg.
"""

from siil.scan.dicom.objects import read_header
from siil.scan.dicom.series import read_series, series_files

__all__ = ["read_header", "read_series", "series_files"]
