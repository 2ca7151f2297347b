# The gateway's commands. `make` alone lists them.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test chaos fuzz differential screenshots bench bench-load bench-lookups bench-settlement bench-execution bench-growth bench-memory bench-voucher pictures-voucher serve lint format schema pages lock clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/runtime.stamp: requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/runtime.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/runtime.stamp ## Play the main job over HTTP: four ways to pay, receipts, a reversal, the day's reconciliation
	$(BIN)/gateway demo

serve: .venv/runtime.stamp ## The sandbox at 127.0.0.1:8000 (PORT= for another), kept running
	$(BIN)/gateway serve --sandbox --port $(PORT)

test: .venv/dev.stamp ## Run every test, against real PostgreSQL and the real server
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

chaos: .venv/dev.stamp ## Kill workers, servers, PostgreSQL and connections at random (CHAOS_SECONDS=600), compare the books
	$(BIN)/python -m tests.chaos

fuzz: .venv/dev.stamp ## Throw operations made of the schema at the sandbox (FUZZ_OPERATIONS=3000): no 5xx, no leak
	FUZZ_OPERATIONS=$${FUZZ_OPERATIONS:-3000} $(BIN)/python -m pytest -s tests/fuzz

differential: .venv/dev.stamp ## Compiled plans beside graphql-core: CASES=20000 random operations, byte for byte; SEED= repeats one
	$(BIN)/python -m tests.gateway.execution.differential $(or $(CASES),20000) $(SEED)

screenshots: .venv/dev.stamp ## Take each page on a phone and on a desk into docs/images/ (PAGES="verify …" for some); needs Chromium
	$(BIN)/python -m tests.browser.screenshots $(PAGES)

lint: .venv/dev.stamp ## ruff, mypy, import-linter, sqlfluff, hadolint, check-jsonschema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint database/migrations
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml

format: .venv/dev.stamp ## Format Python and SQL in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff format database/migrations

schema: .venv/runtime.stamp ## Print schema/schema.graphql anew from the code
	$(BIN)/python -c "from schema.contract import printed; print(printed(), end='')" > schema/schema.graphql

pages: .venv/dev.stamp ## Bundle GraphiQL anew (graphiql/) for the page /graphiql, of the locked npm packages
	cd graphiql && export PATH="$(CURDIR)/$(BIN):$$PATH" && npm ci --ignore-scripts --no-audit --no-fund && npm run build

lock: .venv/dev.stamp ## Write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group runtime-build -o requirements/runtime.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev --constraint requirements/runtime.txt -o requirements/dev.txt pyproject.toml

clean: ## Remove the virtual environment, caches and the embedded database's data
	rm -rf .venv .data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

bench: .venv/dev.stamp ## Requests/s beside peers, and what each part costs: ratios, into docs/performance.md (5 minutes)
	$(BIN)/python -m benchmarks --write docs/performance.md

bench-settlement: .venv/dev.stamp ## Reconcile a day of a million rows over HTTP: every planted difference, seconds, memory
	$(BIN)/python -m benchmarks.settlement

bench-load: .venv/dev.stamp ## Load files of a million rows (ROWS=100000) beside plain COPY, into docs/performance.md
	$(BIN)/python -m benchmarks.load_files --rows $(or $(ROWS),1000000) --write docs/performance.md

bench-lookups: .venv/dev.stamp ## Look-ups in vain: the medians of unknown, misnamed and locked out
	$(BIN)/python -m benchmarks.lookups

bench-execution: .venv/dev.stamp ## The payer read by graphql-core's executor and by its compiled plan, one core, in process
	$(BIN)/python -m benchmarks.execution

bench-growth: .venv/dev.stamp ## The same requests at 10,000 payers and at a million (PAYERS=10000000 KEEP=directory BUFFERS=14GB), into docs/performance.md
	$(BIN)/python -m benchmarks.growth --payers 10000 $(or $(PAYERS),1000000) $(if $(KEEP),--keep $(KEEP)) \
		$(if $(BUFFERS),--shared-buffers $(BUFFERS) --huge-pages) --write docs/performance.md

bench-memory: .venv/dev.stamp ## A worker's memory over 100,000 requests of 10,000 different documents, into docs/performance.md
	$(BIN)/python -m benchmarks.memory --write docs/performance.md

bench-voucher: .venv/dev.stamp ## A voucher's CPU: drawing, signing, checking; and whether the event loop is held meanwhile
	$(BIN)/python -m benchmarks.voucher

pictures-voucher: .venv/dev.stamp ## Draw the vouchers' pictures in docs/images anew (needs Debian's poppler-utils)
	$(BIN)/python -m benchmarks.voucher_pictures
