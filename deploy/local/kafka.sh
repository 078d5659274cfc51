#!/usr/bin/env bash
# A real Apache Kafka of one node on this machine, for trying, testing and measuring; not for a hotline's data.
# Several run side by side, each with its own --data and --port.
#
#   deploy/local/kafka.sh start|stop|status [--port N] [--data DIR] [--topic NAME] [--partitions N] [--fast-start]
#
#   --port N        where clients connect, on 127.0.0.1 (default: 9092; 0: any that is free)
#   --data DIR      log, data and process id (default: target/kafka)
#   --topic NAME    made with the first start (default: hotline.events); its records are stamped by the broker
#   --partitions N  of the topic (default: 6)
#   --fast-start    up a little sooner, slower afterwards: for tests, not for measuring
#
# `start` prints what tells hotline the address, and returns when the broker answers. Where a docker engine runs, the
# image apache/kafka is used; else Java 17 runs Kafka from Maven Central, kept in HOTLINE_KAFKA_HOME.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=4.3.1
command=
port=9092
data=
topic=hotline.events
partitions=6
fast=no
usage() { sed -n '5,11s/^# \{0,3\}//p' deploy/local/kafka.sh; }
say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'kafka: %s\n' "$*" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case "$1" in
        start | stop | status) command=$1 ;;
        --port) port=${2:?--port needs a number}; shift ;;
        --data) data=${2:?--data needs a directory}; shift ;;
        --topic) topic=${2:?--topic needs a name}; shift ;;
        --partitions) partitions=${2:?--partitions needs a number}; shift ;;
        --fast-start) fast=yes ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'kafka: there is no option %s\n' "$1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done
[ -n "$command" ] || { usage >&2; exit 64; }

target=${CARGO_TARGET_DIR:-$PWD/target}
data=${data:-$target/kafka}
mkdir -p "$data"
data=$(cd "$data" && pwd)
home=${HOTLINE_KAFKA_HOME:-$target/kafka-$version}
pid_file=$data/kafka.pid
log=$data/kafka.log
# One container for each directory.
container=hotline-kafka-$(printf '%s' "$data" | cksum | cut -d ' ' -f 1)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "\"$*\" needs root, and there is no sudo; run it as root, then start again"
    fi
}

has_engine() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }
is_contained() { [ -e "$data/container" ]; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The process of the pid file, if it is still the broker of this directory.
is_up() {
    if is_contained; then
        [ "$(docker inspect --format '{{.State.Running}}' "$container" 2>/dev/null)" = true ]
    else
        [ -s "$pid_file" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$pid_file")/cmdline" | grep -qF "$data/"
    fi
}

# A process that has not become the broker yet has another command line for a moment.
is_starting() { ! is_contained && [ "$SECONDS" -lt 5 ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; }

install_missing() {
    local missing=()
    command -v java >/dev/null || missing+=(default-jre-headless)
    [ -e "$home/complete" ] || command -v mvn >/dev/null || missing+=(maven)
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
    say "installing ${missing[*]}"
    as_root apt-get update >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install "${missing[@]}" >&2
}

fetch_kafka() {
    [ -e "$home/complete" ] && return
    say "fetching Apache Kafka $version"
    mkdir -p "$home"
    mvn --quiet --batch-mode --file deploy/local/kafka/pom.xml dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$home" >&2 || fail "Kafka could not be fetched from Maven Central"
    touch "$home/complete"
}

free_port() {
    local free
    while :; do
        free=$((20000 + RANDOM % 12000))
        answers "$free" || { echo "$free"; return; }
    done
}

# A broker and controller in one; a crash of the machine may lose what the disk has not got: nobody's only copy.
write_properties() {
    local controller
    controller=$(free_port)
    cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$data/logs
auto.create.topics.enable=false
num.partitions=$partitions
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
}

start_java() {
    install_missing
    fetch_kafka
    write_properties
    local options=(-Xmx512m -Xms128m -XX:+UseSerialGC -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
        -Dorg.slf4j.simpleLogger.showDateTime=true)
    [ "$fast" = no ] || options+=(-XX:TieredStopAtLevel=1 -Xshare:auto)
    if [ ! -e "$data/logs/meta.properties" ]; then
        java "${options[@]}" -cp "$home/*" kafka.tools.StorageTool format --cluster-id="$(new_id)" \
            --config "$data/server.properties" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "the data could not be formatted"; }
    fi
    # In a session of its own, so that Ctrl-C in the caller's terminal does not reach it.
    setsid java "${options[@]}" -cp "$home/*" kafka.Kafka "$data/server.properties" >>"$log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    SECONDS=0
}

# A cluster's id is 16 random bytes in base64url; it may begin with a dash.
new_id() { head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='; }

start_container() {
    touch "$data/container"
    docker rm --force "$container" >/dev/null 2>&1 || true
    # The image's user writes there; the log outlives the container.
    mkdir -p "$data/logs" && chmod 777 "$data/logs"
    [ -s "$data/cluster-id" ] || new_id >"$data/cluster-id"
    docker run --detach --name "$container" --network host --env KAFKA_HEAP_OPTS=-Xmx512m \
        --volume "$data/logs:/var/lib/kafka/data" --env KAFKA_LOG_DIRS=/var/lib/kafka/data --env CLUSTER_ID="$(cat "$data/cluster-id")" \
        --env KAFKA_NODE_ID=1 --env KAFKA_PROCESS_ROLES=broker,controller \
        --env KAFKA_LISTENERS="PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$1" \
        --env KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://127.0.0.1:$port" \
        --env KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
        --env KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
        --env KAFKA_CONTROLLER_QUORUM_VOTERS="1@127.0.0.1:$1" \
        --env KAFKA_AUTO_CREATE_TOPICS_ENABLE=false --env KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 \
        --env KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 --env KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 \
        --env KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0 "apache/kafka:$version" >"$log" || fail "the container does not start"
}

# Makes the topic: when that succeeds the broker answers requests. There already: as good.
make_topic() {
    local arguments=(--bootstrap-server "127.0.0.1:$port" --create --if-not-exists --topic "$topic"
        --partitions "$partitions" --replication-factor 1 --config message.timestamp.type=LogAppendTime)
    if is_contained; then
        docker exec "$container" /opt/kafka/bin/kafka-topics.sh "${arguments[@]}"
    else
        java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=off -cp "$home/*" \
            org.apache.kafka.tools.TopicCommand "${arguments[@]}"
    fi >>"$log" 2>&1
}

wait_up() {
    local deadline=$((SECONDS + 90))
    until answers "$port" && make_topic; do
        is_up || is_starting || { tail -n 20 "$log" >&2; fail "the broker ended; its log is $log"; }
        [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 "$log" >&2; fail "the broker does not answer after 90 s; its log is $log"; }
        sleep 0.2
    done
}

start() {
    if is_up; then
        local running
        running=$(cat "$data/port")
        [ "$running" = "$port" ] || say "it runs already, on port $running"
        port=$running
    else
        [ "$port" != 0 ] || port=$(free_port)
        ! answers "$port" || fail "something else listens on 127.0.0.1:$port; choose another --port"
        rm -f "$pid_file" "$data/container"
        echo "$port" >"$data/port"
        if has_engine; then start_container "$(free_port)"; else start_java; fi
    fi
    wait_up
    echo "export HOTLINE__KAFKA__BROKERS=127.0.0.1:$port"
}

stop() {
    is_up || { say "it does not run"; return 0; }
    if is_contained; then
        docker rm --force "$container" >/dev/null
        return
    fi
    local pid deadline=$((SECONDS + 30))
    pid=$(cat "$pid_file")
    kill -TERM "$pid"
    while is_up; do
        [ "$SECONDS" -lt "$deadline" ] || { say "it does not stop; killing it"; kill -KILL "$pid"; break; }
        sleep 0.1
    done
    rm -f "$pid_file"
}

status() {
    is_up || { say "it does not run (data in $data)"; exit 1; }
    say "it runs, data in $data, log $log"
    echo "export HOTLINE__KAFKA__BROKERS=127.0.0.1:$(cat "$data/port")"
}

"$command"
