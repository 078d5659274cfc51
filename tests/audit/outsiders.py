#!/usr/bin/env python3
"""Do programs that are not ours accept a fresh proof, and refuse it with one byte changed?

    tests/audit/outsiders.py [--keep DIR]

Seals records in a log of its own, exports a bundle, and has every proof looked at by Go's x/mod (tests/audit/go), by sigstore's
Merkle code with cryptography (tests/audit/verify.py in an environment of its own under target/audit), and the signature by
openssl (tests/audit/openssl.sh), beside `hotline audit verify`. Then single bytes of record and proof are changed: each program
must refuse each. openssl looks at the signature alone, and is asked where the signed text or the signature was changed.
"""
from __future__ import annotations

import argparse
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from log import ROOT, Log, say

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = ROOT / "target" / "audit"
RECORDS = 700
CHANGES = 24


def build_go() -> pathlib.Path:
    if not shutil.which("go"):
        raise SystemExit("audit: there is no go: deploy/local/install.sh --tests installs it (golang-go)")
    out = TOOLS / "verify-go"
    done = subprocess.run(["go", "build", "-o", str(out), "."], cwd=HERE / "go", capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("audit: tests/audit/go cannot be built; it needs golang.org/x/mod as go.sum pins it, from the network, "
                         f"a proxy of Go modules, or the module cache:\n{done.stderr}")
    return out


def build_python() -> pathlib.Path:
    python = TOOLS / "venv" / "bin" / "python"
    pins = HERE / "requirements.txt"
    stamp = TOOLS / "venv" / "pins"
    if not stamp.is_file() or stamp.read_text() != pins.read_text():
        steps = [[sys.executable, "-m", "venv", "--clear", str(TOOLS / "venv")],
                 [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(pins)]]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit("audit: the Python packages of tests/audit/requirements.txt cannot be installed; they need PyPI "
                                 f"or a mirror of it:\n{done.stderr}")
        stamp.write_text(pins.read_text())
    return python


class Outsiders:
    def __init__(self, hotline: str, key: str, folder: pathlib.Path) -> None:
        go, python = str(build_go()), str(build_python())
        vkey = folder / "log.vkey"
        vkey.write_text(key + "\n")
        self.key = key
        self.programs = {
            "go": lambda record, proof: [go, key, record, proof],
            "python": lambda record, proof: [python, str(HERE / "verify.py"), key, record, proof],
            "openssl": lambda _, proof: [str(HERE / "openssl.sh"), key, proof],
            "hotline": lambda record, proof: [hotline, "audit", "verify", "--key", str(vkey), record, proof],
        }

    def accepts(self, program: str, record: pathlib.Path, proof: pathlib.Path) -> bool:
        done = subprocess.run(self.programs[program](str(record), str(proof)), capture_output=True, text=True, timeout=60)
        if done.returncode not in (0, 1):
            raise SystemExit(f"audit: {program} ended with {done.returncode}: {done.stderr}")
        return done.returncode == 0


def places(proof: bytes) -> tuple[list[int], list[int]]:
    """Where a byte of a proof says something, and which of these openssl looks at: the signed text and the signature.

    Lines of witnesses say nothing to whoever asks for the log's signature. Nor do some bits of the last digit before the
    padding: Go and others pass over them.
    """
    text = proof.index(b"\n\n") + 2
    lines = proof.index(b"\n\n", text) + 2
    end = proof.index(b"\n", lines) + 1
    # A dash, the name, then base64 of four bytes of the key's id and the signature.
    signature = proof.index(b" ", lines + len("— ".encode())) + 1
    speaks = [place for place in range(end) if proof[place + 1:place + 2] != b"="]
    return speaks, [place for place in speaks if text <= place < lines - 1 or signature + 6 <= place < end - 2]


def look(bundle: pathlib.Path, outsiders: Outsiders) -> list[str]:
    faults = []
    records = sorted((bundle / "records").glob("*.record"))
    picked = [records[0], records[255], records[256], records[-1]]
    for record in picked:
        proof = record.with_suffix(".tlog-proof")
        faults += [f"{program} refuses {record.name}" for program in outsiders.programs
                   if not outsiders.accepts(program, record, proof)]
    record, proof = picked[1], picked[1].with_suffix(".tlog-proof")
    changed_record, changed_proof = bundle.parent / "changed.record", bundle.parent / "changed.tlog-proof"
    random.seed(1)
    speaks, openssls = places(proof.read_bytes())
    every_record = list(range(len(record.read_bytes())))
    changes = [("record", random.choice(every_record)) for _ in range(CHANGES // 3)]
    changes += [("proof", random.choice(speaks)) for _ in range(CHANGES // 3)]
    changes += [("proof", random.choice(openssls)) for _ in range(CHANGES // 3)]
    for kind, place in changes:
        data = {"record": bytearray(record.read_bytes()), "proof": bytearray(proof.read_bytes())}
        data[kind][place] ^= 1
        changed_record.write_bytes(data["record"])
        changed_proof.write_bytes(data["proof"])
        for program in outsiders.programs:
            looks = program != "openssl" or kind == "proof" and place in openssls
            if looks and outsiders.accepts(program, changed_record, changed_proof):
                faults.append(f"{program} accepts a {kind} with byte {place} changed")
    return faults


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keep", type=pathlib.Path, help="keep the bundle here")
    keep = arguments.parse_args().keep
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hotline-audit-") as folder:
        log = Log(pathlib.Path(folder))
        try:
            log.set(RECORDS)
            bundle = pathlib.Path(folder) / "bundle"
            log.command("audit", "export-bundle", "--since", "2000-01-01T00:00:00Z", str(bundle))
            vkeys = ["--key", log.key, "--witness", log.witness_key]
            log.run("audit", "verify", *vkeys, str(bundle))
            mirror = pathlib.Path(folder) / "mirror"
            log.command("audit", "mirror", "--database", str(mirror))
            log.run("audit", "verify", *vkeys, str(mirror))
            faults = look(bundle, Outsiders(log.binary, log.key, pathlib.Path(folder)))
            if keep:
                shutil.copytree(bundle, keep, dirs_exist_ok=True)
        finally:
            log.strike()
    for fault in faults:
        say(fault)
    say(f"four programs, {RECORDS} records, {CHANGES} bytes changed: {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
