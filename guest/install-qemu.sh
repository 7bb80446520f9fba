#!/bin/sh
# Installs what the lab's virtual machines need: QEMU for x86, a static busybox, cpio and zstd.
#
# Works on Debian 12 and 13, as root or with sudo; does nothing (and needs neither) when all is there.
# Packages of QEMU must be of one version. Where an installed one (often qemu-utils) came from backports,
# qemu-system-x86 is taken from there too, over the Debian mirror that /etc/apt already names.
set -eu

fail() {
    echo "install-qemu: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "must run as root, or with sudo installed: $*"
    fi
}

installed_version() {
    dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^installed //p'
}

missing_packages() {
    for package in qemu-system-x86 busybox-static cpio zstd xz-utils; do
        [ -n "$(installed_version "$package")" ] || echo "$package"
    done
}

# The version of an installed QEMU package that came from backports, if any.
backported_qemu() {
    for package in qemu-utils qemu-system-common qemu-system-data qemu-block-extra; do
        case "$(installed_version "$package")" in
            *~bpo*) installed_version "$package"; return ;;
        esac
    done
}

# Adds CODENAME-backports from the mirror that serves CODENAME itself, signed by the same key.
add_backports() {
    codename=$1
    if apt-cache policy 2>/dev/null | grep -q "n=$codename-backports"; then
        return
    fi
    uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$codename" '$2 == release && $3 == "main" { print $1; exit }')
    [ -n "$uri" ] || fail "no apt source for $codename main: add one in /etc/apt/sources.list.d, then run this again"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ -e "$key" ]; then options="[signed-by=$key] "; else options=; fi
    echo "install-qemu: adding $codename-backports from $uri" >&2
    echo "deb ${options}${uri} ${codename}-backports main" |
        as_root tee /etc/apt/sources.list.d/hafen-backports.list >/dev/null
}

main() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || fail "this script knows Debian 12 and 13 only; install by hand: $missing"
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    target=
    if [ -n "$(backported_qemu)" ]; then
        add_backports "$codename"
        target="-t $codename-backports"
    fi
    as_root apt-get update -q
    # One package at a time would resolve versions apart. The option's word splitting is wanted.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $target $missing
    [ -z "$(missing_packages)" ] || fail "still missing after the installation: $(missing_packages)"
}

main "$@"
