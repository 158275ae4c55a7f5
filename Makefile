# The tiers of docs/testing.md. Each target says on failure which stage failed; `make check` is what every change passes.
GO ?= go
export CGO_ENABLED = 0
FUZZTIME ?= 10s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@latest

.PHONY: build run test check lint fuzz race cross compat bench sim mutants crash powercut faults chaos kill clean

build: ## bin/milena, static
	$(GO) build -trimpath -o bin/milena ./cmd/milena

run: ## a broker on 127.0.0.1:9092
	$(GO) run ./cmd/milena start

test: ## every test of the main module
	$(GO) test ./...

check: lint test race fuzz cross ## everything that needs only Go

lint: ## vet, staticcheck, module checksums, known vulnerabilities
	$(GO) vet ./...
	$(GO) mod verify
	$(GO) run $(STATICCHECK) ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt: these files are not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@./scripts/vulncheck $(GOVULNCHECK)

race: ## the packages where goroutines meet, under the race detector (needs a C compiler), freed buffers overwritten
	CGO_ENABLED=1 $(GO) test -race -tags poison ./internal/listen/... ./internal/partition/... ./internal/coordinator/... ./internal/broker/... ./internal/node/... ./internal/storage/... ./internal/upkeep/... ./internal/disk/... ./internal/feed/... ./internal/metrics/... ./internal/server/... ./internal/world/... .

fuzz: ## every fuzz target for FUZZTIME
	@./scripts/fuzz $(FUZZTIME)

sim: ## whole clusters from new seeds FOR=10m, a process per core; FIRST=n from there on, SEED=n repeats one and tells its events, VARY='{"Apart": true}' has all be of a kind, KEEP=folder keeps those that fail
	$(GO) build -o bin/sim ./internal/sim/run && ./bin/sim $(if $(SEED),-seed $(SEED),-for $(or $(FOR),10m)) $(if $(FIRST),-first $(FIRST)) $(if $(VARY),-vary '$(VARY)') $(if $(KEEP),-keep $(KEEP))

mutants: ## hunt for the seeded bugs with fresh seeds, hours, goes on where it was: N=seeds each, FOR=time, ONLY=names, REFRESH=1; ROOMS=1 holds each against a test of its room instead
	$(GO) build -tags mutants -o bin/hunt ./internal/mutant/hunt
	bin/hunt -commit $(shell git rev-parse --short HEAD) -seeds $(or $(N),20000) $(if $(FOR),-for $(FOR)) $(if $(ONLY),-only $(ONLY)) $(if $(REFRESH),-refresh) $(if $(ROOMS),-rooms)

crash: ## N crash images of a disk, each recovered and held against what was promised; IMAGE=name repeats one
	$(GO) test ./internal/crash -run TestImages -count=1 -v -timeout 6h -images=$(or $(N),1000000) $(if $(IMAGE),-image=$(IMAGE))

cross: ## the binaries of every platform, static
	@for t in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
		echo "build $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -trimpath -o /dev/null ./cmd/milena || exit 1; done

compat: build ## real clients and Apache Kafka's own tools against bin/milena; AT_ONCE=n suites side by side
	cd test/bench && $(GO) vet ./... && $(GO) test ./...
	cd test/compat && CGO_ENABLED=1 $(GO) vet ./... && CGO_ENABLED=1 $(GO) test ./... && CGO_ENABLED=1 $(GO) run ./run $(if $(AT_ONCE),-at-once $(AT_ONCE))

powercut: build ## N power cuts of a loop-mounted ext4 under a broker with producers in flight; needs root
	cd test/compat && POWERCUTS=$(or $(N),300) MILENA_BINARY=$(CURDIR)/bin/milena $(GO) run ./run -suite powercut

faults: build ## errors of the real kernel, injected by strace, under a broker with producers in flight; needs ptrace, better root
	cd test/compat && MILENA_BINARY=$(CURDIR)/bin/milena $(GO) run ./run -suite faults

chaos: build ## three processes, each with a network and a disk of its own, killed, paused, cut off and without power under recorded clients, about an hour; needs Linux, root; SEED=n, CHAOS="-slice"
	cd test/chaos && $(GO) vet ./... && $(GO) test ./... && $(GO) run . -binary $(CURDIR)/bin/milena $(if $(SEED),-seed $(SEED)) $(CHAOS)

kill: build ## kill -9 of a broker with producers in flight, N times
	cd test/compat && KILLS=$(or $(N),300) MILENA_BINARY=$(CURDIR)/bin/milena $(GO) run ./run -suite kill

bench: build ## Apache Kafka beside us, aims and all; hours, resumable: RESULTS=folder PARTS=produce,fetch or cluster ROUNDS=3; writes docs/benchmarks.md
	cd test/bench && $(GO) run . $(if $(RESULTS),-results $(abspath $(RESULTS))) $(if $(PARTS),-parts $(PARTS)) $(if $(ROUNDS),-rounds $(ROUNDS))

clean:
	rm -rf bin
