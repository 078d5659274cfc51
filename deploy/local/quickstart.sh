#!/usr/bin/env bash
# From a fresh Debian or Ubuntu machine with Rust to a bulletin: installs what is missing, builds,
# starts `hotline all` with a database of its own, sends the sample and prints its on-time and
# satisfaction rates. May be run again at any time.
#
#   deploy/local/quickstart.sh [--exit] [--data DIR]
#
#   --exit      stop after the bulletin; otherwise hotline stays up until Ctrl-C
#   --data DIR  where the database is kept (default: target/quickstart)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stay=yes
data=
usage() { sed -n '6,9s/^# \{0,3\}//p' "$0"; }
while [ $# -gt 0 ]; do
    case "$1" in
        --exit) stay=no ;;
        --data) data=${2:?--data needs a directory}; shift ;;
        --data=*) data=${1#--data=} ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'quickstart: there is no option %s\n' "$1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# As root PostgreSQL runs as another user, which must be able to reach the directory.
choose_data() {
    [ -n "$data" ] && return
    data=$PWD/target/quickstart
    [ "$(id -u)" = 0 ] || return 0
    local directory=$PWD
    while [ "$directory" != / ]; do
        case "$(stat -c %a "$directory")" in
            *[1357]) directory=$(dirname "$directory") ;;
            *)
                data=/var/tmp/hotline-quickstart
                say "$directory is closed to PostgreSQL's user; the database goes to $data"
                return
                ;;
        esac
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

wait_ready() {
    local deadline=$((SECONDS + 120))
    until curl -fsS -o /dev/null "http://$ops/readyz" 2>/dev/null; do
        kill -0 "$hotline_pid" 2>/dev/null || { tail -n 20 "$log" >&2; fail "hotline ended; its log is $log"; }
        [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 "$log" >&2; fail "hotline is not ready after 120 s; its log is $log"; }
        sleep 0.2
    done
}

stop() {
    [ -n "${hotline_pid:-}" ] || return 0
    kill -TERM "$hotline_pid" 2>/dev/null || true
    wait "$hotline_pid" 2>/dev/null || true
    hotline_pid=
}

deploy/local/install.sh
# A toolchain installed a moment ago may not be on the path of this shell yet.
command -v cargo >/dev/null || . "$HOME/.cargo/env"

say "building"
cargo build --release --locked --package hotline
hotline=${CARGO_TARGET_DIR:-target}/release/hotline

choose_data
mkdir -p "$(dirname "$data")"
gateway=127.0.0.1:$(free_port)
ops=127.0.0.1:$(free_port)
log=${CARGO_TARGET_DIR:-target}/quickstart.log
# The sample's configuration is these variables alone: no file lying about changes it.
config=$(mktemp)
trap 'stop; rm -f "$config"' EXIT
trap 'exit 130' INT TERM
export HOTLINE_CONFIG=$config HOTLINE__DATA__DIR=$data HOTLINE__RULEBOOK__DIR=deploy/rulebook
export HOTLINE__GATEWAY__LISTEN=$gateway HOTLINE__OPS__LISTEN=$ops

say "starting hotline, with its database in $data"
"$hotline" all 2>"$log" &
hotline_pid=$!
wait_ready

say "sending the sample"
"$hotline" send --to "http://$gateway" deploy/sample/events.ndjson

say "on time and satisfied, September and October 2026"
"$hotline" bulletin --rate on_time_closure.due,satisfaction.answered --by department \
    --period 2026-09-01..2026-11-01 --format table

[ "$stay" = yes ] || exit 0
say "hotline stays up until Ctrl-C
   log                    $log
   health, metrics        http://$ops/readyz  http://$ops/metrics
   a case with its clocks curl http://$gateway/v1/cases/12345:S0001
   rates                  curl 'http://$gateway/v1/rates?rate=signing&period=2026-09-01..2026-11-01'
   sending                $hotline send --to http://$gateway FILE
   commands on its data   export HOTLINE__DATA__DIR=$data; $hotline tallies check"
wait "$hotline_pid"
