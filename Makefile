# Every target does its own set-up and redoes nothing that is up to date.
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Old metadata on some installations warns; the pins do not depend on it.
PIP := $(BIN)/python -m pip --disable-pip-version-check
AREAS := client server export bench gateway
CODE := $(AREAS) tests benchmarks demo docker docs examples

.PHONY: help
help:  ## Show this help.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 13) else \
		f"tritonkit is developed on Python 3.11 or 3.12, but {sys.executable} is {v[0]}.{v[1]}; try: make PYTHON=python3.12 ...")'
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@if [ ! -e $(VENV)/.dev ] || [ $(VENV)/.dev -ot pyproject.toml ] || [ $(VENV)/.dev -ot constraints.txt ]; then \
		echo "== installing tritonkit with what the demo needs (about 2 minutes the first time)"; \
		$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'; \
	fi
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "== installing tritonkit with everything that tests need (about 3 minutes the first time)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: demo
demo: $(VENV)/.demo  ## From a model to a served, measured endpoint, with its gateway on a terminal.
	@$(BIN)/python demo/demo.py

.PHONY: test
test: lint types runtime programs  ## Lint, check types and run every test; ARGS="..." for some of them.
ifdef ARGS
	@echo "== tests: $(ARGS)"
	@$(BIN)/python -m pytest $(ARGS)
else
	@echo "== tests of what a measurement tells, alone on the machine"
	@$(BIN)/python -m pytest --quiet tests/bench/standin
	@echo "== tests, of export, the client, the gateway and the rest beside each other"
	@TRITONKIT_TESTS_PICTURES="$${TRITONKIT_TESTS_PICTURES-$(CURDIR)/.build/pictures}" \
		$(BIN)/python tests/again.py $(SESSIONS)
endif

# Export keeps a processor busy; the others wait for servers for half of their time. They are
# to end together: what is added to the one that ends last is what the whole takes longer.
BESIDE_GATEWAY := docker server repository
ELSEWHERE := client gateway $(BESIDE_GATEWAY) bench/standin
# Those of exports but the acceptance, which is with the rest.
EXPORT := $(filter-out tests/export/acceptance %/conftest.py %/__pycache__,$(wildcard tests/export/*))
SESSIONS := "$(EXPORT)" "tests/client" "tests/gateway $(addprefix tests/,$(BESIDE_GATEWAY))" \
	"tests $(addprefix --ignore tests/,$(ELSEWHERE)) $(addprefix --ignore ,$(EXPORT))"

.PHONY: runtime
runtime: $(VENV)/.dev
	@$(BIN)/python -m tritonkit.server.runtime

.PHONY: programs
programs: $(VENV)/.dev
	@$(BIN)/python tests/debian.py

.PHONY: lint
lint: $(VENV)/.dev  ## Check style, format, spelling and the direction of imports.
	@echo "== lint"
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/ruff format --quiet --check $(CODE)
	@$(BIN)/codespell $(CODE) README.md CHANGELOG.md Makefile pyproject.toml
	@$(BIN)/lint-imports --no-logo > .lint-imports.log || { cat .lint-imports.log; exit 1; }

.PHONY: types
types: $(VENV)/.dev  ## Check types, strictly.
	@echo "== types"
	@for area in $(AREAS); do $(BIN)/mypy --no-error-summary $$area/tritonkit || exit 1; done
	@MYPYPATH=benchmarks $(BIN)/mypy --no-error-summary benchmarks demo docs/reference examples/fraud tests/typing

.PHONY: fix
fix: $(VENV)/.dev  ## Mend style and format, and remake the command reference and the rules' pages.
	@$(BIN)/ruff check --quiet --fix $(CODE)
	@$(BIN)/ruff format --quiet $(CODE)
	@$(BIN)/python docs/reference/generate.py
	@$(BIN)/python docs/rules/generate.py

.PHONY: fraud
fraud: runtime  ## Boosted trees on generated transactions, exported, served and measured.
	@$(BIN)/python examples/fraud/fraud.py

.PHONY: bench
bench: $(VENV)/.dev  ## Measure the design's ratios; writes benchmarks/results/.
	@$(BIN)/python benchmarks/precision.py
	@$(BIN)/python benchmarks/tiers.py
	@$(BIN)/python benchmarks/ensemble.py
	@$(BIN)/python benchmarks/wire.py
	@$(BIN)/python benchmarks/load.py
	@$(BIN)/python benchmarks/gathering.py
	@$(BIN)/python benchmarks/coalesce.py
	@$(BIN)/python benchmarks/lengths.py
	@$(BIN)/python benchmarks/cache.py
	@$(BIN)/python benchmarks/layers.py
	@$(BIN)/python benchmarks/split.py
	@$(BIN)/python benchmarks/telemetry.py
	@$(BIN)/python benchmarks/zipf.py
	@$(BIN)/python benchmarks/paths.py
	@$(BIN)/python benchmarks/eviction.py
	@$(BIN)/python benchmarks/budget.py
	@$(BIN)/python benchmarks/sequential.py
	@$(BIN)/python benchmarks/drift.py
	@$(BIN)/python benchmarks/rollout.py
	@$(BIN)/python benchmarks/arms.py
	@$(BIN)/python benchmarks/gateway.py
	@$(BIN)/python benchmarks/scale.py
	@$(BIN)/python benchmarks/check.py
	@$(BIN)/python benchmarks/readme.py

.PHONY: bench-perf-analyzer
bench-perf-analyzer: runtime  ## The load generator beside NVIDIA's perf_analyzer, on one server.
	@$(BIN)/python benchmarks/perf_analyzer.py

.PHONY: bench-windows
bench-windows: runtime  ## Sweep batch windows for a small network and MiniLM, for 12 minutes.
	@$(BIN)/python benchmarks/windows.py

.PHONY: bench-tune
bench-tune: runtime  ## A search beside the full grid, for three models, for 12 minutes.
	@$(BIN)/python benchmarks/tune.py

.PHONY: check-differential
check-differential: runtime  ## Check beside a real server over 3,000 random repositories, for 40 minutes.
	@$(BIN)/python -m tests.repository.differential.long --examples 3000

.PHONY: hammer
hammer: runtime  ## Threads, processes and an asyncio app on one cache, for a minute.
	@$(BIN)/python benchmarks/hammer.py --seconds 60

.PHONY: budgets
budgets: $(VENV)/.dev  ## Budgets while processes and Redis are killed, for a minute.
	@$(BIN)/python benchmarks/budgets.py --seconds 60

.PHONY: chaos
chaos: runtime  ## Servers that die, stand still, slow down, and what callers notice of it.
	@$(BIN)/python benchmarks/chaos.py

.PHONY: soak
soak: runtime  ## The load generator for half an hour, while its server dies and comes back.
	@$(BIN)/python benchmarks/soak.py

.PHONY: soak-gateway
soak-gateway: runtime  ## A gateway for ten minutes, while Tritons, Redis and a worker die.
	@$(BIN)/python benchmarks/gateway_soak.py

.PHONY: build
build: $(VENV)/.dev  ## Build the wheel and the sdist into dist/.
	@$(BIN)/python -m hatchling build --directory dist

.PHONY: clean
clean:  ## Remove what make made here; the embedded runtime stays.
	@rm -rf $(VENV) .build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .lint-imports.log
