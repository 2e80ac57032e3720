#!/usr/bin/env bash
# What: dicom2nifti leaves the rescale of an enhanced (multi-frame) CT out; of the same slices as single files it applies it.
# Versions: dicom2nifti 2.6.2, highdicom 0.28.2 (makes the multi-frame file), SimpleITK 2.5.7, nibabel 5.4.2, pydicom 3.0.2.
# Guess: all readers give HU, wherever the rescale stands.
# So it is: air of -1000 HU comes out as 24 from the multi-frame file (the stored value, int16), and as -1000 from the single files;
# SimpleITK gives -1000 for both. The geometry is right, so nothing looks wrong but the numbers.
# Matters: to whoever converts data of scanners that export enhanced CT: every window and threshold is 1024 HU off.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile dicom2nifti==2.6.2 highdicom==0.28.2 pydicom==3.0.2 simpleitk==2.5.7 nibabel==5.4.2 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import logging
from pathlib import Path

import dicom2nifti
import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

logging.disable(logging.CRITICAL)
study, series, frame = generate_uid(), generate_uid(), generate_uid()
hu = np.full((6, 16, 16), -1000)
hu[:, 4:12, 4:12] = 300
slices = []
for number, plane in enumerate(hu):
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.Modality, image.ImageType, image.Manufacturer = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "none"
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "phantom", "1", "", "O"
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", "", ""
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(image, f"{kind}Date", "20200101")
        setattr(image, f"{kind}Time", "120000")
    image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 1, number + 1, 1
    image.Rows, image.Columns = plane.shape
    image.PixelSpacing, image.SliceThickness = [1, 1], 2
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * number]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
    image.PixelData = (plane + 1024).astype("<i2").tobytes()
    slices.append(image)
for folder in ("single", "enhanced"):
    Path(folder).mkdir()
for number, image in enumerate(slices):
    image.save_as(f"single/{number}.dcm", enforce_file_format=True)
made = highdicom.legacy.LegacyConvertedEnhancedCTImage(
    slices,
    series_instance_uid=highdicom.UID(),
    series_number=2,
    sop_instance_uid=highdicom.UID(),
    instance_number=1,
)
made.save_as("enhanced/0.dcm")

seen = {}
for folder in ("single", "enhanced"):
    image = dicom2nifti.dicom_series_to_nifti(folder, f"{folder}.nii.gz")["NII"]
    seen[folder] = sorted({int(value) for value in np.unique(np.asarray(image.dataobj))})
reader = sitk.ReadImage("enhanced/0.dcm")
seen["enhanced by SimpleITK"] = np.unique(sitk.GetArrayFromImage(reader)).astype(int).tolist()
print(seen)
expected = {"single": [-1000, 300], "enhanced": [24, 1324], "enhanced by SimpleITK": [-1000, 300]}
raise SystemExit(0 if seen == expected else 1)
PYTHON
