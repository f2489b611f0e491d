#!/bin/sh
# Runs every fuzz target of the module for the given time each.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
time=${1:-10s}
for dir in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/^func //' | sort -u); do
		echo "fuzz $dir $target $time"
		go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >"$log" 2>&1 || { cat "$log"; exit 1; }
	done
done
