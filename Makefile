# Every target first makes or refreshes .venv from requirements.lock.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UV := uv==0.13.9

.PHONY: demo test test-heavy test-faults check bench bench-quality bench-live lock clean clean-compiled
.DEFAULT_GOAL := demo

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v not in ((3, 11), (3, 12)) and f"Vigie needs Python 3.11 or 3.12, found {v[0]}.{v[1]}: make PYTHON=/path/to/python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (a minute or two the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@echo "Compiling, once (about a minute) ..."
	@$(BIN)/vigie demo --once --texts 2000 --json > /dev/null 2>&1 || echo "Not compiled ahead: the first run will take longer."
	@touch $@

demo: .venv/ready
	$(BIN)/vigie demo

test: .venv/ready
	$(BIN)/pytest -n 2

test-heavy: .venv/ready
	$(BIN)/pytest -m heavy

test-faults: .venv/ready
	$(BIN)/pytest -m faults

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m benchmarks.gate

bench: .venv/ready
	$(BIN)/python -m benchmarks

bench-quality: .venv/ready
	$(BIN)/python -m benchmarks.quality

bench-live: .venv/ready
	$(BIN)/python -m benchmarks.live

lock: .venv/ready
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 --extra dev --extra live pyproject.toml --output-file requirements.lock

clean: clean-compiled
	rm -rf .venv demo build bench-results

# numba looks at a function's own file only: after a change in one that others call, their code is stale.
clean-compiled:
	find detectors pipelines -name '*.nb[ci]' -delete
