#!/bin/sh
# Makes the folder of an AppImage of a root folder. usage: appdir.sh ROOT APPDIR
set -eu
rm -rf "$2"
cp -a "$1" "$2"
cp "$2/usr/share/applications/io.limpid.Limpid.desktop" "$2/"
cp "$2/usr/share/icons/hicolor/256x256/apps/io.limpid.Limpid.png" "$2/"
ln -s io.limpid.Limpid.png "$2/.DirIcon"
cat >"$2/AppRun" <<'EOF'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
case ${1:-} in
cli) shift; exec "$here/usr/bin/limpid-cli" "$@" ;;
esac
exec "$here/usr/bin/limpid" "$@"
EOF
chmod 755 "$2/AppRun"
