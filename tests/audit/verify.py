#!/usr/bin/env python3
"""Looks at one record and its .tlog-proof with the Merkle code of sigstore and the signatures of cryptography.

    verify.py VKEY RECORD PROOF

It shares no code with Hotline; requirements.txt names the libraries.
"""
from __future__ import annotations

import base64
import hashlib
import pathlib
import sys
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError


def verify(vkey: str, record: bytes, proof: str) -> None:
    head, note = proof.split("\n\n", 1)
    form, index, *hashes = head.split("\n")
    if form != "c2sp.org/tlog-proof@v1" or not index.startswith("index "):
        raise ValueError("no tlog-proof")
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    name, key_id, key = vkey.strip().split("+", 2)
    tagged = base64.b64decode(key, validate=True)
    if hashlib.sha256(name.encode() + b"\n" + tagged).digest()[:4].hex() != key_id or tagged[0] != 1:
        raise ValueError("no verifier key of a log")
    signed = [line.split(" ") for line in signatures.splitlines()]
    ours = [base64.b64decode(words[2], validate=True) for words in signed if words[0] == "—" and words[1] == name]
    ours = [signature[4:] for signature in ours if signature[:4].hex() == key_id]
    if len(ours) != 1:
        raise ValueError("not signed by this key")
    Ed25519PublicKey.from_public_bytes(tagged[1:]).verify(ours[0], text.encode())
    origin, size, root = text.split("\n")[:3]
    if origin != name:
        raise ValueError("of another log")
    inclusion = SimpleNamespace(log_index=int(index[6:]), tree_size=int(size),
                                hashes=[base64.b64decode(it, validate=True) for it in hashes],
                                root_hash=base64.b64decode(root, validate=True))
    verify_merkle_inclusion(SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=inclusion, canonicalized_body=record)))


def main() -> None:
    vkey, record, proof = sys.argv[1:]
    try:
        verify(vkey, pathlib.Path(record).read_bytes(), pathlib.Path(proof).read_bytes().decode())
    except (ValueError, IndexError, InvalidSignature, VerificationError) as error:
        raise SystemExit(f"refused: {type(error).__name__} {error}") from None
    print("verified")


if __name__ == "__main__":
    main()
