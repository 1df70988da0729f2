# Needs Python 3.11 or newer and make; everything else is installed into .venv. `make help` lists what there is.

.DEFAULT_GOAL := help
.SILENT:
.PHONY: help run test lint bench simulate mutants reference tools

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

# Another Python: make PYTHON=python3.13 …
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(name)),$(name))))

help: ## list these targets
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# `exec`: the server takes the shell's place, so Ctrl-C and the SIGTERM that make passes on reach it and nothing between.
run: $(VENV)/installed ## start visavis for development, with its own database and cache
	exec $(BIN)/visavis dev

test: $(VENV)/installed-test $(VENV)/node/installed tools lint ## check style, types, imports and behaviour
	echo "tests"
	$(BIN)/pytest --cov --cov-report=term $(ARGS)

lint: $(VENV)/installed-test ## check style, types and the floors' imports
	echo "style, types and imports"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-test ## measure, side by side with others
	$(BIN)/python -m tests.bench $(ARGS)

simulate: $(VENV)/installed ## the matching policy against its rivals, the whole grid (an hour or more)
	$(BIN)/visavis simulate --grid --check --plot grid.svg $(ARGS)

mutants: $(VENV)/installed-test $(VENV)/node/installed tools ## take each guard out and see a test turn red (half an hour)
	$(BIN)/python -m tests.mutants $(ARGS)

reference: $(VENV)/installed ## write docs/reference from the code
	$(BIN)/python -m signaling.reference docs/reference

# The tests drive a real browser, a real relay and a real push service.
tools:
	missing=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="chromium"; \
	command -v turnserver >/dev/null || missing="$$missing coturn"; \
	command -v node >/dev/null && command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing with apt-get: $$missing"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "The tests need more. Install it and try again: sudo apt-get install $$missing" >&2; exit 1; \
	  fi; \
	fi

# A push service to send to: the npm package of a project of its own, with no part in what is served. (`tools` comes
# first, for it brings npm.)
$(VENV)/node/installed: | $(BIN)/python tools
	echo "installing the tests' push service into $(VENV)/node"
	mkdir -p $(VENV)/node
	npm install --prefix $(VENV)/node --no-save --no-audit --no-fund --loglevel=error web-push-testing@1.2 >/dev/null
	touch $@

$(VENV)/installed: pyproject.toml | $(BIN)/python
	echo "installing visavis into $(VENV)"
	$(PIP) install --editable '.[simulate]'
	touch $@

# What the tests need includes what running needs.
$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	echo "installing visavis and its test tools into $(VENV)"
	$(PIP) install --editable '.[test]'
	touch $(VENV)/installed $@

# A real file even where its Python was removed: make follows the link and makes the environment again.
$(BIN)/python:
	if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "visavis needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>/dev/null || echo none)." >&2; \
	  echo "Install one (apt-get install python3 python3-venv), or name yours: make PYTHON=python3.12 …" >&2; exit 1; \
	fi
	if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "$(PYTHON) cannot make virtual environments. Run: sudo apt-get install python3-venv" >&2; exit 1; \
	fi
	echo "making $(VENV) with $$($(PYTHON) --version)"
	rm -f $(VENV)/installed $(VENV)/installed-test
	$(PYTHON) -m venv --clear $(VENV)
