# Everything here is one command of the launcher or one tool of .venv.
PYTHON ?= python3
LAUNCHER = $(PYTHON) -m trialsite.launcher
BIN = $(or $(TRIALSITE_VENV),.venv)/bin
MANAGE = $(LAUNCHER) exec -- $(BIN)/python manage.py
CODE = $(wildcard trialsite screening visits samples outcomes)

.DEFAULT_GOAL := help
.PHONY: help run seed-free signins stop test coverage lint types arch migrations messages api gates check bench \
	docs pictures faults audit tools backup restore

help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start Trialsite with the demo study (PORT, HOST, DEMO, SCALE=100, DATABASE_URL, REDIS_URL)
	@$(LAUNCHER) run

seed-free: ## start an empty Trialsite (ADMIN_NAME, ADMIN_EMAIL)
	@DEMO=0 $(LAUNCHER) run

signins: ## sign-ins of the demo, with the codes of this moment
	@$(LAUNCHER) manage demo_signins

stop: ## stop a running Trialsite from another window
	@$(LAUNCHER) stop

backup: ## put the whole study into a folder, also while it runs (TO=/mnt/backups)
	@$(LAUNCHER) backup $(if $(TO),--to '$(TO)')

restore: ## bring a backup back (FROM=/mnt/backups/trialsite-..., OVER=1, SIGN_IN=address)
	@$(if $(FROM),,echo "Name the backup: make restore FROM=/mnt/backups/trialsite-..." >&2; exit 2;) \
	$(LAUNCHER) restore '$(FROM)' $(if $(filter 1,$(OVER)),--over) $(if $(SIGN_IN),--sign-in '$(SIGN_IN)')

test: ## run every test (ARGS="-k consent" chooses)
	@$(LAUNCHER) test

coverage: ## run every test and see what none of them reaches
	@COVER=all ARGS="--cov --cov-report=term-missing:skip-covered $(ARGS)" $(LAUNCHER) test

lint: tools ## style of code and templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet $(CODE)

types: ## static types
	$(LAUNCHER) exec -- $(BIN)/mypy $(CODE) tests

arch: tools ## layers and architecture rules
	$(BIN)/lint-imports
	$(LAUNCHER) exec -- $(BIN)/python -m pytest tests/architecture -q

migrations: ## models and migrations agree
	$(MANAGE) makemigrations --check --dry-run

messages: ## translations are complete
	$(MANAGE) messages --check

api: ## the OpenAPI description is valid
	$(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

gates: lint types arch migrations messages api ## all of the above

check: gates test ## what CI runs

bench: ## every benchmark, into docs/benchmarks.md (BENCH_SMALL=1: whether they work; ARGS="forms")
	@DURABLE=1 $(LAUNCHER) exec -- $(BIN)/python -m tests.benchmarks $(ARGS)

docs: tools ## write docs/validation/traceability.md
	$(BIN)/python -m tests.traceability

pictures: ## take the pictures of the documents anew
	@PICTURES=1 ARGS="-k documents" $(LAUNCHER) test tests/e2e/test_demonstration_pages.py

faults: ## long campaigns of killed servers, full disks, lost connections; the table of them
	@FAULTS=1 $(LAUNCHER) test -m fault

audit: tools ## known vulnerabilities of the pinned packages (needs the network)
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

tools:
	@$(LAUNCHER) setup --dev
