#!/usr/bin/env bash
# What: rt-utils reads a structure set of a CT with unequal numbers of rows and columns into an array of another shape, and cuts it.
# Versions: rt-utils 1.2.7, pydicom 3.0.2, opencv-python 5.0.0.93, numpy 2.2.6.
# Guess: what was added comes back voxel by voxel, as it does where slices are square.
# So it is: masks go in as (rows, columns, slices) and come back as (columns, rows, slices), not transposed: each voxel keeps its row
# and its column, and what lies beyond the shorter side is gone without a word. Of two vertebrae in slices of 40 rows and 32 columns,
# the one in rows 33 to 38 comes back empty.
# Matters: to whoever reads vertebrae back from RTSTRUCT of scans cropped along the spine, deeper than wide: dorsal parts are lost.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir ct
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile rt-utils==1.2.7 pydicom==3.0.2 numpy==2.2.6 \
    opencv-python==5.0.0.93

venv/bin/python - <<'PYTHON'
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from rt_utils import RTStructBuilder

ROWS, COLUMNS, SLICES = 40, 32, 6
study, series, frame = generate_uid(), generate_uid(), generate_uid()
for number in range(SLICES):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset(f"ct/{number}.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, series, frame
    one.Modality, one.PatientID, one.PatientName, one.InstanceNumber = "CT", "P", "P", number + 1
    one.StudyDate, one.StudyTime, one.StudyID, one.SeriesNumber = "20260101", "000000", "1", 1
    one.PatientBirthDate = one.PatientSex = one.AccessionNumber = ""
    one.Rows, one.Columns, one.PixelSpacing, one.SliceThickness = ROWS, COLUMNS, [1, 1], 2
    one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, 2 * number], [1, 0, 0, 0, 1, 0]
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.RescaleSlope, one.RescaleIntercept = 1, -1024
    one.PixelData = np.zeros((ROWS, COLUMNS), np.int16).tobytes()
    one.save_as(one.filename)

upper, lower = (np.zeros((ROWS, COLUMNS, SLICES), bool) for _ in range(2))
upper[4:10, 8:24, 1:5] = True
lower[33:39, 8:24, 1:5] = True
made = RTStructBuilder.create_new("ct")
made.add_roi(mask=upper, name="L1")
made.add_roi(mask=lower, name="L2")
made.save("rt.dcm")
read = RTStructBuilder.create_from("ct", "rt.dcm")
first, second = read.get_roi_mask_by_name("L1"), read.get_roi_mask_by_name("L2")
same = min(ROWS, COLUMNS)
seen = {
    "shape": first.shape,
    "voxels": (int(upper.sum()), int(first.sum()), int(lower.sum()), int(second.sum())),
    "in place": bool((first[:same, :same] == upper[:same, :same]).all()),
}
print(seen)
expected = {"shape": (COLUMNS, ROWS, SLICES), "voxels": (384, 384, 384, 0), "in place": True}
raise SystemExit(0 if seen == expected else 1)
PYTHON
