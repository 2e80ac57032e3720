#!/usr/bin/env bash
# What exactly is installed here? The text of requirements.lock: no local versions (no user can install torch 2.13.0+cpu from PyPI).
set -euo pipefail
echo '# The whole environment, exactly: what `make` installs (written by `make lock`). torch has no local version here: pip'
echo '# takes the CUDA build from PyPI, or the CPU build where PIP_FLAGS names an index that has one (README).'
python -m pip freeze --exclude-editable | grep '==' | sed 's/+cpu$//; s/+cu[0-9]*$//' | grep -vi '^siil=='
