"""nibabel, imported without pydicom. `from siil.scan.nifti import nib`.

Where pydicom is installed, nibabel imports it for a header extension that nothing here reads, which costs every process
a quarter of a second (docs/log.md, 2026-11-24). `siil.scan.dicom` imports pydicom itself.
"""

import sys

_hidden = "pydicom" not in sys.modules
if _hidden:
    sys.modules["pydicom"] = None  # type: ignore[assignment]  # importing it then raises an ImportError
try:
    import nibabel as nib
finally:
    if _hidden:
        del sys.modules["pydicom"]

__all__ = ["nib"]
