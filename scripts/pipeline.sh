#!/usr/bin/env bash
# What comes of an experiment, and where is its report? Runs it: pipeline.sh EXPERIMENT [snakemake options]. A person at a terminal
# sees bars (scripts/watch.py), a log file gets Snakemake's own lines.
set -euo pipefail
experiment=$1
shift
page=results/$experiment/report/index.html
run=(snakemake --cores all --config "experiment=$experiment" "$@")
if [ -t 2 ]; then
    "${run[@]}" 2>&1 | python scripts/watch.py "$experiment"
else
    "${run[@]}" --quiet rules reason
fi
echo "Report (research use only, not a medical device): $PWD/$page"
