# Two commands on a fresh machine: make serve, make test.
PYTHON ?= python3
VENV ?= .venv
BUNDLE ?= bundles/starter
MINUTES ?= 4
DATA ?= bundles/starter.csv.gz
TEXT ?= subject body
LABEL ?= queue
SET ?= banking77
# For instance PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu": see the README.
PIP_FLAGS ?=
BIN = $(VENV)/bin
STARTER = bundles/starter.csv.gz
# What the starter bundle is trained with. Other data and sets are studied with the defaults.
AS_STARTER = --date created --tokens 128 --target "precision>=0.9"
SET_starter = $(STARTER) --text subject --text body --label queue $(AS_STARTER)

.PHONY: help serve test lint eval eval-check clean
help:
	@echo "make serve   environment, starter bundle, service on 127.0.0.1:8080"
	@echo "make test    environment, all tests"
	@echo "make lint    ruff and mypy"
	@echo "make eval    train and measure everything on the starter tickets: some minutes"
	@echo "             DATA=tickets.csv TEXT='subject body' LABEL=queue MINUTES=30 for your own"
	@echo "make eval-check SET=banking77 MINUTES=30   is it still as good as the kept results?"
	@echo "make clean   remove the environment and the starter bundle"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "ticket-cascade needs Python 3.11 or newer; try make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: setup.py | $(BIN)/python
	@echo "installing (about two minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -e '.[train]'
	@touch $@

$(VENV)/.test: setup.py | $(BIN)/python
	@echo "installing (about two minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -e '.[test]'
	@touch $@ $(VENV)/.train

bundles/starter.csv.gz: | $(VENV)/.train
	$(BIN)/cascade starter $@ --rows 6000

bundles/starter/bundle.json: | $(VENV)/.train bundles/starter.csv.gz
	$(BIN)/cascade train bundles/starter.csv.gz --text subject --text body --label queue \
		--also urgency --also sentiment --id id --minutes $(MINUTES) $(AS_STARTER) \
		--out bundles/starter

serve: $(VENV)/.train $(BUNDLE)/bundle.json
	$(BIN)/cascade serve --bundle $(BUNDLE)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

eval: $(VENV)/.train $(DATA)
	$(BIN)/cascade study $(DATA) $(addprefix --text ,$(TEXT)) --label $(LABEL) \
		$(if $(filter $(STARTER),$(DATA)),$(AS_STARTER)) --minutes $(MINUTES)

eval-check: $(VENV)/.train $(if $(SET_$(SET)),$(STARTER))
	$(BIN)/cascade study $(or $(SET_$(SET)),$(SET)) --minutes $(MINUTES)
	$(BIN)/python -m eval.check reports/$(SET)/report.json eval/results/$(SET).json

clean:
	rm -rf $(VENV) bundles/starter bundles/starter.csv.gz *.egg-info
