#!/bin/sh
# Puts a Debian 13 with systemd into a directory, as an initial RAM disk that stays the root:  guest/debian.sh OUTDIR
#
# Makes OUTDIR/debian.cpio. Needs root. It starts with the lab guest's kernel (`guest/build.sh`); what a test adds is one more
# archive behind it. A finished one is kept until this script changes; delete it to build anew.
set -eu

packages=systemd-sysv,dbus,libcpg4,libquorum5,libvotequorum8,libcmap4,libcfg7
excluded="/usr/share/doc/* /usr/share/locale/*"

[ $# -eq 1 ] || { echo "usage: guest/debian.sh OUTDIR" >&2; exit 2; }
out=$1
stamp=$(sha256sum <"$0" | cut -d' ' -f1)
if [ -s "$out/debian.cpio" ] && [ "$(cat "$out/debian.stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/hafen-debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
set -- --quiet --variant=minbase --include="$packages"
for path in $excluded; do
    set -- "$@" --dpkgopt="path-exclude=$path"
done
mmdebstrap "$@" trixie "$work/root"
rm -rf "$work/root/var/cache/apt" "$work/root/var/lib/apt/lists"
# No getty: the serial line is the test's.
ln -sf /dev/null "$work/root/etc/systemd/system/serial-getty@ttyS0.service"
rm -f "$out/debian.stamp"
(cd "$work/root" && find . -xdev | LC_ALL=C sort | cpio -o -H newc --quiet) >"$out/debian.new"
mv "$out/debian.new" "$out/debian.cpio"
echo "$stamp" >"$out/debian.stamp"
