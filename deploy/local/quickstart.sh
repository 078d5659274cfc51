#!/usr/bin/env bash
# From a fresh Debian or Ubuntu machine with Rust to the figures of a year: installs what is missing, builds, and
# runs `hotline demo`, which sends a made-up year through the real roles and a database of its own and prints the
# bulletin beside the figures of a report. May be run again at any time.
#
#   deploy/local/quickstart.sh [--exit] [--kafka] [--data DIR]
#
#   --exit      stop after the table; otherwise hotline stays up until Ctrl-C
#   --kafka     send through a Kafka of one node, with two processes of casework: the same table comes out
#   --data DIR  where the database is kept (default: target/quickstart)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

options=()
kafka=no
data=
usage() { sed -n '6,10s/^# \{0,3\}//p' "$0"; }
while [ $# -gt 0 ]; do
    case "$1" in
        --exit) options+=(--exit) ;;
        --kafka) options+=(--kafka); kafka=yes ;;
        --data) data=${2:?--data needs a directory}; shift ;;
        --data=*) data=${1#--data=} ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'quickstart: there is no option %s\n' "$1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done

say() { printf '\n== %s\n' "$*" >&2; }

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

deploy/local/install.sh
# A toolchain installed a moment ago may not be on the path of this shell yet.
command -v cargo >/dev/null || . "$HOME/.cargo/env"

say "building"
cargo build --release --locked --package hotline

choose_data
mkdir -p "$(dirname "$data")"
say "a year through the roles, with its database in $data"
# No configuration lying about changes what is shown.
export HOTLINE_CONFIG=/dev/null
hotline=${CARGO_TARGET_DIR:-target}/release/hotline
if [ "$kafka" = no ]; then
    exec "$hotline" demo --data "$data" "${options[@]}"
fi

# Database and topic belong together: positions of one are offsets of the other.
broker=$data.kafka
trap 'deploy/local/kafka.sh stop --data "$broker"' EXIT
eval "$(deploy/local/kafka.sh start --data "$broker" --port 0)"
"$hotline" demo --data "$data" "${options[@]}"
