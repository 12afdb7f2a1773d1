#!/bin/bash
# Proof that the README works on a machine with nothing on it: a minimal Debian in a directory, a clone of this repository,
# ./scripts/quickstart --once as root and as an ordinary user with sudo, whose daemon has no privilege at all; with --test the
# suites as well, both times. Needs root and debootstrap; takes some minutes.
#
#   fresh_root.sh [--keep] [--user-only | --root-only] [--test SUITE...]
set -euo pipefail
cd "$(dirname "$0")/../.."
keep=0 as_root=1 as_user=1 suites=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --keep) keep=1 ;;
        --user-only) as_root=0 ;;
        --root-only) as_user=0 ;;
        --test) shift; suites=("$@"); break ;;
        *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done
[[ $(id -u) == 0 ]] || { echo "skipped: needs root"; exit 77; }
command -v debootstrap >/dev/null || { echo "skipped: debootstrap is not installed"; exit 77; }

root=$(mktemp -d "${TMPDIR:-/tmp}/functiond-fresh.XXXXXX")
chmod 755 "$root"
mounted=()
cleanup() {
    local i
    for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do umount -l "${mounted[i]}" || true; done
    if mountpoint -q "$root/proc" || mountpoint -q "$root/dev" || mountpoint -q "$root/sys"; then echo "still mounted: $root"; return; fi
    [[ $keep == 1 ]] && echo "kept: $root" || rm -rf --one-file-system "$root"
}
trap cleanup EXIT

# The base is kept in build/, since it is always the same.
base=build/fresh-base.tar
if [[ ! -f $base ]]; then
    mkdir -p build
    debootstrap --variant=minbase bookworm "$root/base" >"$root/debootstrap.log" 2>&1 || { tail "$root/debootstrap.log"; exit 1; }
    tar -C "$root/base" -cf "$base.new" . && mv "$base.new" "$base"
    rm -rf "$root/base"
fi
tar -C "$root" -xf "$base"
mount --bind "$root" "$root"        # a mount of its own, as a root is: namespaces below it behave as on a machine
mounted+=("$root")
# Package sources and certificates of this host: its mirror may be the only one it can reach.
cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
mkdir -p "$root/etc/ssl/certs" "$root/usr/local/share/ca-certificates"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
cp -L /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
for place in proc dev sys; do
    if [[ $place == proc ]]; then mount -t proc proc "$root/proc"; else mount --rbind "/$place" "$root/$place"; mount --make-rslave "$root/$place"; fi
    mounted+=("$root/$place")
done
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }

# What the README asks for: git. The clone is made from outside, so that the directory need not be reachable inside.
git clone -q --no-hardlinks . "$root/srv/functiond"

if [[ $as_root == 1 ]]; then
    echo "== as root"
    inside HOME=/tmp bash -c 'cd /srv/functiond && time ./scripts/quickstart --once'
    if [[ ${#suites[@]} -gt 0 ]]; then
        inside HOME=/tmp bash -c 'cd /srv/functiond && ./scripts/test --only "$@"' _ "${suites[@]}"
    fi
fi
if [[ $as_user == 1 ]]; then
    echo "== as an ordinary user with sudo"
    inside DEBIAN_FRONTEND=noninteractive bash -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends sudo' >/dev/null 2>&1
    inside bash -c 'useradd --create-home ada && echo "ada ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/ada &&
        rm -rf /srv/functiond/build && cp -r /srv/functiond /home/ada/functiond && chown -R ada: /home/ada'
    inside setpriv --reuid=ada --regid=ada --init-groups env HOME=/home/ada USER=ada \
        bash -c 'cd ~/functiond && time ./scripts/quickstart --once && { [[ $# == 0 ]] || ./scripts/test --only "$@"; }' \
        _ "${suites[@]}"
fi
echo "ok"
