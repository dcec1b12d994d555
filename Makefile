# Each verb calls one program, which has the flags, the --json and the exit statuses; CI calls the same verbs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

STACK ?= local
CHARTS ?=
BASE ?=
OUT ?=
FAULT ?=
SPEED ?= 6
PART ?=
SNAPSHOT ?= latest
OVERWRITE ?=
RECEIVER ?=
LOCKED ?=
BUCKET ?=
PYTHON ?= python3
IN_VENV := .venv/bin/python -m
# Verbs about a stack that is up on the sandbox act on the sandbox.
ON_ITS_CLUSTER = $(if $(wildcard .sandbox),sandbox=$$($(IN_VENV) sandbox env --stack $(STACK) --if-up) && eval "$$sandbox" &&)

.PHONY: help up live preview env demo down render repair grow troubleshoot drift fire-drill backup restore charts charts-check bench docs check test test-long

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'

up: .venv/runtime ## bring the sandbox and a stack up on this machine [STACK=local] [CHARTS=directory]
	@$(IN_VENV) sandbox up --stack $(STACK) $(if $(CHARTS),--charts $(CHARTS))

live: .venv/development ## bring a sandbox whose containers run and a stack up; Linux, as root [STACK=local] [CHARTS=directory]
	@$(IN_VENV) sandbox live --stack $(STACK) $(if $(CHARTS),--charts $(CHARTS))

preview: .venv/runtime ## show what `pulumi up` would change on the sandbox, object by object [STACK=local] [BASE=git ref] [CHARTS=directory]
	@$(IN_VENV) $(if $(BASE),operations.preview --base $(BASE),sandbox preview) --stack $(STACK) $(if $(CHARTS),--charts $(CHARTS))

env: .venv/runtime ## print the sandbox's environment: eval "$(make env)" [STACK=local]
	@$(IN_VENV) sandbox env --stack $(STACK)

demo: .venv/development ## show an alert reach people, on the sandbox that is up [FAULT=errors] [SPEED=6]
	@$(IN_VENV) sandbox demo --stack $(STACK) $(if $(FAULT),--fault $(FAULT)) --speed $(SPEED)

down: .venv/runtime ## remove the sandbox and the stacks on it; the caches stay
	@$(IN_VENV) sandbox down

render: .venv/runtime ## write what the pods will read, in seconds, without a cluster [STACK=local] [OUT=build/local]
	@$(IN_VENV) operations.render --stack $(STACK) $(if $(OUT),--out $(OUT))

repair: .venv/runtime ## release what a killed `pulumi up` left behind [STACK=local]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.repair --stack $(STACK)

grow: .venv/runtime ## make volumes as large as the settings say, while they are in use [STACK=local]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.grow --stack $(STACK)

troubleshoot: .venv/runtime ## say what is wrong, and what to do, without changing anything [STACK=local]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.troubleshoot --stack $(STACK)

drift: .venv/runtime ## say what on the cluster is not what Pulumi and Helm made it, without changing anything [STACK=local]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.drift --stack $(STACK)

fire-drill: .venv/runtime ## send an alert that is marked as a drill to each receiver, and say which it does not reach [STACK=local] [RECEIVER=]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.fire_drill --stack $(STACK) $(if $(RECEIVER),--receiver $(RECEIVER))

backup: .venv/runtime ## save everything now, beside what is saved on schedule [STACK=local]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.backups.backup --stack $(STACK)

restore: .venv/runtime ## bring a part back from its backup; without PART, list them [STACK=local] [PART=] [SNAPSHOT=latest] [OVERWRITE=1] [BUCKET=another]
	@$(ON_ITS_CLUSTER) $(IN_VENV) operations.backups.restore --stack $(STACK) --snapshot $(SNAPSHOT) $(if $(PART),--part $(PART)) $(if $(OVERWRITE),--overwrite) $(if $(BUCKET),--bucket $(BUCKET))

charts: .venv/runtime ## download the chart archives into .charts/, digests checked [LOCKED=1: none without a committed one]
	@$(IN_VENV) operations.download_charts $(if $(LOCKED),--locked)

charts-check: .venv/runtime ## prove our chart values and stand-ins against official archives [CHARTS=.charts]
	@$(IN_VENV) development.charts_check $(if $(CHARTS),--charts $(CHARTS))

bench: .venv/runtime ## measure how long the engine takes with this program, on a cluster of its own
	@$(IN_VENV) development.bench

docs: .venv/runtime ## write the parts of docs/ that are generated
	@$(IN_VENV) development.docs

check: .venv/development ## format, lint, types, packages, documents and links, workflows, Renovate, shell and Makefile
	@$(IN_VENV) development.check

test: .venv/development ## the tests, building and starting what they need
	@$(IN_VENV) pytest --numprocesses=2 --dist=loadfile -m 'not built' tests/unit tests/aws
	@$(IN_VENV) sandbox.build engine cluster testing
	@$(IN_VENV) sandbox.images
	@$(IN_VENV) tests.logs.opensearch
	@$(IN_VENV) pytest --numprocesses=2 --dist=loadscope --no-loadscope-reorder --verbose -m 'built and not long' --durations=25

test-long: .venv/development ## the tests that are slow and rarely fail, before a release
	@$(IN_VENV) sandbox.build engine cluster testing long
	@$(IN_VENV) pytest -m long --durations=25

.venv/bin/python:
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: set PYTHON=")'
	@$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python requirements.txt
	@.venv/bin/python -c 'import importlib.util as found, sys; sys.exit(not found.find_spec("pip") and "The environment .venv has no pip, as one of uv venv: remove it, and make makes one that has it (on Debian with apt-get install python3-venv)")'
	@echo "Installing the Python packages into .venv …" >&2
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	@echo "Installing the tools of the tests into .venv …" >&2
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
