#!/bin/bash
# The image, built and run without a container daemon: debootstrap makes the base, buildah the image, podman runs it. Each
# row below runs the main job in a container and checks which sandbox profile it reports. Needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

# name, user, system call filter (default: podman's, which lets user namespaces through; closed: as docker's, none),
# profiles that may be reported
runs='
ordinary-default   functiond  default  full|basic
ordinary-closed    functiond  closed   basic
root-default       0          default  full|container
root-closed        0          closed   container
'

skip() { echo "skipped: $*"; exit 77; }
[[ $(id -u) == 0 ]] || skip "containers are built and run as root here"
for tool in buildah podman crun debootstrap; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (.ci/run installs it)"
done

work=$PWD/build/container
mkdir -p "$work"
export CONTAINERS_CONF=$work/containers.conf
printf '[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = "cgroupfs"\nruntime = "crun"\nevents_logger = "file"\n' \
    >"$CONTAINERS_CONF"
storage=(--root "$work/storage" --runroot "$work/runroot" --storage-driver vfs)

# In a mount namespace of its own, without the second control group hierarchy that would confuse the runtime.
in_namespace() {
    unshare --mount sh -c 'mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified; exec "$@"' _ "$@"
}

make_base() {
    if [[ ! -f $work/base.tar ]]; then
        say "debootstrap"
        rm -rf "$work/base"
        debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; return 1; }
        rm -rf "$work"/base/var/cache/apt/archives/*.deb
        copy_trust "$work/base"
        tar -C "$work/base" -cf "$work/base.tar.new" . && mv "$work/base.tar.new" "$work/base.tar"
        rm -rf "$work/base"
    fi
    podman "${storage[@]}" image exists localhost/base:bookworm ||
        podman "${storage[@]}" import "$work/base.tar" localhost/base:bookworm >/dev/null
}

# The package sources and certificates of this host, so that the image can be built behind its mirror or proxy.
copy_trust() {
    cp -a /etc/apt/sources.list* "$1/etc/apt/" 2>/dev/null || true
    cp -a /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/" 2>/dev/null || true
    cp -L /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null || true
    mkdir -p "$1/etc/ssl/certs" && cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/" 2>/dev/null || true
}

make_image() {
    say "buildah"
    buildah "${storage[@]}" bud --pull-never --layers --isolation chroot --network host --format docker \
        --build-arg BASE=localhost/base:bookworm --build-arg BUILD_TOOLS= -t localhost/functiond -f Dockerfile . \
        >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; return 1; }
}

# start NAME USER FILTER WORD...: podman run in the foreground of a mount namespace.
container() {
    local name=$1 user=$2 filter=$3 options=(); shift 3
    [[ $filter == default ]] || options+=(--security-opt "seccomp=$PWD/tests/container/no-namespaces.json")
    in_namespace podman "${storage[@]}" run --rm --name "functiond-$$-$name" --network host --cgroups=disabled --read-only \
        --user "$user" --volume "$work/data-$name:/data" "${options[@]}" localhost/functiond "$@"
}

profile_in() { sed -nE 's/.*sandbox +sandbox ([a-z]+);.*/\1/p; s/.*sandbox (full|container|basic|none);.*/\1/p' "$1" | head -n 1; }

server=''
cleanup() { [[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true; }
trap cleanup EXIT

# one_run NAME USER FILTER PROFILES
one_run() {
    local name=$1 user=$2 filter=$3 profiles=$4 data=$work/data-$1 log=$work/$1.log port profile status=0
    rm -rf "$data"; install -d -o 10001 -g 10001 -m 0700 "$data"
    port=$(free_port)
    container "$name" "$user" "$filter" check --data /data >"$work/$name.check" 2>&1 || { cat "$work/$name.check"; return 1; }
    profile=$(profile_in "$work/$name.check")
    [[ $profile =~ ^($profiles)$ ]] || { cat "$work/$name.check"; echo "profile is \"$profile\", not $profiles"; return 1; }
    container "$name" "$user" "$filter" serve --listen "127.0.0.1:$port" --data /data >"$log" 2>&1 &
    server=$!
    /usr/bin/python3 -B tests/container/job.py "$port" "$data" "$profile" || status=1
    [[ $(profile_in "$log") == "$profile" ]] || { echo "serve reports \"$(profile_in "$log")\", check \"$profile\""; status=1; }
    in_namespace podman "${storage[@]}" exec "functiond-$$-$name" functiond healthcheck --listen "127.0.0.1:$port" ||
        { echo "healthcheck fails"; status=1; }
    in_namespace podman "${storage[@]}" kill --signal TERM "functiond-$$-$name" >/dev/null || status=1
    wait "$server" || { echo "the container ended with $?"; status=1; }
    server=''
    [[ $status == 0 ]] || tail -n 60 "$log"
    rm -rf "$data"
    echo "$( [[ $status == 0 ]] && echo ok || echo FAILED) $name: $profile"
    return $status
}

make_base
make_image
bad=0
while read -r name user filter profiles; do
    [[ -z $name ]] || one_run "$name" "$user" "$filter" "$profiles" </dev/null || bad=1
done <<<"$runs"
exit $bad
