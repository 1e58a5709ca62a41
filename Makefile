# Nothing is installed globally: tools run from go.mod or from a version named
# here, and what has to be built lands in bin/, which git ignores.

SHELL         := /bin/bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
ADDR        ?= 127.0.0.1:8080
DATA        ?= data
DB          ?= $(DATA)/ledger.db
# Of the tests of one package. A package takes some minutes at most; the rest is
# for a machine that is busy with other work.
TIMEOUT     ?= 40m
ROUNDS      ?= 200
FAULTS      ?= 50000
FUZZTIME    ?= 30s
CASES       ?= 10000
CALLS       ?= 10000
STEPS       ?= 2000000
LOADTIME    ?= 3s
SOAKTIME    ?= 10m
BENCHROUNDS ?= 5
BENCHTIME   ?= 500ms
CROSS       ?= linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 \
	windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64
QEMU        ?= qemu-aarch64-static
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Lido needs no cgo. With it, sqlc would also compile a PostgreSQL parser in C.
export CGO_ENABLED = 0

# Under the race detector the transpiled engine is 30 to 50 times slower. One
# goroutine at a time uses it, and Lido's own code around it stays
# instrumented. The detector itself needs cgo.
RACE = CGO_ENABLED=1 $(GO) test -race \
	-gcflags='modernc.org/sqlite/lib=-race=false' -gcflags='modernc.org/libc=-race=false'

# What "make generate" writes.
GENERATED = gen bench/lidogen bench/sqlcgen cmd/ledger/internal/sample examples

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9][a-z0-9-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The first compilation takes long enough to be announced.
.PHONY: engine
engine:
	@if [ "$$($(GO) list -f '{{.Stale}}' modernc.org/sqlite/lib)" = true ]; then \
		echo "compiling the SQLite engine: one to two minutes, this once" >&2; fi

# The tests of the generator run sqlc. A build inside a test would be silent,
# and count against the test's time.
.PHONY: sqlc
sqlc: ## build sqlc as the tests run it, in bin/sqlcserver
	@if [ "$$($(GO) list -tags sqlc -f '{{.Stale}}' github.com/sqlc-dev/sqlc/pkg/cli)" = true ]; then \
		echo "compiling sqlc: three to five minutes, this once" >&2; fi
	@$(GO) build -tags sqlc -o bin/sqlcserver ./internal/codegen/gentest/sqlcserver

.PHONY: run
run: engine ## serve the ledger, with sample books; ADDR=127.0.0.1:8080 DATA=data
	@$(GO) build -o bin/ledger ./cmd/ledger
	@# Not "go run", which would call Ctrl-C an error.
	@exec bin/ledger serve --addr $(ADDR) --data $(DATA)

.PHONY: test
test: engine sqlc ## run all tests
	$(GO) test -timeout $(TIMEOUT) ./...
	cd suites && $(GO) test -timeout $(TIMEOUT) ./...

.PHONY: race
race: sqlc ## run all tests under the race detector
	@if [ "$$(CGO_ENABLED=1 $(GO) list -race -f '{{.Stale}}' modernc.org/sqlite/lib)" = true ]; then \
		echo "compiling everything for the race detector: two to four minutes, this once" >&2; fi
	$(RACE) -timeout $(TIMEOUT) ./...

.PHONY: generate
generate: ## write the generated code anew
	$(GO) generate ./...
	sqlc=$(CURDIR)/bin/sqlc-$$($(GO) list -m -f '{{.Version}}' github.com/sqlc-dev/sqlc); \
		cd bench && "$$sqlc" generate
	$(GO) test ./examples -update

.PHONY: migrate
migrate: engine ## bring a database to the newest schema; DB=data/ledger.db
	$(GO) run ./cmd/lido migrate --db $(DB) --dir schema up

.PHONY: lint
lint: engine ## gofmt, go vet, staticcheck
	@files=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$files" ]; then echo "not formatted, run gofmt -w:" $$files >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags earlyack ./cmd/ledger/...
	$(GO) vet -tags seeded ./internal/seeded ./sqlite ./pool/...
	@if [ "$$($(GO) list -tags sqlc -f '{{.Stale}}' github.com/sqlc-dev/sqlc/pkg/cli)" = true ]; then \
		echo "compiling sqlc: three to five minutes, this once" >&2; fi
	$(GO) vet -tags sqlc ./cmd/lido ./internal/codegen/gentest/sqlcserver
	cd bench && $(GO) vet ./...
	cd suites && $(GO) vet ./...
	GOBIN=$(CURDIR)/bin $(GO) install $(STATICCHECK)
	bin/staticcheck ./...
	cd bench && ../bin/staticcheck ./...
	cd suites && ../bin/staticcheck ./...

.PHONY: check-hledger
check-hledger: engine ## compare the ledger's balances with hledger's own
	scripts/check-hledger.sh

.PHONY: torture-kill
torture-kill: engine ## kill -9 the ledger under load; ROUNDS=200
	$(GO) run ./cmd/ledger/torture -rounds $(ROUNDS)

.PHONY: torture-backup
torture-backup: engine ## back up under load and compare with the source; ROUNDS=200
	LEDGER_BACKUP_ROUNDS=$(ROUNDS) $(GO) test -count=1 -v -timeout 0 -run TestBackup ./cmd/ledger

.PHONY: torture-faults
torture-faults: engine ## fail the disk at every call and look who was told what; FAULTS=50000
	LIDO_FAULTS=$(FAULTS) $(GO) test -count=1 -v -timeout 0 -run TestNoFaultOfTheDiskMakesAWrongSuccess ./pool

.PHONY: torture-model
torture-model: engine seeded ## hold the pool against its model, at random; STEPS=2000000
	LIDO_MODEL_STEPS=$(STEPS) $(GO) test -count=1 -v -timeout 0 ./pool/internal/modeltest

.PHONY: seeded
seeded: engine ## build mistakes into the pool, one by one, and see the model find each
	$(GO) test -count=1 -v -tags seeded -run TestEverySeeded ./pool/internal/modeltest

.PHONY: torture-cancel
torture-cancel: engine ## cancel calls of every kind at random moments; CALLS=10000
	LIDO_CANCEL_CALLS=$(CALLS) $(GO) test -count=1 -v -timeout 0 -run TestCancelledCalls ./pool

.PHONY: torture
torture: torture-kill torture-backup torture-faults torture-model torture-cancel ## every torture

.PHONY: soak
soak: engine ## run a mixed load with cancels and leaks, and look whether anything grows; SOAKTIME=10m
	$(GO) run ./internal/soak -time $(SOAKTIME)

.PHONY: fuzz
fuzz: engine ## fuzz every target; FUZZTIME=30s each
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: fuzz-short
fuzz-short: engine sqlc ## compare generated code with the stock driver on random schemas; CASES=10000
	LIDO_RANDOM_CASES=$(CASES) LIDO_RANDOM_SEED=0 $(GO) test -count=1 -v -timeout 30m ./internal/codegen/random

.PHONY: conformance
conformance: engine sqlc ## hold the generator against sqlc's own output on sqlc's own cases (LIDO_CONFORMANCE)
	$(GO) test -count=1 -v -timeout 30m ./internal/codegen/conformance

.PHONY: bench-gen
bench-gen: engine sqlc ## measure generating and compiling 500 queries
	$(GO) run ./internal/codegen/benchgen

.PHONY: bench-load
bench-load: engine ## measure writes from many goroutines, with and without group commit
	cd bench && $(GO) run . -load -time $(LOADTIME)

.PHONY: bench
bench: engine ## measure typed calls against the engine alone and sqlc on the stock driver
	cd bench && $(GO) run . -rounds $(BENCHROUNDS) -time $(BENCHTIME)

.PHONY: suites
suites: engine ## run other projects' tests through package stdlib; SUITES=goose,river SHORT=1 BASELINE=1 LIDO_SUITES=folder
	cd suites && $(GO) run . $(if $(SHORT),-short) $(if $(BASELINE),-baseline) -only "$(SUITES)"

.PHONY: new-module
new-module: engine ## lay a new module beside this one with lido init, and run it
	scripts/new-module.sh

.PHONY: quick-start
quick-start: engine ## run "make run" and look whether it answers
	scripts/quick-start.sh

.PHONY: generated
generated: generate
	@changed=$$(git status --porcelain -- $(GENERATED)); \
		if [ -n "$$changed" ]; then git diff -- $(GENERATED); \
		echo "generated code is not what make generate writes:" >&2; echo "$$changed" >&2; exit 1; fi

# The engine is compiled once for each target, which takes a minute or two of
# two processors; from then on the cache has it, and a target takes seconds. CI
# takes three of them, which have what the others differ in: 32-bit integers, a
# system without POSIX, a unix that is not Linux.
.PHONY: cross
cross: ## build and vet for other systems and processors; CROSS="linux/386 windows/amd64"
	@for target in $(CROSS); do \
		echo "$$target" >&2; \
		export GOOS=$${target%/*} GOARCH=$${target#*/}; \
		$(GO) build ./...; \
		$(GO) vet ./...; \
	done

# The tests that work directly on the engine and its memory, on an emulated
# processor: some ten minutes, so CI only vets for arm64. The emulator's own
# limits are in internal/emulator.
.PHONY: arm64
arm64: ## run the tests of sqlite, pool and memvfs under qemu-user (apt: qemu-user-static); QEMU=qemu-aarch64-static
	@command -v $(QEMU) >/dev/null || { echo "$(QEMU) is missing: apt-get install qemu-user-static" >&2; exit 1; }
	GOARCH=arm64 LIDO_EMULATOR=$(QEMU) $(GO) test -short -timeout 30m -exec $(QEMU) ./sqlite ./internal/memvfs ./pool

# What runs on this machine although it is another processor's: 32-bit integers
# and their alignment.
.PHONY: 386
386: ## run the tests of sqlite, pool, memvfs and stdlib with 32-bit integers, on amd64
	GOARCH=386 $(GO) test -short ./sqlite ./internal/memvfs ./pool ./stdlib

.PHONY: ci
ci: ## everything that CI runs
	$(MAKE) lint
	$(MAKE) cross CROSS="linux/386 windows/amd64 darwin/arm64"
	$(MAKE) generated
	$(MAKE) test
	$(MAKE) race
	$(MAKE) seeded
	$(MAKE) torture-kill ROUNDS=20
	$(MAKE) soak SOAKTIME=20s
	$(MAKE) check-hledger
	$(MAKE) conformance
	$(MAKE) fuzz-short CASES=1000
	$(MAKE) bench BENCHROUNDS=1 BENCHTIME=20ms
	$(MAKE) bench-load LOADTIME=100ms
	$(MAKE) suites SHORT=1
	$(MAKE) quick-start
	$(MAKE) new-module

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
