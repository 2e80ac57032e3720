#!/usr/bin/env bash
# Does the docs site build without a warning, and does no page load anything from the network? Builds it into site/.
set -euo pipefail
NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build
if grep -rEo --include='*.html' '<(script|link|img|iframe)[^>]* (src|href)="(https?:)?//[^"]*"' site; then
    echo "ERROR: these pages load something from the network (the lines above)" >&2
    exit 1
fi
echo "Docs: $PWD/site/index.html"
