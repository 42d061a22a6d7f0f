# Everything from a machine that has nothing but Python (3.11 or newer) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

help: ## show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.installed ## set up, then measure δ of the built-in model on the built-in texts
	$(BIN)/python -m embgeom.delta --model demo --data demo

test: $(VENV)/.tested ## set up, then run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.tested ## set up, then ruff (check and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.tested ## set up, then build the documentation into build/docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

figures: $(VENV)/.tested ## set up, then write every figure of README, documentation and notebooks anew
	$(BIN)/python -m figures

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find embgeom hyplora tests benchmarks -name __pycache__ -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The environment is made anew only when what it is made from has changed.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable .
	touch $@

$(VENV)/.tested: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[test]'
	touch $@

.PHONY: help demo test lint docs figures clean
