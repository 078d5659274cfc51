#!/usr/bin/env bash
# Makes what nobody else may know, as files that only their owner can read: the master key, the password of
# PostgreSQL, the token for reading, the secret with which the sample is signed. A file that is there is kept, so it
# may be run again at any time.
#
#   deploy/secrets.sh [DIR]
#
# Without DIR they go to the folder `secrets` beside this script, and the file `.env` beside it tells compose as which
# user the containers can read them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-$here/secrets}
umask 077
mkdir -p "$dir"

make() {
    local file=$dir/$1
    [ ! -e "$file" ] || { printf 'kept  %s\n' "$file"; return; }
    "${@:2}" >"$file.draft"
    mv "$file.draft" "$file"
    printf 'made  %s\n' "$file"
}
signing() { printf 'whsec_%s\n' "$(openssl rand -base64 32)"; }

make master.key openssl rand -hex 32
make postgres.password openssl rand -hex 24
make read.token openssl rand -hex 24
make sample.secret signing

[ $# = 0 ] || exit 0
# The role audit writes here: the key of the closure log and the last checkpoint.
mkdir -p "$here/audit"
owner=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then
    # Containers are not to run as root: the user of the image gets the files.
    owner=10001:10001
    chown -R "$owner" "$dir" "$here/audit"
fi
echo "HOTLINE_USER=$owner" >"$here/.env"
