#!/bin/sh
# Makes a Debian package of a root folder. usage: deb.sh ROOT VERSION ARCH DIST
set -eu
root=$1 version=$2 arch=$3 dist=$4
deb=$dist/deb
rm -rf "$deb"
cp -a "$root" "$deb"
mkdir -p "$deb/DEBIAN"
depends="libc6 (>= 2.34), libgl1, libegl1, libgles2, libwayland-client0, libx11-6, libxcursor1, libxrandr2, libxinerama1, libxi6, libxxf86vm1, libxkbcommon0"
if command -v dpkg-shlibdeps >/dev/null; then
	mkdir -p "$dist/shlibs/debian"
	printf 'Source: limpid\n\nPackage: limpid\nArchitecture: any\n' >"$dist/shlibs/debian/control"
	bin=$(cd "$deb" && pwd)/usr/bin/limpid
	found=$(cd "$dist/shlibs" && dpkg-shlibdeps -O "$bin" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
	# shlibdeps sees what is linked; the rest is opened when the window starts
	[ -z "$found" ] || depends="$found, libegl1, libgles2, libx11-6, libxcursor1, libxrandr2, libxinerama1, libxi6, libxxf86vm1, libxkbcommon0"
	rm -rf "$dist/shlibs"
fi
cat >"$deb/DEBIAN/control" <<EOF
Package: limpid
Version: $version
Architecture: $arch
Maintainer: Limpid developers <limpid@users.noreply.invalid>
Section: science
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$deb" | cut -f1)
Depends: $depends
Recommends: libgl1-mesa-dri
Description: Bayesian image inference for astronomers
 Limpid opens FITS images, lets the user say what the PSF, the noise and the
 mask are, and computes the posterior mean, samples and uncertainty map of the
 scene, in a window (limpid) or without (limpid-cli).
EOF
(cd "$deb" && find usr -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
find "$deb" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
find "$deb" -type d -exec chmod 755 {} +
dpkg-deb -Zgzip --root-owner-group --build "$deb" "$dist/limpid_${version}_$arch.deb" >/dev/null
rm -rf "$deb"
