# Every command a person needs. `make demo` and `make test` need only Go, git and
# make; on Debian, root gets PostgreSQL installed on the way. `make test` also fetches
# Stripe's command line and axe-core from npm's registry, once, and installs Chromium.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Without cgo the binary is static and the build needs no C compiler. The version
# is stamped by hand, as Go's own stamp fails where git distrusts the folder.
export CGO_ENABLED ?= 0
BUILDFLAGS := -trimpath -buildvcs=false

# Extra arguments for the tests, such as TESTFLAGS='-run TestSpend -v'.
TESTFLAGS ?=
# How long each fuzz target runs, and how many steps each long walk takes.
FUZZTIME ?= 30s
WALKS ?= 5000
# How long the walks that count in time go on.
SOAK ?= 10m

# Where goroutines share something, or two callers meet. The race detector slows
# the pure packages down and finds nothing in them.
CONCURRENT := ./api/... ./billing/stripeapi/... ./cmd/... ./internal/... ./ledger/... ./notify/... ./teams/... ./web/... ./webhooks/... ./worker/...

GOLANGCI_LINT := bin/golangci-lint
GOVULNCHECK := bin/govulncheck
BENCHSTAT := bin/benchstat

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build install-postgres ## Run a month of a team's life against the local Stripe
	bin/purser demo

.PHONY: dev
dev: build install-postgres ## Run the demo and stay: a local database, a local Stripe, a clock to move
	bin/purser dev

.PHONY: build
build: ## Build bin/purser, static and stamped with its version
	go build $(BUILDFLAGS) -ldflags '$(LDFLAGS)' -o bin/purser ./cmd/purser

.PHONY: test
test: install-postgres install-stripe-cli install-browser format vet ## Everything a landing needs: format, vet, all tests
	go test $(TESTFLAGS) ./...

.PHONY: check
check: format vet lint arrows race ## More than a landing needs: linters, arrows, race detector

.PHONY: format
format: ## Fail on files that gofmt would change
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet: ## Run go vet
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint; building it takes minutes, once
	$(GOLANGCI_LINT) run ./...

.PHONY: arrows
arrows: install-postgres ## Hold the table of which package may import which
	go test ./cmd/...

.PHONY: race
race: install-postgres install-stripe-cli install-browser ## Test the concurrent packages with the race detector, which needs gcc
	@command -v "$${CC:-gcc}" >/dev/null || { \
	  echo "The race detector needs cgo and so a C compiler. On Debian: apt-get install gcc libc6-dev"; exit 1; }
	CGO_ENABLED=1 go test -race $(TESTFLAGS) $$(go list -e -f '{{.ImportPath}}' $(CONCURRENT) 2>/dev/null)

.PHONY: soak
soak: install-postgres install-stripe-cli ## Take long random walks through the state machines (WALKS=5000 SOAK=10m)
	@packages=$$(go list -f '{{range .TestImports}}{{.}} {{end}}{{range .XTestImports}}{{.}} {{end}}{{.ImportPath}}' ./... | \
	  awk '/pgregory\.net\/rapid /{ print $$NF }'); \
	if [ -z "$$packages" ]; then echo "No package has walks."; exit 1; fi; \
	PURSER_SOAK=$(SOAK) go test -count=1 -timeout 6h $$packages -rapid.checks=$(WALKS) $(TESTFLAGS)

.PHONY: fuzz
fuzz: install-postgres ## Run every fuzz target for a while (FUZZTIME=30s)
	@set -e; for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
	  for target in $$(grep -h '^func Fuzz' $$package/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do \
	    echo "$$package $$target"; go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
	  done; done

.PHONY: bench
bench: build install-postgres ## Measure everything in a short form, some minutes; see docs/performance.md
	bin/purser bench spends --seconds 3
	bin/purser bench spends --seconds 3 --pools 1000
	bin/purser bench holds --seconds 3
	bin/purser bench events --seconds 3
	bin/purser bench turn
	bin/purser bench read --seconds 3
	bin/purser bench audit
	bin/purser bench growth --seconds 3
	bin/purser bench fair --seconds 3

.PHONY: bench-go
bench-go: install-postgres $(BENCHSTAT) ## Run the Go benchmarks and compare with the run before (TESTFLAGS=-bench=Spend)
	@if [ -f bin/bench.txt ]; then mv bin/bench.txt bin/bench.before.txt; fi
	@set -o pipefail; go test -run '^$$' -bench . -benchmem -count 6 -timeout 2h $(TESTFLAGS) ./... | tee bin/bench.txt
	@if [ -f bin/bench.before.txt ]; then $(BENCHSTAT) bin/bench.before.txt bin/bench.txt; fi

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look for known vulnerabilities in what we link; needs the network
	$(GOVULNCHECK) ./...

.PHONY: docker
docker: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t purser:$(VERSION) .

.PHONY: install-postgres
install-postgres: ## Install PostgreSQL's programs where they are missing
	@if [ -z "$$PURSER_TEST_DATABASE_URL" ]; then .ci/install-postgres; fi

.PHONY: install-stripe-cli
install-stripe-cli: ## Fetch Stripe's own command line, which tries the local Stripe
	@.ci/install-stripe-cli

.PHONY: install-browser
install-browser: ## Install Chromium and axe-core, which look at the hosted page
	@.ci/install-browser

# The tools have a module of their own, so that what they need stays out of ours.
bin/%: tools/go.mod tools/go.sum
	go build -C tools -o ../$@ $$(go -C tools list -f '{{.ImportPath}}' tool | grep '/$*$$')
	@touch $@

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
