"""Reading, writing and resampling one scan, whatever dataset it is from and whatever its labels mean.

Lives here: files (reading tells them apart: volume, nifti with nifti_header, itk_files, dicom/, archive; written
tells our own results, kinds what is none), what can be wrong with one (defects), grid and labels, the way to
the working grid (preprocess, geometry, oblique, resample) and back (undo).
Comes in: phantom, datasets, audit, metrics, inference, training, report and stages. Goes out: to config's schema
and run.
"""
