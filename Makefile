# GNU make. Needs Go and git; a C compiler only for RACE=1.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO        ?= go
PKG       ?= ./...
RUN       ?=
TIMEOUT   ?= 30m
FUZZTIME  ?= 10s
ARGS      ?=
RACE      ?=

# Directories that only generators write. What they hold is committed, so that
# a clone builds without running them; verify holds them to their sources.
GENERATED := ent graph migrations

# Under the race detector these translations from C, which hold none of this
# project's memory, stay as they are: instrumented, SQLite is twenty times
# slower, and twice otherwise.
UNRACED   := modernc.org/sqlite/... modernc.org/libc/...

POSTGRES  := $(GO) run ./tools/testpostgres --
GO_TEST   := $(GO) test -timeout $(TIMEOUT) $(if $(RUN),-run '$(RUN)') \
             $(if $(RACE),-race $(UNRACED:%=-gcflags=%=-race=false))
LINTER    := bin/golangci-lint

# The walk asks every field in turn, thousands of times: the race detector would
# only make it slow. What runs side by side is raced elsewhere.
WALK      := internal/isolation

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## "; print "usage: make <target> [VARIABLE=value]\n" } \
	  /^##@ / { print substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\n%s\n' 'variables: PKG=./tenancy/...  RUN=TestName  RACE=1  TIMEOUT=30m  FUZZTIME=10s  ARGS="--flags for run, bench and faults"'

##@ Use

.PHONY: run
run: ## Build and start the demo on an embedded database
	$(GO) run ./cmd/bailiwick demo $(ARGS)

.PHONY: build
build: ## Build bin/bailiwick, one static file
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bailiwick ./cmd/bailiwick

##@ Test

.PHONY: test
test: ## Test on SQLite and on PostgreSQL (BAILIWICK_TEST_POSTGRES, or a throw-away cluster)
	$(POSTGRES) $(MAKE) test-packages

.PHONY: test-sqlite
test-sqlite: ## Test on SQLite alone
	BAILIWICK_TEST_POSTGRES= $(MAKE) test-packages

.PHONY: test-postgres
test-postgres: ## Test on both engines, and fail where PostgreSQL cannot be had
	CI=true $(POSTGRES) $(MAKE) test-packages

# Tests on whatever BAILIWICK_TEST_POSTGRES says; the targets above set it.
.PHONY: test-packages
test-packages:
	$(GO_TEST) $(if $(RACE),$$($(GO) list $(PKG) | { grep -v '/$(WALK)$$' || true; }),$(PKG))
	$(if $(RACE),! $(GO) list $(PKG) | grep -q '/$(WALK)$$' || $(GO) test -timeout $(TIMEOUT) ./$(WALK))

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each
	@# Code that draws random numbers never repeats its coverage: minimizing such
	@# a finding by time would take the whole of FUZZTIME.
	@{ grep -rHoE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' --exclude-dir=testdata . || true; } | sort \
	| while IFS=: read -r file func; do \
	    name=$${func#func }; dir=$$(dirname "$$file"); \
	    echo "fuzz $$dir $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$dir" </dev/null; \
	  done

.PHONY: bench
bench: ## Measure this server against the hand-written limit on the same PostgreSQL; ARGS=-mdm: managed devices against NanoMDM
	$(GO) run ./tools/bench $(ARGS)

.PHONY: faults
faults: ## Take ticketing through faults at every vendor: tickets made, lost, doubled
	$(GO) run ./tools/fault $(ARGS)

##@ Change

.PHONY: generate
generate: ## Write all generated code from schema/ and graph/*.graphql
	$(GO) run ./tools/generate

.PHONY: fmt
fmt: $(LINTER) ## Format the code
	$(LINTER) fmt

.PHONY: lint
lint: $(LINTER) ## Run the linters (.golangci.yml)
	$(LINTER) run

.PHONY: verify
verify: generate ## Check that nothing generated is stale, and the build's own rules
	@git diff --exit-code --stat -- $(GENERATED) \
	  || { echo 'verify: generated code differs from its sources: commit what make generate wrote' >&2; exit 1; }
	@untracked=$$(git ls-files --others --exclude-standard -- $(GENERATED)); \
	  [ -z "$$untracked" ] || { printf 'verify: generated, but not committed:\n%s\n' "$$untracked" >&2; exit 1; }
	$(GO) run ./tools/migration -check
	$(GO) mod tidy -diff
	$(GO) -C tools/bench/nanomdm vet ./...
	$(GO) test -count=1 ./tools/check/...

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin

# The linter has a module of its own, so that its two hundred dependencies stay
# out of the server's. A version is a change of tools/lint/go.mod.
$(LINTER): tools/lint/go.mod tools/lint/go.sum
	$(GO) -C tools/lint build -o ../../$(LINTER) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
