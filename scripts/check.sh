#!/usr/bin/env bash
# Is everything in order that shows without running the pipeline? Style, types, layers, rules, generated files. Says all, then fails.
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
check python scripts/commands.py --check
check python scripts/prose.py --check
check codespell
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: $(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
