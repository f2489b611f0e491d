# Limpid: see README.md. Every target works from a fresh clone.
TAGS    := gles
GO      := go
GOFLAGS += -buildvcs=false
export GOFLAGS
TOOL    := $(GO) tool -modfile=packaging/tools/go.mod

.PHONY: all deps deps-test build run test check unit race fuzz bench screenshots long package clean

all: build

deps:            ## what building needs
	@packaging/deps.sh build

deps-test:       ## what the tests need too
	@packaging/deps.sh test

build: deps      ## bin/limpid (window) and bin/limpid-cli
	$(GO) build -tags $(TAGS) -o bin/limpid ./app/cmd/limpid
	$(GO) build -tags $(TAGS) -o bin/limpid-cli ./app/cmd/limpid-cli

run: build       ## the sample, in the window, or headless where there is no display
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then exec bin/limpid --sample; \
	else echo "no display: running the sample without a window"; exec bin/limpid-cli sample --out out; fi

test: deps-test check build unit race fuzz  ## everything; about 15 minutes cold on two cores

check:           ## format, vet, staticcheck
	@files=$$(git ls-files '*.go'); out=$$($(TOOL) gofumpt -l $$files); \
	if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags $(TAGS) ./...
	$(TOOL) staticcheck -tags $(TAGS) ./...

unit:
	$(GO) test -tags $(TAGS) ./...
	CGO_ENABLED=0 $(GO) test ./engine/... ./fitsio/... ./solvers/operator ./solvers/optim ./app/figure/...

race:
	$(GO) test -tags $(TAGS) -race ./app/session/... ./app/cli/... ./solvers/summary ./ui/viewmodel/...

fuzz:            ## every fuzz target for FUZZTIME (10s)
	@packaging/fuzz.sh $(or $(FUZZTIME),10s)

bench:           ## the numbers of docs/benchmarks.md
	@packaging/bench.sh

screenshots: build ## docs/screens and the picture of the README
	$(GO) run -tags $(TAGS) ./tests/window/screens

long: build      ## slow physics, run before an issue is resolved
	$(GO) test -tags $(TAGS) -v -timeout 2h ./tests/physics -args -long

package: deps    ## dist/: .deb, archive, AppDir, list of components
	@sh packaging/package.sh

clean:
	rm -rf bin out dist
