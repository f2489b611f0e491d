#!/bin/sh
# Builds Limpid.app on macOS and a disk image of it. Needs Go and Xcode's command line
# tools. Unsigned: set IDENTITY to a Developer ID to sign.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^const Version = "\(.*\)"/\1/p' limpid.go)
app=dist/Limpid.app/Contents
rm -rf dist/Limpid.app
mkdir -p "$app/MacOS" "$app/Resources"
go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o "$app/MacOS/limpid" ./app/cmd/limpid
go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o "$app/MacOS/limpid-cli" ./app/cmd/limpid-cli
sed "s/@VERSION@/$version/" packaging/macos/Info.plist >"$app/Info.plist"
icons=$(mktemp -d)/limpid.iconset
mkdir -p "$icons"
for n in 16 32 128 256 512; do cp "assets/icon/limpid-$n.png" "$icons/icon_${n}x$n.png"; done
iconutil -c icns -o "$app/Resources/limpid.icns" "$icons"
[ -z "${IDENTITY:-}" ] || codesign --force --deep --options runtime --sign "$IDENTITY" dist/Limpid.app
hdiutil create -ov -volname Limpid -srcfolder dist/Limpid.app "dist/Limpid-$version.dmg"
