#!/usr/bin/env bash
# Installs what the tests need, then runs all of them: formatting, lints, unit and property tests, tests on a
# private PostgreSQL, system tests of the release binary, and the acceptance checks where they are at hand.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "what the tests need"
bash deploy/local/install.sh

say "formatting"
cargo fmt --all --check

say "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

say "unit, property and database tests"
cargo test --workspace --exclude hotline-tests --locked

say "the release binary"
cargo build --release --locked -p hotline

say "house rules and system tests"
HOTLINE_BIN="$PWD/target/release/hotline" cargo test -p hotline-tests --locked

if [ -e ../shared/acceptance/check.py ]; then
  say "acceptance"
  python3 ../shared/acceptance/check.py all --hotline target/release/hotline --project .
else
  say "acceptance: no ../shared/acceptance here, left out"
fi
say "all passed"
