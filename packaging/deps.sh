#!/bin/sh
# Installs what is missing to build, run or test Limpid on Debian or Ubuntu.
# usage: deps.sh build|test
set -eu
build="gcc libc6-dev pkg-config libgl1-mesa-dev libgles-dev libegl-dev xorg-dev libwayland-dev libxkbcommon-dev"
test="xvfb xdotool xauth x11-apps imagemagick libgl1-mesa-dri mesa-vulkan-drivers fitsverify"
want=$build
[ "${1:-build}" = test ] && want="$build $test"
command -v go >/dev/null || { echo "Go is missing: install Go 1.26 from go.dev, or golang-go from your distribution" >&2; exit 1; }
command -v dpkg-query >/dev/null || {
	echo "This is not Debian or Ubuntu: make sure that these packages' equivalents are installed: $want" >&2
	exit 0
}
missing=
for p in $want; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
	echo "installing:$missing"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -q
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
fi
go mod download
