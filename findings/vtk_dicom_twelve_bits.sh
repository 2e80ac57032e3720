#!/usr/bin/env bash
# What: VTK's DICOM reader takes all sixteen bits of a CT that stores twelve; pydicom and SimpleITK take the twelve.
# Versions: vtk 9.7.2 (vtkDICOMImageReader), pydicom 3.0.2, SimpleITK 2.5.7, numpy 2.2.6.
# Guess: pydicom hands over the words as they lie, SimpleITK extends the sign; of VTK nothing was guessed.
# So it is: BitsStored 12, HighBit 11, signed, upper four bits clear: air of -1000 HU is -1000 for pydicom and SimpleITK
# and 3096 for VTK. Unsigned with an old overlay in bit 12: tissue at 300 HU is 300 for both, 4396 for VTK.
# Matters: to whoever shows or thresholds a CT of an older scanner in VTK: air is whiter than bone.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile vtk==9.7.2 pydicom==3.0.2 simpleitk==2.5.7 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOImage import vtkDICOMImageReader


def write(path, words, signed, intercept):
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Modality, image.InstanceNumber = "CT", 1
    image.Rows, image.Columns = words.shape
    image.PixelSpacing, image.SliceThickness = [1, 1], 2
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation, image.RescaleSlope, image.RescaleIntercept = int(signed), 1, intercept
    image.PixelData = words.astype("<u2").tobytes()
    image.save_as(path, enforce_file_format=True)


def values(path):
    data = pydicom.dcmread(path)
    by_pydicom = np.unique(data.pixel_array.astype(int) + int(data.RescaleIntercept))
    by_simpleitk = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(path)))
    reader = vtkDICOMImageReader()
    reader.SetFileName(path)
    reader.Update()
    by_vtk = np.unique(vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()))
    return [found.astype(int).tolist() for found in (by_pydicom, by_simpleitk, by_vtk)]


hu = np.full((16, 16), -1000)
hu[4:12, 4:12] = 300
write("signed.dcm", hu & 0x0FFF, True, 0)
stored = hu + 1024
stored[6:8, 6:8] |= 0x1000
write("overlay.dcm", stored, False, -1024)
seen = {name: values(f"{name}.dcm") for name in ("signed", "overlay")}
for name, (one, two, three) in seen.items():
    print(f"{name}: pydicom {one}, SimpleITK {two}, VTK {three}")
right = [-1000, 300]
expected = {"signed": [right, right, [300, 3096]], "overlay": [right, right, [-1000, 300, 4396]]}
raise SystemExit(0 if seen == expected else 1)
PYTHON
