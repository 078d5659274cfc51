#!/usr/bin/env bash
# Installs what the tests need, then runs all of them: formatting, lints, unit and property tests, tests on a private
# PostgreSQL (a simulation of ten thousand sequences among them), on a real Kafka, system tests of the release binary,
# a comparison with an independent oracle, boards and alerts on a real Prometheus, the closure log beside the programs of
# others, the pages for auditors in a real Chromium, a minute of chaos, and the acceptance checks where they are at hand. Without a Kafka the tests that need one are
# left out, loudly; in continuous integration that is a failure.
#
#   tests/run.sh [observe|audit]
#
#   observe   only what concerns boards, lists and alerts
#   audit     only what concerns the closure log and the pages for auditors
set -euo pipefail
cd "$(dirname "$0")/.."

# With the minutes since the beginning.
say() { printf '\n== %3d min: %s\n' $((SECONDS / 60)) "$*"; }

# What supervisors see: the lists and rates of the views of record beside an independent script and replay, whether the
# rules' tests notice a changed rule, then every panel, query, rule and alert on real roles.
observe() {
  say "lists and rates that boards read, and an independent script"
  python3 tests/observe/worklists.py run --seed 1
  say "tests of the rules, and rules that are not quite right"
  python3 tests/observe/mutants.py --sample "${HOTLINE_MUTANTS:-40}"
  say "boards and alerts on a real Prometheus and Alertmanager"
  python3 tests/observe/observe.py
}

# The closure log: programs that are not ours look at fresh proofs, sealers that are killed; and the pages for auditors.
audit() {
  say "proofs, and the programs of others"
  python3 tests/audit/outsiders.py
  say "sealers that are killed"
  python3 tests/audit/kills.py --kills "${HOTLINE_KILLS:-50}"
  say "pages for auditors in a real Chromium"
  python3 tests/audit/pages.py
}

say "what the tests need"
bash deploy/local/install.sh --tests

case "${1:-all}" in
  all) ;;
  observe)
    cargo build --release --locked -p hotline
    observe
    say "all passed"
    exit ;;
  audit)
    cargo build --release --locked -p hotline
    say "ten thousand random alterations of the closure log"
    HOTLINE_ALTERATIONS=${HOTLINE_ALTERATIONS:-10000} cargo test -p hotline-audit --locked alterations
    audit
    say "all passed"
    exit ;;
  *) sed -n '8,11s/^# \{0,3\}//p' "$0" >&2; exit 64 ;;
esac

say "formatting"
cargo fmt --all --check

say "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

say "a real Kafka"
kafka_data=$(mktemp -d)
stop_kafka() { bash deploy/local/kafka.sh stop --data "$kafka_data" >/dev/null 2>&1 || true; rm -rf "$kafka_data"; }
trap stop_kafka EXIT
if started=$(bash deploy/local/kafka.sh start --fast-start --data "$kafka_data" --port 0); then
  eval "$started"
  export HOTLINE_TEST_KAFKA=$HOTLINE__KAFKA__BROKERS
  # Where its records lie: persons are looked for in them.
  export HOTLINE_TEST_KAFKA_DATA=$kafka_data
  # Tests name their broker themselves.
  unset HOTLINE__KAFKA__BROKERS
elif [ -n "${CI:-}" ]; then
  echo "no Kafka could be started, and continuous integration needs one" >&2
  exit 1
else
  printf '\n!! NO KAFKA: the tests of everything over a broker are LEFT OUT !!\n\n' >&2
fi

say "unit, property and database tests, ten thousand simulated sequences, ten thousand alterations of the closure log"
HOTLINE_SIMULATIONS=${HOTLINE_SIMULATIONS:-10000} HOTLINE_ALTERATIONS=${HOTLINE_ALTERATIONS:-10000} cargo test --workspace --exclude hotline-tests --locked

say "the release binary"
cargo build --release --locked -p hotline

say "deployment files"
for file in deploy/compose.toml deploy/kubernetes/*/hotline.toml deploy/kubernetes/*/*/hotline.toml; do
  target/release/hotline config check --config "$file" >/dev/null || { echo "$file has faults" >&2; exit 1; }
done
if command -v kubectl >/dev/null; then
  for dir in deploy/kubernetes/base deploy/kubernetes/overlays/*; do kubectl kustomize "$dir" >/dev/null; done
else
  echo "no kubectl here: the kustomizations are LEFT OUT" >&2
fi

say "house rules and system tests"
# Of the whole workspace, as above: for one package alone cargo would build what it needs again, with fewer features.
HOTLINE_BIN="$PWD/target/release/hotline" cargo test --workspace --locked --test tidy --test system

say "replay and the oracle over made-up cases and rulebooks"
python3 tests/chaos/agree.py --seed "${HOTLINE_AGREE_SEED:-1}" --rounds 15

say "alarms in simulated time and the oracle: some days of the demo's year, and made-up ladders"
python3 tests/chaos/year.py --from 2023-09-20 --days 21 --share 0.12 --step 60 --made-up 3 --cases 60

observe

audit

if [ -n "${HOTLINE_TEST_KAFKA:-}" ]; then
  say "a minute of chaos"
  # The broker of the tests above makes room for another.
  stop_kafka
  python3 tests/chaos/chaos.py --seed "${HOTLINE_CHAOS_SEED:-1}" --seconds 60
fi

if [ -e ../shared/acceptance/check.py ]; then
  say "acceptance"
  python3 ../shared/acceptance/check.py all --hotline target/release/hotline --project .
else
  say "acceptance: no ../shared/acceptance here, left out"
fi
say "all passed"
