#!/bin/sh
# Puts the lab guest's `kernel` and `initrd` into a directory:  guest/build.sh OUTDIR
#
# The kernel comes out of the package that linux-image-cloud-amd64 depends on; nothing is installed, root is not needed.
# A finished OUTDIR is kept until this script, `init`, or busybox changes; delete it to build anew.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk evdev button"
applets="sh mount insmod cat stty poweroff dd head sleep sync acpid chmod mkdir"

fail() {
    echo "guest/build.sh: $*" >&2
    exit 1
}

# The bytes of a module, whatever it is compressed with.
module_bytes() {
    case "$1" in
        *.xz) xz -dc "$1" ;;
        *.zst) zstd -qdc "$1" ;;
        *.gz) gzip -dc "$1" ;;
        *) cat "$1" ;;
    esac
}

fetch_kernel() {
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
    [ -n "$package" ] ||
        fail "apt does not know linux-image-cloud-amd64: run 'apt-get update' as root, then this again"
    (cd "$work" && apt-get download -q "$package" >download.log 2>&1) || {
        cat "$work/download.log" >&2
        fail "cannot download $package: run 'apt-get update' as root, then this again"
    }
    dpkg-deb -x "$work/$package"_*.deb "$work/package"
    rm -f "$work/$package"_*.deb
}

build_initrd() {
    root=$work/root
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/etc/acpi/PWRF"
    cp "$busybox" "$root/bin/busybox"
    for applet in $applets; do
        "$busybox" --list | grep -qx "$applet" || fail "$busybox has no applet '$applet': install busybox-static"
        ln -s busybox "$root/bin/$applet"
    done
    ln -s bin "$root/sbin"
    for module in $modules; do
        file=$(find "$work/package" -name "$module.ko" -o -name "$module.ko.*" | head -n 1)
        [ -z "$file" ] || module_bytes "$file" >"$root/modules/$module.ko"
    done
    cp "$here/init" "$root/init"
    chmod 755 "$root/init"
    (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet --reproducible) | gzip -1n >"$work/initrd"
}

[ $# -eq 1 ] || { echo "usage: guest/build.sh OUTDIR" >&2; exit 2; }
out=$1
busybox=$(command -v busybox) || fail "busybox is missing: run guest/install-qemu.sh"
stamp=$(cat "$here/build.sh" "$here/init" "$busybox" | sha256sum | cut -d' ' -f1)
if [ -s "$out/kernel" ] && [ -s "$out/initrd" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/hafen-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
fetch_kernel
build_initrd
kernel=$(find "$work/package" -path '*/boot/vmlinuz-*' | head -n 1)
[ -n "$kernel" ] || fail "the package $package holds no boot/vmlinuz-*"
# The stamp goes last: a build that was cut off is built again.
rm -f "$out/stamp"
cp "$kernel" "$out/kernel.new" && mv "$out/kernel.new" "$out/kernel"
cp "$work/initrd" "$out/initrd.new" && mv "$out/initrd.new" "$out/initrd"
echo "$stamp" >"$out/stamp"
