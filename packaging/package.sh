#!/bin/sh
# Builds what can be built on this machine into dist/: the .deb, a tar archive, an
# AppDir (an AppImage where appimagetool is installed), the list of components (SBOM),
# and checksums. Says what it leaves out.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^const Version = "\(.*\)"/\1/p' limpid.go)
arch=$(go env GOARCH)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
dist=dist
rm -rf "$dist"
root=$dist/root
mkdir -p "$root/usr/bin"

# the same bytes from the same sources, wherever they lie
flags="-trimpath -buildvcs=false"
go build $flags -tags gles -ldflags "-s -w -buildid=" -o "$root/usr/bin/limpid" ./app/cmd/limpid
go build $flags -ldflags "-s -w -buildid=" -o "$root/usr/bin/limpid-cli" ./app/cmd/limpid-cli

share=$root/usr/share
install -Dm644 packaging/linux/io.limpid.Limpid.desktop "$share/applications/io.limpid.Limpid.desktop"
install -Dm644 packaging/linux/io.limpid.Limpid.metainfo.xml "$share/metainfo/io.limpid.Limpid.metainfo.xml"
install -Dm644 packaging/linux/io.limpid.Limpid.mime.xml "$share/mime/packages/io.limpid.Limpid.xml"
for n in 16 24 32 48 64 128 256 512; do
	install -Dm644 "assets/icon/limpid-$n.png" "$share/icons/hicolor/${n}x$n/apps/io.limpid.Limpid.png"
done
install -Dm644 assets/icon/limpid.svg "$share/icons/hicolor/scalable/apps/io.limpid.Limpid.svg"
install -Dm644 LICENSE "$share/doc/limpid/copyright"
mkdir -p "$share/man/man1"
gzip -9nc packaging/linux/limpid.1 >"$share/man/man1/limpid.1.gz"
"$root/usr/bin/limpid-cli" man | gzip -9n >"$share/man/man1/limpid-cli.1.gz"
gzip -9nc CHANGELOG.md >"$share/doc/limpid/changelog.gz"
for shell in bash:bash-completion/completions/limpid-cli zsh:zsh/vendor-completions/_limpid-cli fish:fish/vendor_completions.d/limpid-cli.fish; do
	file=$share/${shell#*:}
	mkdir -p "$(dirname "$file")"
	"$root/usr/bin/limpid-cli" completion "${shell%%:*}" >"$file"
done
chmod 644 "$share/man/man1"/* "$share/doc/limpid"/*

go tool -modfile=packaging/tools/go.mod cyclonedx-gomod bin -json -noserial -version "v$version" -output "$dist/limpid-$version.cdx.json" "$root/usr/bin/limpid" 2>"$dist/sbom.log" ||
	echo "left out: the list of components (see $dist/sbom.log)"
[ ! -e "$dist/limpid-$version.cdx.json" ] || sed -i "s/\"timestamp\": \".*\"/\"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)\"/" "$dist/limpid-$version.cdx.json"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$root" -czf "$dist/limpid-$version-linux-$arch.tar.gz" usr

if command -v dpkg-deb >/dev/null; then
	sh packaging/linux/deb.sh "$root" "$version" "$arch" "$dist"
else
	echo "left out: the .deb (needs dpkg-deb)"
fi
if command -v appimagetool >/dev/null; then
	sh packaging/linux/appdir.sh "$root" "$dist/Limpid.AppDir"
	ARCH=$(uname -m) appimagetool "$dist/Limpid.AppDir" "$dist/Limpid-$version-$(uname -m).AppImage"
else
	sh packaging/linux/appdir.sh "$root" "$dist/Limpid.AppDir"
	echo "left out: the AppImage (needs appimagetool); its folder is $dist/Limpid.AppDir"
fi
(cd "$dist" && sha256sum limpid* >SHA256SUMS)
ls -l "$dist"
