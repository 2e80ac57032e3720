# The one door. Each target makes .venv from requirements.lock by itself, and anew when that file changes.
#
#   make demo        phantom scans -> a trained network -> results/demo/report/index.html
#   make test        the default tests           make test-slow   the long ones (real CT: SIIL_REAL_DATA=folder)
#   make check       style, types, layers, rules make schema      generated: keys, captions, dvc.yaml
#   make dag         the graph of the rules      make restore     outputs back from DVC's cache
#   make docs        the site, site/index.html    make lock      requirements.lock from .venv
#   make clean       delete what was made (not data/raw)
#
# Without the CUDA libraries:  make demo PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
# Another experiment:          make run EXPERIMENT=verse19

EXPERIMENT ?= demo
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(shell command -v $(name))))
PIP_FLAGS ?=
READY := .venv/made-from-lock
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help environment demo run test test-slow check dag schema restore clean lock docs
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

environment: $(READY)

$(READY): requirements.lock
	@bash scripts/environment.sh "$(PYTHON)" .venv $(PIP_FLAGS) && touch $@

demo: $(READY)
	@bash scripts/pipeline.sh demo

run: $(READY)
	@bash scripts/pipeline.sh $(EXPERIMENT)

test: $(READY)
	@OMP_NUM_THREADS=1 python -m pytest -q -n 2

test-slow: $(READY)
	@python -m pytest -q -n 2 --dist loadfile -m "slow and not network"

check: $(READY)
	@bash scripts/check.sh

dag: $(READY)
	@snakemake --rulegraph mermaid-js --quiet all --config experiment=$(EXPERIMENT)

schema: $(READY)
	@python -m siil.config.keys && python scripts/captions.py && python scripts/dvc_stages.py && \
		python scripts/commands.py

restore: $(READY)
	@dvc checkout && dvc status -q && snakemake --touch --forceall --cores 1

docs: .venv-docs/made-from-lock
	@bash scripts/docs.sh

.venv-docs/made-from-lock: requirements-docs.lock
	@bash scripts/environment.sh "$(PYTHON)" .venv-docs $(PIP_FLAGS) && touch $@

lock: $(READY)
	@bash scripts/lock.sh > requirements.lock

clean:
	@rm -rf logs .snakemake results/*/ $(filter-out data/raw,$(wildcard data/*))
