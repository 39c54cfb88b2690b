PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run dev test check audit chaos stack bench dr-drill demo clean alert-drill

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: $(INSTALLED) ## Start everything on http://127.0.0.1:8000 (PORT, DATA_DIR and others: see README)
	@exec $(PY) -m devstack

dev: $(INSTALLED) ## The same, restarting what runs changed code
	@exec $(PY) -m devstack --reload

test: $(INSTALLED) ## Run all tests on their own throw-away stores
	$(PY) -m pytest -n 2 tests/unit tests/integration tests/concurrency
	$(PY) -m pytest -n 2 tests/acceptance --ignore tests/acceptance/test_chaos.py
	$(PY) -m pytest tests/acceptance/test_chaos.py

check: $(INSTALLED) ## Lint, types, import contracts, missing migrations and those that do not only expand
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	$(VENV)/bin/lint-imports
	SECRET_KEY=unused $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PY) -m pytest -q tests/integration/config/test_migrations.py

audit: $(INSTALLED) ## Known vulnerabilities of our packages (exit 0 none, 1 some, 3 nobody could say)
	@exec $(PY) .ci/audit.py

chaos: $(INSTALLED) ## Kill parts of a stack under load and judge its promises (ARGS: --seed, --seconds)
	@exec $(PY) -m tests.chaos $(ARGS)

stack: $(INSTALLED) ## Do all that docs/operations.md says on a real Docker engine, with faults (root, or an engine that runs)
	@exec $(PY) -m tests.stack $(ARGS)

bench: $(INSTALLED) ## Measure against the figures that we promise
	@exec $(PY) -m benchmarks $(ARGS)

dr-drill: $(INSTALLED) ## Lose the table and the database of timestamps, and get all back (EVENTS=1000000)
	@exec $(PY) -m tests.drill --events $(or $(EVENTS),1000000)

alert-drill: $(INSTALLED) ## Cause each fault and see its alert fire and clear (ARGS: names of faults, --screenshots)
	@exec $(PY) -m tests.alerts $(ARGS)

demo: $(INSTALLED) ## Generate a file of promotions and import it into the running stack
	@exec $(PY) manage.py demo $(ARGS)

clean: ## Remove the virtualenv and caches; the data in .data stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt requirements-tracing.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' \
		|| { echo "This Python cannot make virtualenvs; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@
