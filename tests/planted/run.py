#!/usr/bin/env python3
"""Do the tests catch bugs? Each of a list is planted in a copy of the project, and some test must fail.

    tests/planted/run.py [--only ID[,ID]] [--list] [--target DIR] [--without-plain]

The list is tests/planted/bugs.toml. The checkout is copied as it stands, changes that nobody has committed included, and
never touched. First the tests of each package must pass without a bug; then bug by bug: plant it, build, run the tests that
the list names, put back what stood there. A bug is

    caught            a test failed
    ESCAPED           all of them passed
    does not compile  nothing is shown: the list is out of date
    no test ran       the list names none that is there
    died              the tests ended otherwise than by a failed one
    no answer         the time was up

Prints a line for each bug and one JSON object last; exit 1 unless all were caught.
Needs what `cargo test` needs: the toolchain, PostgreSQL's programs, a user named postgres where root runs it. With
`--target target` the libraries that were built for the checkout are used again.
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).resolve().with_name("bugs.toml")
# For a bug, building included.
BUG_SECONDS = 600
# For the tests of a package without a bug: the first time everything is built.
PLAIN_SECONDS = 3600
SETTINGS = {
    "HOTLINE_SIMULATIONS": "300",
    "CARGO_TERM_COLOR": "never",
    # What fails here is meant to fail: nothing of it is kept beside the sources.
    "INSTA_UPDATE": "no",
    "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1",
}
# What would make the runs of two people differ.
LEFT_OUT = ("HOTLINE_SIMULATION", "HOTLINE_SIMULATIONS_FROM", "HOTLINE_TEST_KAFKA")


def say(text: str) -> None:
    print(f"planted: {text}", file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Bug:
    """What is broken, where, and who should notice."""

    id: str
    says: str
    file: str
    package: str
    test: str
    old: str
    new: str

    def fault(self) -> str | None:
        """Why it cannot be planted."""
        path = ROOT / self.file
        found = path.read_text(encoding="utf-8").count(self.old) if path.is_file() else 0
        if found != 1:
            return f"{self.id}: what it breaks stands {found} times in {self.file}"
        return f"{self.id} breaks nothing" if self.old == self.new else None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a bug."""

    bug: Bug
    status: str
    seconds: float
    test: str | None = None

    def line(self) -> str:
        return f"{self.status:16} {self.seconds:5.0f} s  {self.bug.id:32} {self.test or ''}".rstrip()

    def shown(self) -> dict[str, object]:
        return {"id": self.bug.id, "package": self.bug.package, "status": self.status, "seconds": round(self.seconds, 1),
                "test": self.test}


def load() -> list[Bug]:
    """The list, if all of it can be planted."""
    with LIST.open("rb") as file:
        bugs = [Bug(**bug) for bug in tomllib.load(file)["bug"]]
    faults = [fault for bug in bugs if (fault := bug.fault())]
    ids = [bug.id for bug in bugs]
    faults += [f"{name} stands twice in the list" for name in sorted(set(ids)) if ids.count(name) > 1]
    if faults:
        raise SystemExit("\n".join(f"planted: {fault}" for fault in faults))
    return bugs


def chosen(bugs: list[Bug], only: str | None) -> list[Bug]:
    """Those asked for, package by package: so the least is built anew between two of them."""
    wanted = only.split(",") if only else [bug.id for bug in bugs]
    if unknown := set(wanted) - {bug.id for bug in bugs}:
        raise SystemExit(f"planted: no bug is called {', '.join(sorted(unknown))}; see --list")
    packages = list(dict.fromkeys(bug.package for bug in bugs))
    return sorted((bug for bug in bugs if bug.id in wanted), key=lambda bug: packages.index(bug.package))


class Copy:
    """A copy of the project, and the folder in which it is built."""

    def __init__(self, target: pathlib.Path) -> None:
        self.target, self.root = target, target / "planted"

    def update(self) -> None:
        """Makes it what the checkout is now. What is the same keeps its time, so that it is not built again."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                capture_output=True, check=True).stdout.decode()
        names = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
        for name in sorted(names):
            self._take(name)
        for path in [path for path in self.root.rglob("*") if path.is_file()]:
            if str(path.relative_to(self.root)) not in names:
                path.unlink()

    def _take(self, name: str) -> None:
        ours, theirs = self.root / name, ROOT / name
        if not ours.is_file() or ours.read_bytes() != theirs.read_bytes():
            ours.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(theirs, ours)
        shutil.copymode(theirs, ours)

    @contextlib.contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        """With the bug in it, and afterwards without."""
        path = self.root / bug.file
        sound = path.read_bytes()
        path.write_bytes(sound.replace(bug.old.encode(), bug.new.encode()))
        try:
            yield
        finally:
            path.write_bytes(sound)

    def cargo_test(self, package: str, more: list[str], seconds: float) -> tuple[int | None, str]:
        """Exit code and output; no code if the time was up."""
        env = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
        env |= {**SETTINGS, "CARGO_TARGET_DIR": str(self.target)}
        command = ["cargo", "test", "--package", package, "--tests", "--locked", *more]
        process = subprocess.Popen(command, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=max(seconds, 1))
            return process.returncode, output
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                # Its own session: cargo, the compiler and the tests.
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def tests_run(output: str) -> int:
    return sum(int(count) for count in re.findall(r"^running (\d+) tests?$", output, re.MULTILINE))


def first_failed(output: str) -> str | None:
    """The name of the first test that failed."""
    found = re.search(r"^test (\S+).* FAILED$", output, re.MULTILINE) or re.search(r"^---- (\S+) stdout ----$", output,
                                                                                  re.MULTILINE)
    return found.group(1) if found else None


def judge(code: int | None, output: str) -> tuple[str, str | None]:
    """From what tests came to: the status of their bug, and who caught it."""
    if code is None:
        return "no answer", None
    if failed := first_failed(output):
        return "caught", failed
    if code:
        return "died", None
    return ("ESCAPED" if tests_run(output) else "no test ran"), None


def plant(copy: Copy, bug: Bug) -> Outcome:
    began_at = time.monotonic()
    deadline = began_at + BUG_SECONDS
    with copy.planted(bug):
        code, output = copy.cargo_test(bug.package, ["--no-run"], BUG_SECONDS)
        if code:
            status, test = "does not compile", None
            say("\n".join(line for line in output.splitlines() if line.lstrip().startswith(("error", "-->"))))
        elif code is None:
            status, test = "no answer", None
        else:
            more = ["--", bug.test] if bug.test else []
            status, test = judge(*copy.cargo_test(bug.package, more, deadline - time.monotonic()))
    return Outcome(bug, status, time.monotonic() - began_at, test)


def plain(copy: Copy, packages: list[str]) -> list[str]:
    """Runs the tests of packages without a bug; those that do not pass."""
    failing = []
    for package in packages:
        began_at = time.monotonic()
        code, output = copy.cargo_test(package, [], PLAIN_SECONDS)
        passed = code == 0 and tests_run(output) > 0
        print(f"{'plain tests pass' if passed else 'PLAIN TESTS FAIL'} {time.monotonic() - began_at:5.0f} s  {package}",
              flush=True)
        if not passed:
            say(output[-3000:] if output else f"no answer in {PLAIN_SECONDS} s")
            failing.append(package)
    return failing


def run(copy: Copy, bugs: list[Bug], without_plain: bool) -> int:
    began_at = time.monotonic()
    say(f"{len(bugs)} bugs; the copy is {copy.root}")
    copy.update()
    failing = [] if without_plain else plain(copy, list(dict.fromkeys(bug.package for bug in bugs)))
    outcomes: list[Outcome] = []
    for bug in [] if failing else bugs:
        outcomes.append(plant(copy, bug))
        print(outcomes[-1].line(), flush=True)
    caught = [outcome for outcome in outcomes if outcome.status == "caught"]
    ok = not failing and len(caught) == len(bugs)
    print(json.dumps({"bugs": len(bugs), "caught": len(caught), "failing_without_a_bug": failing,
                      "not_caught": [outcome.bug.id for outcome in outcomes if outcome.status != "caught"],
                      "results": [outcome.shown() for outcome in outcomes],
                      "seconds": round(time.monotonic() - began_at), "ok": ok}, ensure_ascii=False, indent=1))
    return 0 if ok else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="ID[,ID]", help="these bugs; by default all")
    parser.add_argument("--list", action="store_true", help="tell which bugs there are, and plant none")
    parser.add_argument("--target", type=pathlib.Path, metavar="DIR",
                        help="where to build, the copy in it; kept. By default a temporary folder")
    parser.add_argument("--without-plain", action="store_true", help="take it that the tests pass without a bug")
    return parser.parse_args()


def main() -> int:
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args = parse()
    bugs = chosen(load(), args.only)
    if args.list:
        for bug in bugs:
            print(f"{bug.id:32} {bug.package:18} {bug.says}")
        return 0
    if args.target:
        return run(Copy(args.target.resolve()), bugs, args.without_plain)
    with tempfile.TemporaryDirectory(prefix="hotline-planted-") as folder:
        return run(Copy(pathlib.Path(folder)), bugs, args.without_plain)


if __name__ == "__main__":
    sys.exit(main())
