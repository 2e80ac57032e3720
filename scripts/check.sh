#!/usr/bin/env bash
# Style, types, layers, rules, generated files: everything that is checked without running the pipeline. Says all, then fails.
set -uo pipefail
failed=()
check() {
    echo "== $*"
    "$@" || failed+=("$1 ${2:-}")
}
check ruff check .
check ruff format --check .
check mypy
check lint-imports
check snakefmt --check workflow
check snakemake --lint
check python -m siil.config.keys --check
check python scripts/captions.py --check
check python scripts/dvc_stages.py --check
check codespell
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: $(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
