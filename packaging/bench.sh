#!/bin/sh
# Runs the benchmarks that this machine can run, and says which it leaves out.
#   packaging/bench.sh [engine|deconv|fitsio|frames]   (no name: all)
# PYTHON (python3) has the libraries that we compare with; FITSDATA is a folder with the
# files of tests/bench/fitsio/peers/make_data.py --big. See docs/benchmarks.md.
set -u
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"
unset OPENBLAS_CORETYPE # what it names need not be what the processor has
python=${PYTHON:-python3}
only=${1:-}
failed=0

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }
skip() { echo; echo "$1: left out: $2"; }
run() {
	echo
	echo "## $*"
	"$@" || { echo "failed: $*"; failed=1; }
}

echo "$(uname -srm), $(nproc 2>/dev/null || echo '?') processors, $(go version)"
if wanted engine; then
	if "$python" -c 'import numpy' 2>/dev/null; then
		run "$python" -W ignore tests/bench/engine/bench.py
	else
		skip engine "$python has no numpy (set PYTHON)"
	fi
fi
if wanted deconv; then
	run go run ./tests/bench/deconv -n 512
	run go run ./tests/bench/deconv -n 1024 -method rl
fi
if wanted fitsio; then
	if [ -z "${FITSDATA:-}" ]; then
		skip fitsio "FITSDATA is not set (a folder made by tests/bench/fitsio/peers/make_data.py --big)"
	elif ! pkg-config --exists cfitsio 2>/dev/null || ! "$python" -c 'import astropy' 2>/dev/null; then
		skip fitsio "cfitsio (libcfitsio-dev) or astropy is missing"
	else
		run sh tests/bench/fitsio/peers/run.sh "$FITSDATA" "$python"
	fi
fi
if wanted frames; then
	if [ ! -x bin/limpid ]; then
		skip frames "bin/limpid is not built (make build)"
	elif command -v Xvfb >/dev/null && command -v xdotool >/dev/null; then
		run go run -tags gles ./tests/window/frames -side 512
	else
		skip frames "Xvfb or xdotool is missing (packaging/deps.sh test)"
	fi
fi
exit $failed
