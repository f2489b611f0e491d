#!/bin/sh
# Installs a .deb, runs the sample on the command line, starts the window on a screen of
# its own, and removes the package again. As root. usage: drill.sh limpid.deb
set -eu
deb=$1
before=$(find /usr -path '*limpid*' | grep -v '^/usr/src' | wc -l)
apt-get install -qy --no-install-recommends "$(readlink -f "$deb")" >/dev/null
limpid-cli version
work=$(mktemp -d)
(cd "$work" && limpid-cli sample --samples 4 --out out >log && test -s out/galaxy-posterior.fits && tail -1 log)
man -w limpid limpid-cli >/dev/null 2>&1 && echo "manual pages found"
xvfb-run -a sh -c '
	timeout 60 limpid --sample & pid=$!
	for i in $(seq 50); do
		sleep 1
		name=$(xdotool search --onlyvisible --name Limpid getwindowname 2>/dev/null | head -1) && [ -n "$name" ] && break
	done
	echo "window: ${name:-none}"
	kill $pid
	[ -n "${name:-}" ]'
apt-get remove -qy --purge limpid >/dev/null
after=$(find /usr -path '*limpid*' | grep -v '^/usr/src' | wc -l)
[ "$before" = "$after" ] || { echo "left behind: $((after - before)) files"; exit 1; }
rm -rf "$work"
echo "installed, started, removed: nothing left behind"
