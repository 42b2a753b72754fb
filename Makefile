# One vocabulary for people and for CI. Each target prepares the virtual environment that it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Test files that are run at a time: half of a test is waiting for processes that it started. JOBS=0 runs all in one process,
# as a debugger needs (make test JOBS=0 ARGS="--pdb tests/tokens").
JOBS   ?= 2
STAMP  := $(VENV)/.jobpass
# Jobpass, and beside it what provides the import paths of its seeds: `pip install .` alone never brings them.
SOURCES := --editable . --editable compat/datacatalog --editable compat/steps
METADATA := pyproject.toml compat/datacatalog/pyproject.toml compat/steps/pyproject.toml
# perceval-quandela is large: what needs it has an environment of its own, and each older client has one, too.
CLIENTS := .venv-perceval
OLDER   := 1.2.4 1.1.0

.PHONY: demo test test-perceval test-long faults mutation lint format bench bench-peers clean

demo: $(STAMP)-demo        ## run the main job: a server, a real pipeline, refusals, a crash, the record
	$(BIN)/jobpass demo $(if $(INPUT),--input "$(INPUT)")

test: $(STAMP)-test        ## the whole suite, on the real store and real processes
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-perceval: $(CLIENTS)/.jobpass-clients  ## the real client, of three versions (1.3 GB), which the other tests leave out
	$(CLIENTS)/bin/python -m pytest -m perceval $(ARGS)

test-long: $(STAMP)-test   ## the same with 100,000 cases a property (well over ten minutes)
	$(BIN)/python -m pytest --hypothesis-profile=long --timeout=3600 tests/tokens tests/lifecycle $(ARGS)

faults: $(STAMP)-test      ## hurt it under load in every way that is known, and judge each record (the better part of an hour)
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

mutation: $(STAMP)-test   ## remove each check of the decision path in turn; the suite must fail each time
	$(BIN)/python tests/mutation/mutate.py

lint: $(STAMP)-lint        ## style, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --config importlinter.toml
	$(BIN)/lint-imports --no-cache --config compat/datacatalog/importlinter.toml
	$(BIN)/lint-imports --no-cache --config compat/steps/importlinter.toml

format: $(STAMP)-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)-bench      ## every figure with its yardstick in the same run (NAMES="tokens http" for some)
	$(BIN)/python -m benchmarks $(NAMES)

bench-peers: $(STAMP)-bench  ## Jobpass beside its peers in one run; writes docs/peers.md (NAMES="jupyterhub prefect" for some)
	$(BIN)/python -m benchmarks.peers $(NAMES)

$(STAMP)-base:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Jobpass needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(STAMP)-demo: $(STAMP)-base $(METADATA)
	$(BIN)/python -m pip install --quiet $(SOURCES)
	touch $@

$(STAMP)-test: $(STAMP)-base $(METADATA)
	$(BIN)/python -m pip install --quiet $(SOURCES) --group test
	touch $@

$(STAMP)-perceval: $(STAMP)-base $(METADATA)
	$(BIN)/python -m pip install --quiet $(SOURCES) --group test --group perceval
	touch $@

$(CLIENTS)/.jobpass-clients: $(METADATA) $(OLDER:%=$(CLIENTS)-%/.ready)
	$(MAKE) VENV=$(CLIENTS) $(CLIENTS)/.jobpass-perceval
	touch $@

$(CLIENTS)-%/.ready:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-compile perceval-quandela==$*
	touch $@

$(STAMP)-lint: $(STAMP)-base $(METADATA)
	$(BIN)/python -m pip install --quiet $(SOURCES) --group test --group lint
	touch $@

$(STAMP)-bench: $(STAMP)-base $(METADATA)
	$(BIN)/python -m pip install --quiet $(SOURCES) --group test --group bench
	touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) $(OLDER:%=$(CLIENTS)-%) .peers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
