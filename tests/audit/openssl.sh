#!/usr/bin/env bash
# Looks at the signature of a checkpoint with openssl alone; what it says of the tree is for the other programs.
#
#   openssl.sh VKEY NOTE      NOTE: a checkpoint, or a .tlog-proof
set -euo pipefail
[ $# = 2 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 64; }
vkey=$1 note=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A verifier key is name+id+base64(1, 32 bytes); before such 32 bytes openssl wants to read what they are.
name=${vkey%%+*}
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; printf '%s' "${vkey#*+*+}" | base64 -d | tail -c +2; } >"$work/key.der"

# The note begins after the first empty line of a proof, and its text ends before the last empty line.
if [ "$(head -n1 "$note")" = c2sp.org/tlog-proof@v1 ]; then sed '1,/^$/d' "$note"; else cat "$note"; fi >"$work/note"
sed '/^$/,$d' "$work/note" >"$work/text"
[ "$(head -n1 "$work/text")" = "$name" ] || { echo "refused: of another log" >&2; exit 1; }

# A signature line is a dash, the name, and base64(4 bytes of the key's id, 64 bytes).
line=$(sed '1,/^$/d' "$work/note" | awk -v name="$name" '$2 == name { print $3; exit }')
printf '%s' "$line" | base64 -d 2>/dev/null | tail -c +5 >"$work/signature" || { echo "refused: no signature" >&2; exit 1; }
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/text" -sigfile "$work/signature" >/dev/null 2>&1 ||
  { echo "refused: the signature does not hold" >&2; exit 1; }
echo verified
