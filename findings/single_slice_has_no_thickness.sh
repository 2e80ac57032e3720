#!/usr/bin/env bash
# What: of a single CT slice SimpleITK and ITK say that it is 1 mm thick, whatever its SliceThickness says.
# Versions: SimpleITK 2.5.7, itk 5.4.7, dcm2niix 1.0.20260724, pydicom 3.0.2, nibabel 5.4.2, numpy 2.2.6.
# Guess: the third spacing is SliceThickness (5 mm).
# So it is: 1.0 by both; 5 only where SpacingBetweenSlices is there, which CT seldom has. dcm2niix says 5.
# Matters: to whoever measures areas or volumes of one slice at L3 (body composition): a volume by spacing is a fifth of the true one.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile simpleitk==2.5.7 itk==5.4.7 dcm2niix==1.0.20260724 pydicom==3.0.2 nibabel==5.4.2 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import itk
import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

Path("one").mkdir()
for name, between in (("plain", None), ("between", 5)):
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Modality, image.InstanceNumber, image.Manufacturer = "CT", 1, "none"
    image.Rows, image.Columns, image.PixelSpacing, image.SliceThickness = 16, 16, [0.8, 0.8], 5
    if between:
        image.SpacingBetweenSlices = between
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept = 1, 0
    image.PixelData = np.arange(256, dtype="<i2").tobytes()
    image.save_as(f"{name}.dcm", enforce_file_format=True)
image.save_as("one/slice.dcm", enforce_file_format=True)
subprocess.run([str(Path(sys.executable).with_name("dcm2niix")), "-f", "made", "-o", ".", "one"], check=True, capture_output=True)
seen = {
    "SimpleITK": [sitk.ReadImage(f"{name}.dcm").GetSpacing()[2] for name in ("plain", "between")],
    "itk": [float(itk.imread(f"{name}.dcm").GetSpacing()[2]) for name in ("plain", "between")],
    "dcm2niix": [float(nibabel.load("made.nii").header["pixdim"][3])],
}
print(seen)
expected = {"SimpleITK": [1.0, 5.0], "itk": [1.0, 5.0], "dcm2niix": [5.0]}
raise SystemExit(0 if seen == expected else 1)
PYTHON
