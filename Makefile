# The two commands of the README, and the single steps they are made of. All state is outside the repository, but .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORLD ?= default
INVENTORY := inventories/rehearsal
ifneq ($(shell id -u),0)
# What needs a bastion with systemd, or pods that do something.
LEFT_OUT := --skip-tags system,gitops,acceptance
endif

.PHONY: help setup toolchain rehearse test lint bench replay lock clean

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: $(STAMP) ## Make the virtual environment from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is older: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

toolchain: setup ## Build what the rehearsal runs on, into a cache outside the repository
	@$(BIN)/python -m rehearsal.toolchain

rehearse: toolchain ## Run site.yml in a new sealed world, from an empty project to the working platform
	@test -z "$(LEFT_OUT)" || \
	  echo "Without root the bastion is only an SSH server and pods are simulated: left out are $(LEFT_OUT:--skip-tags=)."
	@$(BIN)/rehearsal reset --world $(WORLD)
	@$(BIN)/rehearsal run --world $(WORLD) -- $(BIN)/ansible-playbook -i $(INVENTORY) site.yml $(LEFT_OUT)
	@$(BIN)/rehearsal summary --world $(WORLD)

test: toolchain lint ## Pass all tests
	@$(BIN)/python -m tests

lint: setup ## ansible-lint (production), yamllint, ruff, mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict .
	@$(BIN)/ansible-lint --offline

replay: setup ## Replay recorded Google Cloud traffic: make replay RECORDINGS=FOLDER [JSON=FILE]
	@test -n "$(RECORDINGS)" || \
	  { echo "make replay needs the folder of the recordings: make replay RECORDINGS=../shared/recordings" >&2; exit 2; }
	@$(BIN)/python -m tests.google "$(RECORDINGS)" $(if $(JSON),--json "$(JSON)")

bench: setup ## Measure, as one table and one JSON file: make bench [JSON=FILE]
	@$(BIN)/python -m tests.bench $(if $(JSON),--json "$(JSON)")

lock: ## Pin the newest versions that requirements.in allows
	@$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-find-links --no-emit-index-url \
	  --output-file requirements.lock requirements.in

clean: ## End the world and remove the virtual environment; the cache stays
	@-$(BIN)/rehearsal down --world $(WORLD)
	@rm -rf $(VENV)
