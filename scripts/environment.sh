#!/usr/bin/env bash
# Is there a Python that can make the environment? Then makes it from its lock file: environment.sh PYTHON FOLDER
# [pip flags]. Starts anew each time, so an interrupted run leaves nothing that counts (the Makefile touches its stamp only after this succeeded).
set -euo pipefail
python=$1 folder=$2
shift 2
say() { echo "ERROR: $*" >&2; exit 2; }
[ -n "$python" ] || say "no python3 found; on Debian or Ubuntu: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' ||
    say "$("$python" --version) found; this needs Python 3.11 or 3.12 (make PYTHON=/path/to/python3.11)"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    say "$python cannot make virtual environments; on Debian or Ubuntu: apt-get install $(basename "$(readlink -f "$python")")-venv"
python=$("$python" -c 'import sys; print(sys._base_executable)') # outside the folder, which may be the active environment
lock=requirements.lock
[ "$folder" != .venv-docs ] || lock=requirements-docs.lock
rm -rf "$folder"
"$python" -m venv "$folder"
echo "Installing $(grep -c == $lock) packages into $folder (some minutes, once)"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" -r $lock
[ $lock != requirements.lock ] ||
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$@" --editable .
