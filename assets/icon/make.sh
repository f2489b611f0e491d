#!/bin/sh
# Draws the icon in every size: limpid-N.png here. Needs rsvg-convert (librsvg2-bin).
set -eu
cd "$(dirname "$0")"
for n in 16 24 32 48 64 128 256 512; do
	rsvg-convert -w "$n" -h "$n" limpid.svg -o "limpid-$n.png"
done
