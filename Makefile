# make test installs what it needs; everything else is Go.
# No target needs a terminal. Tools that are not Go's own go to .cache.

SHELL := /bin/sh
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
export DSR_COMPAT_DATA ?= ../shared/data/fides

MODULES     = $(shell go list -m -f '{{.Dir}}')
LINTER      = $(CURDIR)/.cache/bin/golangci-lint
LINTVERSION = 2.15.0
APIFUZZTIME = 5m
APIFUZZSEED = 1
TESTFLAGS   = -race -shuffle=on -timeout=90m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: servers
servers: ## install what the tests need: PostgreSQL, MariaDB, an S3 server, Chromium, curl, Python, a C compiler for -race
	@./scripts/install-servers

.PHONY: test
test: servers ## run every test of every module; nothing may be skipped
	go run ./internal/testsum $(TESTFLAGS)

.PHONY: compat
compat: servers ## compare with Fides, from the files in DSR_COMPAT_DATA
	@test -d "$(DSR_COMPAT_DATA)" || { \
		echo "make compat: there is no folder $(DSR_COMPAT_DATA); set DSR_COMPAT_DATA to the folder with Fides' files" >&2; exit 1; }
	DSR_COMPAT_DATA="$$(cd "$(DSR_COMPAT_DATA)" && pwd)" \
		go run ./internal/testsum -dir internal/dbtest/compat -- $(TESTFLAGS) -tags=compat

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME, 15 seconds by default
	./scripts/fuzz

.PHONY: fuzz-api
fuzz-api: ## send every route what its OpenAPI document allows and what it does not, for APIFUZZTIME from APIFUZZSEED on
	@DSR_API_FUZZ=$(APIFUZZTIME) DSR_API_FUZZ_SEED=$(APIFUZZSEED) go run ./internal/testsum -dir adapters/api/fides -- -count=1 -timeout=3h -run='^TestEveryAnswerIsAsDocumented'

.PHONY: soak
soak: servers ## run the crash tests with 200 kills each, write packages of 2 GiB, fuzz every target for ten minutes and every route for an hour with other seeds each time
	DSR_CRASH_KILLS=200 go run ./internal/testsum $(TESTFLAGS) -timeout=4h -run=Crash
	cd internal/bench && DSR_PACKAGE_MIB=2048 go test -v -run=PackageMemory -timeout=1h .
	FUZZTIME=10m FUZZJOBS=4 FUZZPARALLEL=1 ./scripts/fuzz
	$(MAKE) fuzz-api APIFUZZTIME=1h APIFUZZSEED=

.PHONY: bench
bench: servers ## run every benchmark of every module
	@set -e; for dir in $(MODULES); do (cd "$$dir" && go test -run='^$$' -bench=. -benchmem -timeout=4h ./...); done

.PHONY: load
load: servers ## put the example server under load with a million requests stored, for half an hour
	cd internal/bench && go test -run='^$$' -bench='Server$$' -timeout=2h .

.PHONY: lint
lint: linter ## check style and import rules in every module
	@status=0; for dir in $(MODULES); do echo "golangci-lint in $$dir"; \
		(cd "$$dir" && "$(LINTER)" run --config "$(CURDIR)/.golangci.yml" ./...) || status=1; done; exit $$status

.PHONY: linter
linter:
	@"$(LINTER)" version 2>/dev/null | grep -q "version v*$(LINTVERSION) " || { \
		echo "installing golangci-lint $(LINTVERSION) into .cache/bin"; \
		GOWORK=off GOBIN="$(dir $(LINTER))" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINTVERSION); }

.PHONY: tidy-check
tidy-check: ## check that every module is tidy and builds on its own
	@status=0; for dir in $(MODULES); do echo "go mod tidy -diff, go build, go vet in $$dir"; \
		(cd "$$dir" && export GOWORK=off && go mod tidy -diff && go build ./... && go vet ./...) || status=1; done; exit $$status

.PHONY: fmt
fmt: ## format every Go file
	@find . -name '*.go' -not -path './.cache/*' -exec gofmt -l -s -w {} +
