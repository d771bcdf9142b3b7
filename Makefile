# make            what there is
# All paths are relative, so the checkout may stand in a directory with blanks in its name.

SHELL := /bin/bash
PY := .venv/bin/python
JOBS ?= 3
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help venv venv-lab packages demo demo-cli demo-openstack test test-fast lint format lab clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

venv: ## The virtual environment .venv, from the pinned requirements
	@.ci/venv .venv requirements.txt requirements-dev.txt

venv-lab: ## The environment .venv-lab with a real Keystone and Glance
	@.ci/venv .venv-lab requirements-lab.txt

demo: venv ## The service over a federation below var/demo, driven through REST; runs until Ctrl-C (ONCE=1: ends)
	@ONCE=$(ONCE) $(PY) -m demo.service

demo-cli: venv ## The same federation, synchronised by the command line
	@$(PY) -m demo

demo-openstack: venv venv-lab ## The service over a real Keystone and real Glances; runs until Ctrl-C (ONCE=1: ends)
	@ONCE=$(ONCE) $(PY) -m demo.openstack

packages: ## The servers that tests start, from Debian's packages (as root on Debian; else it says what to install)
	@-scripts/debian-packages

# One worker runs all tests of the lab, because they share its regions.
test: venv venv-lab packages ## All tests, those against real Keystone and Glance included
	@$(PY) -m pytest -n $(JOBS) --dist loadgroup $(PYTEST_ARGS)

test-fast: venv packages ## Tests without the lab
	@$(PY) -m pytest -n $(JOBS) --dist loadgroup -m "not lab" $(PYTEST_ARGS)

lint: venv ## Style, types and the direction of imports
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@PATH=".venv/bin:$$PATH" lint-imports

format: venv ## Let ruff rewrite what it can
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lab: venv venv-lab ## Start the lab and keep it until Ctrl-C
	@$(PY) -m tests.lab

clean: ## Remove everything that make made
	@rm -rf .venv .venv-lab var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
