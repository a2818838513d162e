# Phaseflow: `make run` makes the page, `make test` checks everything; `make help` lists the rest.
PYTHON ?= python3
CORES ?= 4
CONFIG ?=
ARGS ?=
ROUNDS ?= 5
RECOMPUTE ?=
TRIED ?= 10000
BIN := .venv/bin
# The stamp bears the lock's checksum, so another lock installs anew.
STAMP := .venv/.installed-$(shell cksum < requirements.txt | tr ' ' '-')
SLURM_STAMP := .venv-slurm/.installed-$(shell cksum < requirements-slurm.txt | tr ' ' '-')
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: run test test-cluster fuzz lint format lock docs bench-workflow bench-simulate prune verify compare export clean help
.DEFAULT_GOAL := help

run: $(STAMP)  ## make the page: results/report/index.html (CORES=4, CONFIG=config.yaml)
	$(BIN)/snakemake -c$(CORES) $(CONFIGFILE)

test: $(STAMP)  ## run the tests (ARGS="tests/unit -x")
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

test-cluster: $(STAMP) $(SLURM_STAMP)  ## run small studies on a Slurm of one node, also with lost jobs, and compare every byte
	tests/cluster/slurm.sh install
	PHASEFLOW_TEST_CLUSTER=1 $(BIN)/python -m pytest tests/cluster $(ARGS)

fuzz: $(STAMP)  ## try 10,000 spoiled configs (TRIED=10000)
	PHASEFLOW_FUZZ=$(TRIED) $(BIN)/python -m pytest tests/unit/test_fuzz.py

lint: $(STAMP)  ## check style, types, spelling and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/codespell
	$(BIN)/snakemake --lint

format: $(STAMP)  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile

docs: $(STAMP)  ## write docs/config.md, its schema and docs/catalogue.md from the settings and systems
	$(BIN)/python scripts/document.py

lock:  ## renew requirements.txt, requirements-slurm.txt and benchmarks/requirements.txt from pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	    --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.txt
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	    --no-emit-index-url --no-header --group slurm -c requirements.txt -o requirements-slurm.txt
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	    --no-emit-index-url --no-header -c requirements.txt pyproject.toml benchmarks/requirements.in -o benchmarks/requirements.txt
	rm -rf .venv-lock

bench-workflow: $(STAMP)  ## measure what the workflow costs beside the work (ARGS="default sweep million")
	$(BIN)/python benchmarks/workflow.py $(ARGS)

prune: $(STAMP)  ## empty the pool of chunks of what the config does not need
	$(BIN)/python scripts/prune.py $(CONFIG)

verify: $(STAMP)  ## compare every result with its checksum, and RECOMPUTE=5 members with themselves computed anew
	$(BIN)/python scripts/verify.py $(CONFIG) $(if $(RECOMPUTE),--recompute $(RECOMPUTE))

compare: $(STAMP)  ## lay two results folders side by side (A=first/results B=second/results)
	$(BIN)/python scripts/compare.py $(A) $(B)

export: $(STAMP)  ## pack page, figures and tables into export/report.zip, and print export/report.pdf
	$(BIN)/python scripts/export.py $(CONFIG)

bench-simulate: .venv-bench/.installed  ## time trajectories against other software: docs/speed.md (ROUNDS=5)
	.venv-bench/bin/python benchmarks/simulate.py $(ROUNDS)

clean:  ## remove all results
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 22

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	rm -f .venv/.installed-*
	touch $@

# numbalsoda comes as source and wants a Fortran compiler; without one all else is installed.
.venv-bench/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt || \
	    { echo "without numbalsoda, which cannot be built here"; \
	      awk '/^[^ ]/ {skip = /^numbalsoda==/} !skip' benchmarks/requirements.txt > .venv-bench/requirements.txt; \
	      .venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv-bench/requirements.txt; }
	touch $@

# The plugin of Slurm calls scontrol when it is imported, so it has an environment of its own, on top of the other.
$(SLURM_STAMP): requirements-slurm.txt $(STAMP)
	$(PYTHON) -m venv .venv-slurm
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.venv-slurm/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/phaseflow.pth"
	.venv-slurm/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-slurm.txt
	rm -f .venv-slurm/.installed-*
	touch $@
