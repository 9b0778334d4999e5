# Two commands matter: `make demo` and `make test`. Both set up everything they need in .venv by themselves.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := -m pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) --require-hashes --only-binary :all: --requirement
THIS := $(PIP) --no-deps --no-build-isolation --editable .
# Each process begins with a third of the tests, in their order, and takes over tests of another one when it has no more.
# So the tests of a file, which share a node, run in the same process but for those that it takes over. Tests wait for
# other processes a quarter of their time, so three processes keep two cores busy; the tests without plans wait longer.
PARALLEL := --numprocesses 3 --dist worksteal
WAITING := --numprocesses 4 --dist worksteal
# These tests copy their process for each plan and each search for old code, and a copy takes the longer, the more its
# process has imported. So they run in processes that have collected no other tests, and no tests that import libraries.
RELEASES := tests/releases
WITH_LIBRARIES := $(RELEASES)/install/test_faults.py $(RELEASES)/install/test_instructions_on_a_node.py \
	$(RELEASES)/test_trusted_releases.py
WITH_PLANS := $(filter-out $(WITH_LIBRARIES),$(wildcard \
	$(addprefix $(RELEASES)/,$(addsuffix test_*.py,install/ live_values/ planning/ rehearsal/) test_*.py)) \
	$(wildcard tests/code/old/test_*.py)) tests/conformance/releases/test_release_handler.py
VERSION := -c 'import platform; print(platform.python_version())'
COMPILE := $(VENV)-tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-build --no-config \
	--no-annotate --no-header

# Where this is set, as in many images, every process that a test starts would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-all cases fuzz lint format lock audit docs protocol-page reference-page screenshots frames bench bench-web bench-upgrade load soak crash faults uvicorn-tests clean

help:
	@echo "make demo         build fil, boot it, and go from 1986.a to 1986.b while it runs"
	@echo "make test         set up and run the tests, without those of conventions, and those that a quicker test stands for"
	@echo "make test-all     all tests, slow ones too, under every Python from 3.11 on that this machine has, and make cases"
	@echo "make cases        upgrade small programs, made from reports on code reloading, on real nodes; CASES=NAME,... takes some"
	@echo "make fuzz         random schedules, trees, loads, messages and tarballs, for minutes; the same cases here and in OTP"
	@echo "make lint         ruff, mypy --strict, the import contracts, the conventions of names, layout and prose"
	@echo "make format       let ruff format the code"
	@echo "make bench        measure processes and code server beside their peers"
	@echo "make bench-web    measure listeners beside plain uvicorn, and two workers beside one; needs wrk; WEB='--only workers' takes a part"
	@echo "make bench-upgrade  measure upgrades of many processes beside OTP's"
	@echo "make load         upgrade sites under load, and count failed requests and lost messages; LOAD='--runs 1 --rounds 2' is short"
	@echo "make crash        kill nodes and commands at each step on the disk, and let the disk fail there"
	@echo "make soak         a minute of crashes under load, then 500 rounds of upgrades; nothing may be left of them"
	@echo "make uvicorn-tests  run uvicorn's own tests of its protocols against our listeners; needs a package index"
	@echo "make lock         write the locks anew after a change of pyproject.toml; UPGRADE=--upgrade takes newer versions"
	@echo "make audit        look the locked versions up among the known faults; needs a package index"
	@echo "make docs         build the documentation, with the docstrings, as a site in _build/site; a warning fails it"
	@echo "make protocol-page  write docs/protocol.md anew from the code"
	@echo "make reference-page  write docs/reference.md anew from the code"
	@echo "make screenshots  take screenshots/ anew from a real node"
	@echo "make frames       write the texts of the dashboard's views anew, which tests compare"
	@echo "make clean        remove .venv and what was built"

setup: $(READY)

$(READY): pyproject.toml locks/dev.txt
	@test -n "$(PYTHON)" || { echo "hotdash needs Python 3.11 or newer: install it (Debian: apt install python3), or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks venv or pip: install them (Debian: apt install python3-venv python3-pip)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(LOCKED) locks/dev.txt
	$(BIN)/python $(THIS)
	@touch $@

demo: $(READY)
	@$(BIN)/hotdash demo

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(WITH_PLANS); status=$$?; \
		$(BIN)/python -m pytest $(WAITING) -m "not slow" $(WITH_PLANS:%=--ignore=%) --ignore=tests/conventions && exit $$status

test-all: $(READY) cases
	$(BIN)/python -m pytest $(PARALLEL)
	@tested="$$($(BIN)/python $(VERSION))"; \
	for p in /usr/bin/python3 python3.12 python3.13 python3.14; do \
		command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			|| { echo "$$p: not here, skipped"; continue; }; \
		v=$$($$p $(VERSION)); \
		case " $$tested " in *" $$v "*) echo "$$p: $$v is tested already"; continue;; esac; \
		tested="$$tested $$v"; \
		$$p -m venv $(VENV)-$$v && \
		$(VENV)-$$v/bin/python $(LOCKED) locks/dev.txt && \
		$(VENV)-$$v/bin/python $(THIS) && \
		env -i PATH=/usr/bin:/bin $(VENV)-$$v/bin/python -m pytest $(PARALLEL) || exit 1; \
	done

cases: CASES ?= all
cases: $(READY)
	CASES=$(CASES) $(BIN)/python -m pytest $(PARALLEL) tests/cases

fuzz: $(READY)
	@command -v escript >/dev/null || echo "Erlang is not here: nothing is compared with a real OTP"
	HYPOTHESIS_PROFILE=fuzz INSTRUCTION_PAIRS=every $(BIN)/python -m pytest $(PARALLEL) tests/properties \
		tests/code/test_random_histories.py tests/releases/store/test_hostile_tarballs.py \
		tests/releases/install/test_pairs_of_instructions.py tests/differential; status=$$?; \
		$(BIN)/python $(LOCKED) locks/fuzz.txt 2>/dev/null || echo "atheris is not here: nothing is fuzzed by coverage"; \
		$(BIN)/python -m tests.fuzz && exit $$status

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest tests/conventions

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tools that write and audit the locks have an environment of their own, since they are not needed to build or test.
lock:
	$(PYTHON) -m venv --clear $(VENV)-tools
	$(VENV)-tools/bin/python $(LOCKED) locks/tools.txt
	$(COMPILE) $(UPGRADE) pyproject.toml locks/build.in --extra dev --output-file locks/dev.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --extra bench --constraint locks/dev.txt --output-file locks/bench.txt
	$(COMPILE) $(UPGRADE) locks/fuzz.in --output-file locks/fuzz.txt
	$(COMPILE) $(UPGRADE) locks/tools.in --output-file locks/tools.txt
	$(COMPILE) $(UPGRADE) locks/docs.in $(patsubst %,--constraint locks/%.txt,dev bench tools) --output-file locks/docs.txt

audit: AUDIT = $(VENV)-tools/bin/pip-audit $(STRICT) --progress-spinner off --disable-pip --require-hashes
audit:
	@$(PYTHON) -m venv --clear $(VENV)-tools
	@log=$(VENV)-tools/audit.log; found=$(VENV)-tools/audit.txt; : >$$found; \
	$(VENV)-tools/bin/python $(LOCKED) locks/tools.txt --retries 1 >$$log 2>&1 \
		&& $(AUDIT) --requirement locks/dev.txt --requirement locks/bench.txt >$$found 2>$$log && { cat $$log $$found; exit 0; }; \
	if [ -s $$found ] || tail -n 1 $$log | grep -q '^ERROR:pip_audit'; then cat $$log $$found; else \
		echo "make audit looked nothing up, because a package index or its list of faults can't be reached; see $$log."; fi >&2; \
	exit 1

docs:
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python $(LOCKED) locks/docs.txt
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

protocol-page: $(READY)
	$(BIN)/python -m docs.protocol_page

reference-page: $(READY)
	$(BIN)/python -m docs.reference_page

screenshots: $(READY)
	$(BIN)/python screenshots/take.py

frames: $(READY)
	WRITE_FRAMES=1 $(BIN)/python -m pytest -q tests/hotdash/views/test_frames.py

bench: $(READY)
	$(BIN)/python $(LOCKED) locks/bench.txt
	$(BIN)/python -m benchmarks.processes
	$(BIN)/python -m benchmarks.code_server
	$(BIN)/python -m benchmarks.looking
	$(BIN)/python -m benchmarks.hostile_viewers

bench-web: $(READY)
	$(BIN)/python -m benchmarks.web $(WEB)

bench-upgrade: $(READY)
	$(BIN)/python -m benchmarks.upgrades

load: $(READY)
	$(BIN)/python -m benchmarks.load $(LOAD)

soak: $(READY)
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.soak --uvloop
	$(BIN)/python -m benchmarks.upgrade_soak
	PLANS=200 $(BIN)/python -m pytest -q -s tests/releases/rehearsal/test_many_plans.py
	SAVES=200 $(BIN)/python -m pytest -q -s tests/cli/dev/test_many_saves.py

crash: $(READY)
	CRASH_POINTS_EVERY=1 $(BIN)/python -m pytest $(PARALLEL) tests/e2e/test_crash_matrix.py \
		tests/e2e/test_crashes_of_small_files.py tests/e2e/test_crashes_of_cookies.py \
		tests/e2e/test_crash_points_of_a_node.py

faults: $(READY)
	FAULTS=all $(BIN)/python -m pytest $(PARALLEL) tests/faults

uvicorn-tests: $(READY)
	$(BIN)/python -m tests.frameworks.uvicorn_tests $(SDIST)

clean:
	rm -rf $(VENV) $(VENV)-3.* $(VENV)-tools $(VENV)-docs _build .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
