PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PROSE  := README.md docs mockserver spec fixtures

.PHONY: help setup serve test test-other-tools test-node wheel lock snapshots format lint-spec fuzz mutants verify-ogx compare-explanations bench soak clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --require-hashes --requirement constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip download --quiet --no-deps --no-binary jsonschema --dest $(VENV)/sdists jsonschema==4.26.0
	@touch $@

setup: $(READY)  ## create .venv with all dependencies

serve: $(READY)  ## run the fake on http://127.0.0.1:8080
	@$(BIN)/mockserver serve $(ARGS)

test: $(READY)  ## check style, types and spelling, run all tests, require the coverage
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell -D - -D tests/retired_terms.txt $(PROSE)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

wheel: $(READY)  ## build the wheel file, in dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

test-other-tools: $(READY)  ## install the tools of docs/other-tools.md, and run the examples there
	$(BIN)/python -m pip install --quiet --group other-tools
	$(BIN)/pytest tests/other_tools

test-node: $(READY)  ## test the npm client `openai` against a running fake (needs npm)
	@$(BIN)/python -m tests.node.run

lock:  ## pin the newest allowed versions of all dependencies in constraints.txt
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet uv
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --group dev \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--output-file constraints.txt pyproject.toml

snapshots: $(READY)  ## rewrite the texts that tests compare with; read the diff before you commit it
	$(BIN)/pytest -q --update-snapshots tests/contract/test_mistakes.py tests/contract/test_explanations.py

format: $(READY)  ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lint-spec:  ## lint the OpenAPI document with two linters (needs npx)
	npx --yes @redocly/cli@2.77.0 lint --config spec/redocly.yaml spec/openapi.yaml
	npx --yes @stoplight/spectral-cli@6.16.3 lint --ruleset spec/spectral.yaml --fail-severity=warn spec/openapi.yaml

CASES     ?= 100000
HISTORIES ?= 1000

fuzz: $(READY)  ## compare CASES=100000 generated requests with openapi-core, fuzz a running fake, replay HISTORIES=1000 on a model
	$(BIN)/python -m tests.fuzz.differential --cases $(CASES)
	$(BIN)/python -m tests.fuzz.campaign --cases $(CASES)
	STATEFUL_EXAMPLES=$(HISTORIES) $(BIN)/pytest tests/stateful -n 2 -q

mutants: $(READY)  ## run verify against every mutant of the fake, and list which it finds (ARGS="--plain 3 ...")
	@$(BIN)/python -m tests.mutants.table $(ARGS)

verify-ogx: $(READY)  ## verify OGX, an independent server (needs Python 3.12; ARGS=--end-users isolates end users)
	@$(BIN)/python tests/ogx/verify.py --venv $(VENV)/ogx --report-dir $(VENV)/ogx-report $(ARGS)

compare-explanations: $(READY)  ## write docs/explanations.md: messages of other tools for the same mistakes (needs npx)
	@$(BIN)/python tests/bench/compare_explanations.py

bench: $(READY)  ## measure speed side by side with alternatives (needs wrk; ARGS=--quick is short)
	@$(BIN)/python tests/bench/bench.py $(ARGS)

soak: $(READY)  ## soak a running fake with hostile clients (ARGS="--minutes 1" is short)
	@PYTHONPATH=. $(BIN)/python tests/bench/soak.py $(ARGS)

clean:  ## remove everything that the other targets create
	rm -rf $(VENV) .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis node_modules dist build
