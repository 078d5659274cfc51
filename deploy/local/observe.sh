#!/usr/bin/env bash
# Prometheus and Alertmanager, and Grafana where it is installed, beside roles that run on this machine; prints the
# addresses and stays until Ctrl-C.
#
#   deploy/local/observe.sh [--ops ADDRESS]... [--data DIR] [--ports PROMETHEUS,ALERTMANAGER,GRAFANA]
#   deploy/local/observe.sh tools
#
#   --ops ADDRESS  an ops server to look at, as often as there are processes (default: 127.0.0.1:9090)
#   --data DIR     where Prometheus keeps its data (default: target/observe)
#   --ports P,A,G  where they listen (default: 9490,9493,9430)
#   tools          only sees to it that Prometheus and Alertmanager are there, and prints their folder
#
# Without a Prometheus on the PATH Debian's packages are unpacked under target/observe: nothing is installed but
# Alertmanager's templates, and no service is started.
#
# Grafana reads the database as grafana_ro, which `hotline migrate --reader grafana_ro --reader-password-file FILE` makes; say
# where the database is with HOTLINE_POSTGRES_ADDRESS (host:port), HOTLINE_POSTGRES_DATABASE (default: hotline) and
# HOTLINE_POSTGRES_READER_PASSWORD. The private database of one binary listens only if it was started with
# HOTLINE__EMBEDDED__LISTEN_PORT=5433.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

data=$PWD/target/observe
ops=()
ports=9490,9493,9430
only_tools=no
usage() { sed -n '5,11s/^# \{0,3\}//p' "$0"; }
fail() { printf 'observe: %s\n' "$*" >&2; exit 1; }
say() { printf '\n== %s\n' "$*" >&2; }
while [ $# -gt 0 ]; do
    case "$1" in
        tools) only_tools=yes ;;
        --ops) ops+=("${2:?--ops needs an address}"); shift ;;
        --data) data=${2:?--data needs a directory}; shift ;;
        --ports) ports=${2:?--ports needs three ports}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'observe: there is no option %s\n' "$1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done
[ ${#ops[@]} -gt 0 ] || ops=(127.0.0.1:9090)
IFS=, read -r prometheus_port alertmanager_port grafana_port <<<"$ports"
[ -n "${grafana_port:-}" ] || fail "--ports takes three: Prometheus, Alertmanager, Grafana"

# The folder with prometheus, promtool and an Alertmanager.
tools() {
    local unpacked=$PWD/target/observe/tools/usr/bin
    if command -v prometheus >/dev/null && command -v promtool >/dev/null &&
        { command -v prometheus-alertmanager || command -v alertmanager; } >/dev/null; then
        dirname "$(command -v prometheus)"
        return
    fi
    if [ ! -x "$unpacked/prometheus-alertmanager" ]; then
        command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
            fail "install Prometheus and Alertmanager and put them on the PATH: https://prometheus.io/download"
        say "unpacking Prometheus and Alertmanager"
        local packages
        packages=$(mktemp -d)
        (cd "$packages" && apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager >&2) ||
            { [ "$(id -u)" = 0 ] && apt-get -qq update >&2 &&
                (cd "$packages" && apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager >&2); } ||
            fail "the packages prometheus and prometheus-alertmanager cannot be had: try apt-get update"
        mkdir -p target/observe/tools
        local package
        for package in "$packages"/*.deb; do dpkg-deb -x "$package" target/observe/tools; done
        rm -rf "$packages"
    fi
    # Debian's Alertmanager reads its templates from where the package would have put them.
    local templates=/usr/share/prometheus/alertmanager
    if [ ! -e "$templates/default.tmpl" ]; then
        local as_root=()
        [ "$(id -u)" = 0 ] || as_root=(sudo)
        "${as_root[@]}" install -D -m 644 -t "$templates" "target/observe/tools$templates"/*.tmpl ||
            fail "Alertmanager needs $templates: apt install prometheus-alertmanager"
    fi
    printf '%s\n' "$unpacked"
}

bin=$(tools)
if [ "$only_tools" = yes ]; then
    printf '%s\n' "$bin"
    exit
fi

mkdir -p "$data"
# The committed configuration with the addresses of this machine.
targets=$(printf ', %s' "${ops[@]}")
sed -e "s|rules/hotline.yml|$PWD/deploy/prometheus/rules/hotline.yml|" \
    -e "s|\[127.0.0.1:9090\]|[${targets#, }]|" \
    -e "s|127.0.0.1:9093|127.0.0.1:$alertmanager_port|" deploy/prometheus/prometheus.yml >"$data/prometheus.yml"
alertmanager=$bin/prometheus-alertmanager
[ -x "$alertmanager" ] || alertmanager=$bin/alertmanager

pids=()
stop() {
    trap - EXIT
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
}
trap stop EXIT
trap 'exit 130' INT TERM
"$bin/prometheus" --config.file="$data/prometheus.yml" --storage.tsdb.path="$data/prometheus" \
    --web.listen-address=127.0.0.1:$prometheus_port --log.level=warn &
pids+=($!)
"$alertmanager" --config.file=deploy/alertmanager/alertmanager.yml --storage.path="$data/alertmanager" \
    --web.listen-address=127.0.0.1:$alertmanager_port --cluster.listen-address= --log.level=warn &
pids+=($!)
say "looking at    ${ops[*]}"
say "Prometheus    http://127.0.0.1:$prometheus_port"
say "Alertmanager  http://127.0.0.1:$alertmanager_port (put your receivers into deploy/alertmanager/alertmanager.yml; as it stands nobody is called)"
if grafana=$(command -v grafana-server || command -v grafana); then
    mkdir -p "$data/provisioning/dashboards"
    cp -r deploy/grafana/provisioning/. "$data/provisioning/"
    sed -i "s|/etc/hotline/grafana|$PWD/deploy/grafana|" "$data/provisioning/dashboards/hotline.yaml"
    run=("$grafana")
    [ "$(basename "$grafana")" = grafana ] && run+=(server)
    export HOTLINE_POSTGRES_ADDRESS=${HOTLINE_POSTGRES_ADDRESS:-127.0.0.1:5433}
    export HOTLINE_POSTGRES_DATABASE=${HOTLINE_POSTGRES_DATABASE:-hotline}
    [ -n "${HOTLINE_POSTGRES_READER_PASSWORD:-}" ] ||
        say "HOTLINE_POSTGRES_READER_PASSWORD is not set: boards that ask the database will stay empty"
    HOTLINE_PROMETHEUS_URL=http://127.0.0.1:$prometheus_port HOTLINE_ALERTMANAGER_URL=http://127.0.0.1:$alertmanager_port \
        HOTLINE_POSTGRES_SSLMODE=${HOTLINE_POSTGRES_SSLMODE:-disable} \
        GF_PATHS_PROVISIONING=$data/provisioning GF_PATHS_DATA=$data/grafana GF_SERVER_HTTP_ADDR=127.0.0.1 \
        GF_SERVER_HTTP_PORT=$grafana_port "${run[@]}" --homepath "${GRAFANA_HOME:-/usr/share/grafana}" &
    pids+=($!)
    say "Grafana       http://127.0.0.1:$grafana_port"
else
    say "no Grafana here: install it (https://grafana.com/grafana/download) and start this again"
fi
wait -n
fail "something ended by itself: see above"
