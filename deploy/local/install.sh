#!/usr/bin/env bash
# Installs what building, running and testing Hotline need on Debian or Ubuntu, and only what is missing: a C
# compiler, OpenSSL headers, PostgreSQL 15 or newer without its default cluster, curl, Python. Rust is asked for.
#
#   deploy/local/install.sh [--tests]
#
#   --tests   also npm, with which boards are held against Grafana's types, Go and Python's venv, with which proofs of the
#             closure log are looked at, and Chromium with its driver and a font, with which pages are
set -euo pipefail

tests=no
[ "${1:-}" != --tests ] || tests=yes

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "\"$*\" needs root, and there is no sudo; run it as root, then start again"
    fi
}

has_postgres() {
    local bin version
    for bin in ${PATH//:/ } "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] && [ -x "$bin/postgres" ] || continue
        version=$("$bin/postgres" --version | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
        [ "${version:-0}" -ge 15 ] && return 0
    done
    return 1
}

install_missing() {
    local missing=()
    # librdkafka and others are built from source.
    { command -v cc && command -v c++ && command -v make; } >/dev/null || missing+=(build-essential)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    command -v curl >/dev/null || missing+=(curl)
    command -v git >/dev/null || missing+=(git)
    command -v python3 >/dev/null || missing+=(python3)
    [ -e /usr/share/zoneinfo/Asia/Shanghai ] || missing+=(tzdata)
    [ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
    has_postgres || missing+=(postgresql)
    if [ "$tests" = yes ]; then
        command -v npm >/dev/null || missing+=(npm)
        command -v go >/dev/null || missing+=(golang-go)
        command -v openssl >/dev/null || missing+=(openssl)
        python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
        command -v chromium >/dev/null || missing+=(chromium)
        command -v chromedriver >/dev/null || missing+=(chromium-driver)
        # Without a font for Chinese its signs are boxes.
        ls /usr/share/fonts/opentype/noto/NotoSansCJK-*.ttc >/dev/null 2>&1 || missing+=(fonts-noto-cjk)
    fi
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || fail "please install: ${missing[*]} (PostgreSQL 15 or newer)"
    say "installing ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends)
    as_root apt-get update
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        # Only the programs are wanted: without this Debian makes and starts a cluster of its own.
        as_root "${apt[@]}" install postgresql-common
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' |
            as_root tee /etc/postgresql-common/createcluster.d/hotline.conf >/dev/null
    fi
    as_root "${apt[@]}" install "${missing[@]}"
    has_postgres || fail "this release has no PostgreSQL 15 or newer; see https://wiki.postgresql.org/wiki/Apt"
}

install_missing
if ! command -v cargo >/dev/null && [ ! -r "$HOME/.cargo/env" ]; then
    fail "Rust is missing; get it with: curl https://sh.rustup.rs -sSf | sh"
fi
