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

test: deps-test check build unit race fuzz link-cuda  ## everything; about 15 minutes cold on two cores

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

# Not CGO_CFLAGS, for which Go would build every package with C anew.
CUDA_ENV = CPATH="$(CURDIR)/build/cuda/include" LIBRARY_PATH="$(CURDIR)/build/cuda/lib"

deps-cuda:       ## cuda.h, and an empty libcuda to link with, in build/cuda; needs no toolkit
	@packaging/cuda.sh deps

build-cuda: deps-cuda ## bin/limpid-cli and bin/limpid with CUDA; they start without a driver too
	$(CUDA_ENV) $(GO) build -tags cuda -o bin/limpid-cli ./app/cmd/limpid-cli
	$(CUDA_ENV) $(GO) build -tags cuda,$(TAGS) -o bin/limpid ./app/cmd/limpid

link-cuda:       ## vet and link with the tag cuda, and start where there is no driver
	@if packaging/cuda.sh deps; then \
	$(CUDA_ENV) $(GO) vet -tags cuda,$(TAGS) ./... && \
	$(CUDA_ENV) $(GO) build -tags cuda,$(TAGS) -o build/cuda/limpid ./app/cmd/limpid && \
	$(CUDA_ENV) $(GO) build -tags cuda -o build/cuda/limpid-cli ./app/cmd/limpid-cli && build/cuda/limpid-cli version; \
	else echo "CUDA not checked: cuda.h is not to be had"; fi

check-cuda: deps-cuda ## vet, link, PTX assembled, the kernels' suite on the processor
	$(CUDA_ENV) $(GO) vet -tags cuda ./gpu/... ./app/cmd/limpid-cli
	$(CUDA_ENV) $(GO) build -tags cuda -o /dev/null ./app/cmd/limpid-cli
	packaging/cuda.sh assemble
	packaging/cuda.sh emulate
	$(GO) test -tags emulate ./gpu/cuda/emulate

ptx:             ## gpu/cuda/ptx from gpu/cuda/kernels, with clang
	packaging/cuda.sh ptx

clean:
	rm -rf bin out dist
