# Two commands: `make study` answers, `make test` proves. Both set everything up in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Smaller CPU build of PyTorch: TORCH_INDEX=<the CPU index URL that pytorch.org names>
TORCH_INDEX ?=
BUDGET ?= 20
# Kill -9 runs of the fault campaign
FAULT_RUNS ?= 10
# Further words for pytest, such as PYTEST_WORDS=--durations=40
PYTEST_WORDS ?=
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_WORDS)
export FAULT_RUNS
export OMP_NUM_THREADS ?= 1

.PHONY: study test statistics test-all check mutants bench docs clean

study: $(VENV)/.installed
	$(BIN)/python -m hpo.run --budget $(BUDGET)

test: $(VENV)/.developer
	$(PYTEST) -m "not statistics"

statistics: $(VENV)/.developer
	$(PYTEST) -m statistics

test-all: $(VENV)/.developer
	$(PYTEST)

check: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/dependencies/audit.py

# Plants bugs that take one guard away each; the tests must notice all
mutants: $(VENV)/.developer
	$(BIN)/python tests/mutants/run.py

bench: $(VENV)/.developer
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet torch torchvision --index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet --editable '.[toloka,clearml,parquet,onnx,weights,heic]'
	touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

# The parts of the documentation that are made from the code
docs: $(VENV)/.installed
	$(BIN)/python -m hpo.cli.generated_docs docs

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
