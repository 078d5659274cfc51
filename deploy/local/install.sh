#!/usr/bin/env bash
# Installs what building and running Hotline need on Debian or Ubuntu, and only what is missing: a C compiler,
# PostgreSQL 15 or newer without its default cluster, Python for the acceptance checks.
set -euo pipefail

if ! command -v cargo >/dev/null; then
  echo "Rust is missing: install it from https://rustup.rs and run this again." >&2
  exit 69
fi

postgres_found() {
  command -v postgres >/dev/null && return 0
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v make >/dev/null || missing+=(make)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v python3 >/dev/null || missing+=(python3)
postgres_found || missing+=(postgresql)

if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "Please install: ${missing[*]} (PostgreSQL 15 or newer); this script knows apt only." >&2
  exit 69
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
if ! postgres_found; then
  # The packaged default cluster is not wanted: Hotline runs a private one.
  "${as_root[@]}" apt-get install -y -qq postgresql-common
  "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
  echo "create_main_cluster = false" |
    "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/hotline.conf >/dev/null
fi
"${as_root[@]}" apt-get install -y -qq "${missing[@]}"
