# `make` alone explains itself. A recipe is one bash script, so that it reads like one.
.DEFAULT_GOAL := help
.ONESHELL:
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input --quiet
# A pinned, hashed wheel of every package: nothing is built from source, nothing is taken that the lock doesn't name.
LOCKED := install --require-hashes --only-binary :all:

# `.venv/.place` is written when a set-up is complete, and names its folder. One that was cut short, moved along with the
# work tree, or left behind by its Python is begun anew, never trusted.
ifeq ($(shell .venv/bin/python -c 'print(open(".venv/.place").read(), end="")' 2>/dev/null),$(CURDIR))
SOUND := yes
else
SOUND :=
.PHONY: .venv/.ready-to-run
endif

##@ Use

.PHONY: help
help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	echo
	echo "The first target that needs Python makes .venv here, from hash-pinned packages; later ones find it ready."

.PHONY: demo
demo: .venv/.ready-to-run ## Read the sample site into a table, on this machine alone (set-up included)
	@mkdir -p .demo
	cp -p sample_inputs/demo.yaml sample_inputs/pages.jsonl .demo/
	started=$$(date +%s)
	ended=0
	.venv/bin/batchfish run --local --engine extract --head 8 .demo/demo.yaml || ended=$$?
	# 1: finished, and some items failed. Eight of the pages are there to fail, and eight are in French.
	if [ $$ended != 1 ]; then exit $$ended; fi
	echo
	echo "Eight French pages and eight that hold no answer fail rather than be guessed at:"
	.venv/bin/batchfish results .demo/demo.yaml --local --failed --head 16 -o .demo/results/failed.csv | head -n -1
	echo
	echo "The batch took $$(($$(date +%s) - started)) s. Its table: .demo/results/demo.parquet"
	echo "Next: .venv/bin/batchfish explain book-walden --local --batch .demo/demo.yaml"
	echo "      .venv/bin/batchfish run --local .demo/demo.yaml    # finished: it asks for nothing again"

##@ Develop

.PHONY: test
test: .venv/.ready-to-develop ## Run the fast tests on all cores (ARGS="-k word" for some of them)
	@# Journals wait for the disk at every commit, so temporary files are in memory, if there is enough and programs may
	# be run from there. Two workers a core: many tests wait for a process they started. What they compile is kept even
	# where the environment says otherwise: each of some hundred processes would compile it again.
	if [ -z "$${TMPDIR:-}" ] && [ -w /dev/shm ] \
		&& awk '$$2 == "/dev/shm" && $$4 !~ /noexec/ { found = 1 } END { exit !found }' /proc/mounts \
		&& [ "$$(df --output=avail /dev/shm | tail -1)" -gt 1000000 ]; then
		export TMPDIR=/dev/shm
	fi
	env -u PYTHONDONTWRITEBYTECODE .venv/bin/pytest -n $$((2 * $$(nproc))) --dist worksteal -m "not slow" $(ARGS)

.PHONY: test-all
test-all: .venv/.ready-to-develop ## Run every test: long sweeps, many more examples
	@env -u PYTHONDONTWRITEBYTECODE .venv/bin/pytest -n auto --hypothesis-profile thorough $(ARGS)

.PHONY: lint
lint: .venv/.ready-to-develop ## Check style, types and layers, without running tests
	@.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

.PHONY: check
check: lint test ## Everything a change must pass: lint, then the fast tests

.PHONY: bench
bench: .venv/.ready-to-bench ## Compare with other ways to run many URLs (ARGS="--help" for the choice)
	@.venv/bin/python -m benchmarks.fanout $(ARGS)

.PHONY: format
format: .venv/.ready-to-develop ## Format the code, and mend what ruff can mend by itself
	@.venv/bin/ruff format
	.venv/bin/ruff check --fix

.PHONY: docs
docs: .venv/.ready-to-develop ## Write docs/commands.md anew, from the options of the commands
	@.venv/bin/python -m tests.cli.command_reference

.PHONY: picture
picture: .venv/.ready-to-develop ## Take docs/report*.png anew, of the report of a made-up batch (needs Chromium)
	@.venv/bin/python -m tests.report.picture

.PHONY: lock
lock: ## Pin the packages again after a change of pyproject.toml (ARGS=--upgrade for the newest of all)
	@tools=$$(mktemp -d)
	trap 'rm -rf "$$tools"' EXIT
	$(PYTHON) -m venv "$$tools"
	"$$tools/bin/pip" install --disable-pip-version-check --quiet uv==$(UV_VERSION)
	compile() {
		"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) "$$@" pyproject.toml
	}
	compile --extra local --group build --output-file requirements/run.txt
	compile --extra browser --group build --constraints requirements/run.txt --output-file requirements/browser.txt
	compile --extra browser --extra model --group build --constraints requirements/browser.txt --output-file requirements/model.txt
	compile --extra browser --extra model --extra notify --extra watch --group build --group dev --constraints requirements/model.txt --output-file requirements/dev.txt
	compile --group bench --constraints requirements/dev.txt --output-file requirements/bench.txt
	echo "Locked in requirements/: $$(grep -c == requirements/run.txt) packages to run, $$(grep -c == requirements/browser.txt)" \
		"with the browser engine, $$(grep -c == requirements/model.txt) with the model engine as well," \
		"$$(grep -c == requirements/dev.txt) to develop."

.PHONY: clean
clean: ## Remove build output, caches and the demo's folder; journals and .venv stay
	@rm -rf build dist .demo .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . \( -name .git -o -name .venv -o -name .batchfish \) -prune -o -name __pycache__ -type d -exec rm -rf {} +

##@ Set up

.PHONY: system
system: ## Install Debian's python3-venv with apt, where Python can't make a virtual environment without it
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then
		echo "$$($(PYTHON) --version) can make virtual environments: nothing to install."
		exit
	fi
	package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	if ! command -v apt-get >/dev/null; then
		echo "$(PYTHON) can't make virtual environments, and there is no apt here." >&2
		echo "Install its venv and ensurepip modules, or name another Python: make PYTHON=python3.12" >&2
		exit 1
	fi
	as_root=
	if [ "$$(id -u)" != 0 ]; then as_root="sudo "; fi
	echo "Debian's $(PYTHON) can't make virtual environments without the package $$package."
	if ! command -v $${as_root:-true} >/dev/null; then
		echo "Installing it takes root. Ask for: apt-get install $$package" >&2
		exit 1
	fi
	echo "Installing it now: $${as_root}apt-get install $$package"
	$${as_root}apt-get update -qq
	$${as_root}env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$$package" >/dev/null

.PHONY: browser
browser: .venv/.ready-to-browse ## Install what the browser engine drives: Chromium with apt, Playwright by the lock
	@for name in chromium chromium-browser google-chrome google-chrome-stable microsoft-edge microsoft-edge-stable; do
		if command -v $$name >/dev/null; then
			echo "The browser engine drives $$(command -v $$name), $$($$name --version 2>/dev/null)"
			exit
		fi
	done
	if ! command -v apt-get >/dev/null; then
		echo "There is no Chromium on PATH, and no apt here. Install one, or name its program: --chromium FILE" >&2
		exit 1
	fi
	as_root=
	if [ "$$(id -u)" != 0 ]; then as_root="sudo "; fi
	if ! command -v $${as_root:-true} >/dev/null; then
		echo "Installing Chromium takes root. Ask for: apt-get install chromium" >&2
		exit 1
	fi
	echo "Installing Debian's Chromium now: $${as_root}apt-get install chromium"
	$${as_root}apt-get update -qq
	$${as_root}env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null
	echo "The browser engine drives $$(command -v chromium), $$(chromium --version 2>/dev/null)"

.PHONY: model
model: .venv/.ready-to-model ## Install what the model engine needs, beside the Python part of the browser engine
	@echo "Set BATCHFISH_MODEL_URL, BATCHFISH_MODEL and BATCHFISH_MODEL_KEY, then: .venv/bin/batchfish serve --engine model"
	echo "With a browser (make browser) it opens, clicks and searches; without one it reads each page as it is served."

.venv/.ready-to-run: requirements/run.txt pyproject.toml
	@started=$$(date +%s)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
		echo "batchfish needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2
		exit 1
	}
	if [ -z "$(SOUND)" ]; then
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) system
		echo "Making .venv with $$($(PYTHON) --version)"
		$(PYTHON) -m venv --clear .venv
	fi
	rm -f .venv/.place
	echo "Installing $$(grep -c == $<) locked packages"
	$(PIP) $(LOCKED) --requirement $<
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@
	printf %s "$(CURDIR)" > .venv/.place
	echo "Set-up took $$(($$(date +%s) - started)) s"

.venv/.ready-to-browse: requirements/browser.txt .venv/.ready-to-run
	@rm -f .venv/.place
	echo "Installing Playwright, $$(grep -c == $<) locked packages in all; it downloads no browser of its own"
	$(PIP) $(LOCKED) --requirement $<
	touch $@
	printf %s "$(CURDIR)" > .venv/.place

.venv/.ready-to-model: requirements/model.txt .venv/.ready-to-run
	@rm -f .venv/.place
	echo "Installing the client of the model, $$(grep -c == $<) locked packages in all"
	$(PIP) $(LOCKED) --requirement $<
	touch $@
	printf %s "$(CURDIR)" > .venv/.place

.venv/.ready-to-develop: requirements/dev.txt .venv/.ready-to-run
	@started=$$(date +%s)
	rm -f .venv/.place
	echo "Installing the tools to develop, $$(grep -c == $<) locked packages in all"
	$(PIP) $(LOCKED) --requirement $<
	touch $@
	printf %s "$(CURDIR)" > .venv/.place
	echo "Set-up of the tools took $$(($$(date +%s) - started)) s"

.venv/.ready-to-bench: requirements/bench.txt .venv/.ready-to-run
	@rm -f .venv/.place
	echo "Installing what the benchmarks compare with, $$(grep -c == $<) locked packages in all"
	$(PIP) $(LOCKED) --requirement $<
	touch $@
	printf %s "$(CURDIR)" > .venv/.place
