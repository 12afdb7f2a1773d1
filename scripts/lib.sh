# Shared by the scripts: installing what is missing, and building. Sourced, not run.
# shellcheck shell=bash

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# What is needed, as rows: how to see that it is there (a command, or a file below /usr), and the Debian package.
build_needs='
gcc                               gcc
cmake                             cmake
ninja                             ninja-build
pkg-config                        pkg-config
file:include/stdio.h              libc6-dev
file:include/linux/landlock.h     linux-libc-dev
file:include/microhttpd.h         libmicrohttpd-dev
file:include/jansson.h            libjansson-dev
file:include/sqlite3.h            libsqlite3-dev
file:include/archive.h            libarchive-dev
file:include/seccomp.h            libseccomp-dev
file:include/sodium.h             libsodium-dev
file:include/sys/acl.h            libacl1-dev
'
run_needs='
curl                              curl
node                              nodejs
/usr/bin/python3                  python3
file:share/doc/python3-venv       python3-venv
file:share/ca-certificates        ca-certificates
'
test_needs='
file:include/cmocka.h             libcmocka-dev
clang                             clang
file:lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a libclang-rt-14-dev
clang-format                      clang-format
clang-tidy                        clang-tidy
cppcheck                          cppcheck
npm                               npm
setfacl                           acl
zip                               zip
sqlite3                           sqlite3
valgrind                          valgrind
ip                                iproute2
'

is_there() {
    case $1 in
        file:*) [[ -e /usr/${1#file:} ]] ;;
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
    local sign package missing=()
    while read -r sign package; do
        [[ -z $sign ]] || is_there "$sign" || missing+=("$package")
    done <<<"$*"
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null 2>&1 || die "missing: ${missing[*]} (this script installs them on Debian only)"
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
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
    [[ -f build/$preset/build.ninja ]] || cmake --preset "$preset" "$@" >&2
    cmake --build --preset "$preset" >&2
}

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
