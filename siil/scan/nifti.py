"""nibabel, imported without pydicom. `from siil.scan.nifti import nib`.

Where pydicom is installed, nibabel imports it for a header extension that nothing here reads: a quarter of a second of
every process, and the workflow starts four for each scan (docs/log.md, 2026-11-24). `siil.scan.dicom` imports pydicom
itself.
"""

import sys

_hidden = "pydicom" not in sys.modules
if _hidden:
    sys.modules["pydicom"] = None  # type: ignore[assignment]  # Python's own way to say: an ImportError
try:
    import nibabel as nib
finally:
    if _hidden:
        del sys.modules["pydicom"]

__all__ = ["nib"]
