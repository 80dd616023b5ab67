# Two commands: `make study` answers, `make test` proves. Both set everything up in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Smaller CPU build of PyTorch: TORCH_INDEX=<the CPU index URL that pytorch.org names>
TORCH_INDEX ?=
BUDGET ?= 20
# Further words for pytest, such as PYTEST_WORDS=--durations=40
PYTEST_WORDS ?=
# Seconds after which a test counts as hung and fails; 0 for none
TEST_LIMIT ?= 600
ONE_PYTEST := $(BIN)/python -m pytest --timeout $(TEST_LIMIT) $(PYTEST_WORDS)
PYTEST := $(ONE_PYTEST) -n 2 --dist worksteal
export OMP_NUM_THREADS ?= 1

LABEL_STUDIO := .label-studio/bin/label-studio

.PHONY: study test test-label-studio slow statistics test-all check faults mutants bench postgres label-studio docs \
	docs-site dist clean

study: $(VENV)/.installed
	$(BIN)/python -m hpo.run --budget $(BUDGET)

# Tests that draw their cases try few of them here, and all in `make slow`
test: export QUICK ?= 1
test: $(VENV)/.developer
	$(PYTEST) -m "not statistics and not slow"

slow: $(VENV)/.developer
	$(PYTEST) -m "slow or drawn or hypothesis"

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

# Kills, cut logs, full disks, jumping clocks, flipped bits: thousands; hours (FAULT_RUNS=200: less)
faults: export FAULT_RUNS = 2000
faults: $(VENV)/.developer
	$(BIN)/python -m benchmarks.faults --runs $(FAULT_RUNS)

# Plants bugs that take one guard away each; the tests must notice all
mutants: $(VENV)/.developer
	$(BIN)/python tests/mutants/run.py

bench: $(VENV)/.developer
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# A PostgreSQL server on loopback for studies on several machines; its data stays in the folder
POSTGRES ?= $(CURDIR)/.postgres
postgres: $(VENV)/.developer
	$(BIN)/python -m tests.postgres $(POSTGRES)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing into $(VENV): minutes without a further line; 6.5 GB where PyTorch brings GPU libraries"
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet torch torchvision --index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet --editable '.[toloka,label-studio,clearml,parquet,onnx,weights,heic,postgres,notebook,dashboard]'
	touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

# A Label Studio server on this machine, in a venv of its own: loopback, SQLite, no calls home
label-studio: $(VENV)/.installed $(LABEL_STUDIO)
	$(BIN)/python -m hpo.run label-studio --folder .label-studio/data

$(LABEL_STUDIO):
	$(PYTHON) -m venv .label-studio
	.label-studio/bin/python -m pip install --quiet label-studio==1.23.2

test-label-studio: $(VENV)/.developer $(LABEL_STUDIO)
	LABELWORTH_LABEL_STUDIO=$(CURDIR)/$(LABEL_STUDIO) $(ONE_PYTEST) \
		tests/labeling/label_studio tests/contract/test_label_source.py -k "studio or label_studio"

# The parts of the documentation that are made from the code
docs: $(VENV)/.installed
	$(BIN)/python -m hpo.cli.generated_docs docs

# The documentation as a site in build/site; a warning is an error
docs-site: $(VENV)/.developer
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Wheel and source distribution in dist/; both are installed into an empty environment and run there
dist: $(VENV)/.developer
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python tests/release/installed.py dist

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
