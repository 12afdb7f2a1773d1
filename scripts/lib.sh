# Shared by the scripts: installing what is missing, and building. Sourced, not run.
# shellcheck shell=bash

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# What is needed, as rows: how to see that it is there, and the Debian package. A sign is a command, or file:PATTERN
# (below /usr), or pc:NAME (pkg-config knows it).
build_needs='
gcc                               gcc
cmake                             cmake
ninja                             ninja-build
pkg-config                        pkg-config
file:include/stdio.h              libc6-dev
file:include/linux/landlock.h     linux-libc-dev
pc:libmicrohttpd                  libmicrohttpd-dev
pc:jansson                        libjansson-dev
pc:sqlite3                        libsqlite3-dev
pc:libarchive                     libarchive-dev
pc:libcurl                        libcurl4-openssl-dev
pc:libseccomp                     libseccomp-dev
pc:libsodium                      libsodium-dev
pc:libacl                         libacl1-dev
pc:libmaxminddb                   libmaxminddb-dev
pc:icu-i18n                       libicu-dev
file:lib/python3/dist-packages/phonenumbers/data/__init__.py python3-phonenumbers
'
run_needs='
curl                              curl
node                              nodejs
/usr/bin/python3                  python3
file:lib/python3.*/ensurepip      python3-venv
file:sbin/update-ca-certificates  ca-certificates
file:sbin/nft                     nftables
'
test_needs='
pc:cmocka                         libcmocka-dev
clang                             clang
file:lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a libclang-rt-dev
clang-format                      clang-format
clang-tidy                        clang-tidy
cppcheck                          cppcheck
git                               git
npm                               npm
setfacl                           acl
setpriv                           util-linux
ps                                procps
zip                               zip
ip                                iproute2
'
long_needs='
chromium                          chromium
'
container_needs='
buildah                           buildah
podman                            podman
crun                              crun
file:sbin/debootstrap             debootstrap
'

is_there() {
    case $1 in
        file:*) compgen -G "/usr/${1#file:}" >/dev/null ;;
        pc:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#pc:}" ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# as_root COMMAND...: directly when root, else by sudo.
as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; return; fi
    command -v sudo >/dev/null 2>&1 || die "this needs root once, to run: $* (install sudo, or run it as root)"
    sudo "$@"
}

# install_missing ROWS...: apt-get for the packages whose sign is absent. Does nothing, quickly, when all is there.
install_missing() {
    local rows sign package missing=()
    for rows in "$@"; do
        while read -r sign package; do
            [[ -z $sign ]] || is_there "$sign" || missing+=("$package")
        done <<<"$rows"
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null 2>&1 || die "missing: ${missing[*]} (this script installs them on Debian only)"
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The account the api drops to when the daemon is started as root.
ensure_account() {
    [[ $(id -u) == 0 ]] || return 0
    getent passwd functiond >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin functiond
}

# build PRESET [CMAKE OPTION]...: configures once, then builds what changed.
build() {
    local preset=$1; shift
    cmake --preset "$preset" "$@" >&2
    cmake --build --preset "$preset" >&2
}

# build_release: the program alone, as users get it; the sanitized builds have the tests. Warnings are errors where the
# tests run (CI=true), so that a newer compiler never breaks a user's build.
build_release() { build release -DTESTS=OFF -DWERROR="$([[ -n ${CI:-} ]] && echo ON || echo OFF)"; }

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
