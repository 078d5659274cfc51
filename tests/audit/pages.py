#!/usr/bin/env python3
"""Are the pages for auditors whole in a real browser: for every role, in both languages, by keyboard, on paper, without scripts?

    tests/audit/pages.py [--pictures DIR] [--keep]

Real roles take in some days of the demo's year and one case in which everything happens, and publish a bulletin. A Chromium that
is driven by chromedriver signs in as each role and looks at every page: whether it is shown or refused as it should be, what the
console says (nothing), labels, captions, headings, contrast, width; where the keyboard goes and whether that can be seen; what
is printed, and on which paper; and that all of it works while scripts are switched off. Exit 1 if anything is wrong. Needs
HOTLINE_BIN or target/release/hotline, PostgreSQL, and Debian's chromium and chromium-driver.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "observe"), str(HERE.parent / "chaos"), str(HERE.parent / "chaos" / "oracle")]

import browser  # noqa: E402
import worklists  # noqa: E402
import year  # noqa: E402

CASE = "12345:pages-1"
HOSTILE = "<script>document.title='planted'</script>"
DEPARTMENT = "ZJJ"
LISTS = ["exclusions", "rulings", "extensions", "holds", "late_entries", "default_ratings", "corrections", "rule_changes", "restatements"]
WAIT = 120
# Points of A4, upright and across, as Chromium rounds them.
A4 = (595, 842)
FAULTY = """<!DOCTYPE html><html lang='en'><title>x</title><main><h1>x</h1><h3>x</h3><input><table><tr><th>x</table><a href='#'></a>
<p style='color:#999'>pale<p id='a'><p id='a'><pre>{}</pre></main>""".format("wide " * 200)


def say(text: str) -> None:
    print(f"pages: {text}", file=sys.stderr, flush=True)


def events() -> list[str]:
    """One case in which everything happens that lists ask about, with people and hostile words."""
    source, found = "/hotline/demo/12345", []

    def add(kind: str, at: str, data: dict, recorded: str | None = None) -> None:
        event = {"specversion": "1.0", "type": f"hotline.case.{kind}.v1", "source": source, "id": f"pages-{len(found)}",
                 "subject": CASE, "time": f"2023-09-{at}+08:00", "data": data}
        if recorded:
            event["recordedtime"] = f"2023-09-{recorded}+08:00"
        found.append(event)

    by = {"department": DEPARTMENT}
    add("received", "20T09:10:00", {"case_type": "complaint", "category": ["housing", "heating"], "region": "411202", "number": "pages-1",
                                    "content": HOSTILE + "<img src=x onerror=alert(1)>", "reporter": {"name": "张三丰", "phone": "13812345678"}})
    add("dispatched", "20T09:40:00", by)
    add("signed", "20T10:00:00", by)
    add("contacted", "20T11:00:00", by)
    add("held", "21T09:00:00", {"reason": "inspection"})
    add("released", "21T15:00:00", {"reason": "inspection"})
    add("extension_requested", "22T09:00:00", {"stage": "close", "limit": 3, "unit": "working_day"})
    add("extended", "22T10:00:00", {"stage": "close", "limit": 3, "unit": "working_day", "by": "HL12345"})
    add("submitted", "25T16:00:00", by)
    add("closed", "25T17:00:00", {**by, "outcome": "resolved"})
    add("rated", "26T10:00:00", {"reached": True, "method": "call", "satisfaction": 2, "solved": "no"})
    add("reopened", "26T11:00:00", {"reason": "dissatisfied"})
    add("dispatched", "26T11:30:00", by)
    add("closed", "27T11:30:00", {**by, "outcome": "explained"}, "29T10:00:00")
    add("rated", "29T11:30:00", {"reached": False, "method": "default"})
    add("ruled", "29T15:00:00", {"indicator": "close", "effect": "exclude", "reason": "force_majeure", "document": HOSTILE, "by": "HL12345", **by})
    add("ruled", "29T15:10:00", {"indicator": "satisfaction", "effect": "met", "reason": "evidence", "document": "示例〔2023〕9号", "by": "HL12345", **by})
    corrects = {"source": source, "id": "pages-3", "type": "hotline.case.contacted.v1"}
    add("corrected", "29T16:00:00", {"corrects": corrects, "time": "2023-09-20T10:30:00+08:00"})
    return [json.dumps(event, ensure_ascii=False) for event in found]


class Site:
    """The roles with what there is to be seen, and a token for each role."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.demo, self.book = year.demo(2023, folder)
        self.server = worklists.Server(folder, self.book)
        self.root = f"http://127.0.0.1:{self.server.audit}"
        self.tokens: dict[str, str] = {}

    def set(self) -> None:
        self.server.start(self.book)
        begin = year.seconds("2023-09-20T00:00:00+08:00")
        lines = [line for _, line in year.slice_of(self.demo, begin, begin + 8 * 86400, 0.1)]
        say(f"{len(lines)} events, and a case in which everything happens")
        self.server.send(lines + events())
        self.server.command("rulebook", "activate", str(self.changed()))
        self.wait("a bulletin is published", lambda: self.command("bulletin", "publish", "--form", "12345-monthly", "--period", "2023-09",
                                                                  "--why", "monthly meeting", "--operator", "tests", check=False))
        for role, more in [("auditor", ["--may-unmask"]), ("supervisor", ["--department", DEPARTMENT]), ("operator", [])]:
            token = self.command("token", "create", "--name", role, "--role", role, "--expires", "1d", *more)
            self.tokens[role] = re.search(r"hl_[0-9a-f]{56}", token)[0]
        self.wait("its records are sealed and the lists are of now", self.is_settled)

    def changed(self) -> pathlib.Path:
        """The rulebook with another name, which is another rulebook."""
        other = self.folder / "changed"
        shutil.copytree(self.book, other)
        path = other / "rulebook.toml"
        path.write_text(path.read_text(encoding="utf-8") + "\n# Looked over in October.\n", encoding="utf-8")
        return other

    def command(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([worklists.BINARY, "--config", str(self.server.config), *words], capture_output=True, text=True)
        if done.returncode and check:
            raise SystemExit(f"pages: hotline {' '.join(words[:2])} ended with {done.returncode}: {done.stderr[-800:]}")
        return "" if done.returncode else done.stdout or "done"

    def fetch(self, path: str) -> str:
        request = urllib.request.Request(self.root + path, headers={"cookie": f"hotline_token={self.tokens['auditor']}",
                                                                    "accept-language": "en"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def is_settled(self) -> bool:
        lists = self.fetch("/audit/closures")
        return CASE in self.fetch("/audit/lists/exclusions") and "a moment ago" not in lists and \
            "All is well" in self.fetch(f"/audit/cases/{CASE}/verify")

    def wait(self, what: str, holds) -> None:
        deadline = time.monotonic() + WAIT
        while not holds():
            if time.monotonic() > deadline:
                raise SystemExit(f"pages: not within {WAIT} s: {what}: {(self.folder / 'all.log').read_text()[-1500:]}")
            time.sleep(0.5)


class Looking:
    def __init__(self, site: Site, chrome: browser.Chrome, pictures: pathlib.Path | None) -> None:
        self.site, self.chrome, self.pictures = site, chrome, pictures
        self.faults: list[str] = []
        self.looked = 0

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    def paths(self) -> dict[str, tuple[str, set[str]]]:
        """Every page with who sees it."""
        all_, lists, auditor = {"auditor", "supervisor", "operator"}, {"auditor", "supervisor"}, {"auditor"}
        case = f"/audit/cases/{CASE}"
        return {
            "home": ("/audit", all_), "closures": (f"/audit/closures?department={DEPARTMENT}", lists), "lists": ("/audit/lists", lists),
            "sample": (f"/audit/sample?seed=2023-09&size=10&department={DEPARTMENT}", lists), "bulletins": ("/audit/bulletins", lists),
            "bulletin": ("/audit/bulletins/1", lists), "department": (f"/audit/bulletins/1/departments/{DEPARTMENT}", lists),
            "counted": (f"/audit/bulletins/1/departments/{DEPARTMENT}/closure.dispatched", lists),
            "log": ("/audit/log", all_), "access": ("/audit/access", auditor), "case": (case, lists),
            "verify": (f"{case}/verify", auditor), "people": (f"{case}/people", {"auditor", "operator"}),
            **{name: (f"/audit/lists/{name}", lists) for name in LISTS},
            "nothing": ("/audit/nothing", set()), "no_case": ("/audit/cases/12345:none", set()),
            "wrong": ("/audit/closures?from=yesterday", set()),
        }

    def sign_in(self, window: browser.Window, role: str) -> None:
        """By keyboard alone."""
        window.go(self.site.root + "/audit/log")
        window.type("#token", self.site.tokens[role] + browser.KEYS["enter"])
        deadline = time.monotonic() + 20
        while "/audit/log" not in window.ask("url"):
            if time.monotonic() > deadline:
                raise SystemExit(f"pages: {role} cannot sign in: {window.ask('source')[:2000]}")
            time.sleep(0.1)

    def look(self, window: browser.Window, where: str, path: str, statuses: set[int]) -> None:
        window.said()
        window.go(self.site.root + path)
        self.looked += 1
        status = window.status()
        if status not in statuses:
            self.fault(where, f"is answered with {status}, not {sorted(statuses)}")
        # That a page was refused is said by the browser itself.
        expected = re.compile(rf"status of {status} ") if status >= 400 else re.compile("(?!)")
        for line in window.said():
            if not expected.search(line):
                self.fault(where, f"the console says {line}")
        for what in window.run(browser.LOOK):
            self.fault(where, what)
        if "planted" in window.ask("title"):
            self.fault(where, "a planted script ran")

    def role(self, role: str, lang: str) -> None:
        window = self.chrome.window(lang)
        try:
            self.sign_in(window, role)
            for name, (path, roles) in self.paths().items():
                statuses = {200} if role in roles else {400, 403, 404}
                where = f"{name} as {role} in {lang}"
                self.look(window, where, path, statuses)
                found = window.run("return document.documentElement.lang")
                if found[:2] != lang[:2]:
                    self.fault(where, f"is in {found}")
                if role == "auditor":
                    self.keyboard(window, where)
                    self.paper(window, where, name, lang)
            if role == "auditor":
                self.narrow(window)
        finally:
            window.close()

    def keyboard(self, window: browser.Window, where: str) -> None:
        """Tab goes to everything in its order, and shows where it is; the first leads past the navigation."""
        window.run("document.activeElement.blur(); window.scrollTo(0, 0)")
        window.go(window.ask("url"))
        places = []
        count = window.run(browser.FOCUSED)[1]
        for _ in range(min(count, 40)):
            window.press("tab")
            place, _, is_seen, kind = window.run(browser.FOCUSED)
            # A part that scrolls is a stop of its own.
            if place >= 0:
                # A field of days has a stop for each part of it.
                if places[-1:] != [place]:
                    places.append(place)
                if not is_seen:
                    self.fault(where, f"the focus on the {place}th of {count} cannot be seen")
            if len(places) == 1 and kind != "skip":
                self.fault(where, "the first stop does not lead to the content")
        if places != sorted(places) or places != list(range(len(places))):
            self.fault(where, f"the keyboard goes to {places}")
        window.go(window.ask("url").split("#")[0])
        window.press("tab")
        window.press("enter")
        if window.run("return document.activeElement.id") != "content":
            self.fault(where, "the first stop does not go to the content")

    def paper(self, window: browser.Window, where: str, name: str, lang: str) -> None:
        """What is printed is A4, and nothing of it is cut off."""
        window.go(window.ask("url").split("#")[0])
        data = window.printed()
        boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+) ?\]", data)
        for box in boxes:
            if sorted(round(float(side)) for side in box) != list(A4):
                self.fault(where, f"is printed on {box}")
        if not boxes:
            self.fault(where, "nothing is printed")
        across = boxes and float(boxes[0][0]) > float(boxes[0][1])
        width = round((297 - 20 if across else 210 - 24) / 25.4 * 96)
        window.command("Emulation.setEmulatedMedia", media="print")
        window.command("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        wide = window.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth, "
                          "getComputedStyle(document.querySelector('header')).display, "
                          "[...document.querySelectorAll('nav, button')].filter(node => node.getClientRects().length).length]")
        if wide[0] > wide[1] + 1:
            self.fault(where, f"is cut off on paper: {wide[0]} of {wide[1]}")
        if wide[3]:
            self.fault(where, f"{wide[3]} buttons are printed")
        window.command("Emulation.clearDeviceMetricsOverride")
        window.command("Emulation.setEmulatedMedia", media="")
        if self.pictures:
            (self.pictures / f"{name}-{lang[:2]}.pdf").write_bytes(data)
            window.picture(self.pictures / f"{name}-{lang[:2]}.png")

    def narrow(self, window: browser.Window) -> None:
        """A window as wide as a telephone's shows everything, too."""
        window.command("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
        for name in ["home", "closures", "case", "verify", "bulletin"]:
            window.go(self.site.root + self.paths()[name][0])
            for what in window.run(browser.LOOK):
                self.fault(f"{name}, narrow", what)
        window.command("Emulation.clearDeviceMetricsOverride")

    def without_scripts(self) -> None:
        """From signing in to a proof, a reason and a choice of language, with scripts switched off."""
        window = self.chrome.window("zh-CN")
        try:
            window.command("Emulation.setScriptExecutionDisabled", value=True)
            self.sign_in(window, "auditor")
            steps = [
                ("the other language", ".language a[hreflang=en]", None, "Checkpoints"),
                ("the start page", ".site a", None, "Look up a case"),
                ("a case by its number", "#case", "pages-1" + browser.KEYS["enter"], "Timeline"),
                ("verification", ".button", None, "All is well"),
                ("the proof's way back", "main p a", None, "Timeline"),
                ("a reason", "a[href$='/people']", None, "Record it and show"),
                ("the people", "#why", "asked by the court", None),
                ("… as they are", "main button", None, "13812345678"),
                ("the access log", "nav.main a[href='/audit/access']", None, "asked by the court"),
                ("closed cases", "nav.main a[href='/audit/closures']", None, "Take away"),
                ("a search", "main button", None, "Take away"),
                ("signing out", ".who button", None, "Token"),
            ]
            for what, css, text, expected in steps:
                if text:
                    window.type(css, text)
                else:
                    window.click(css)
                deadline = time.monotonic() + 20
                while expected and expected not in window.ask("source"):
                    if time.monotonic() > deadline:
                        self.fault("without scripts", f"{what} does not show {expected!r} at {window.ask('url')}")
                        return
                    time.sleep(0.1)
        finally:
            window.close()

    def planted(self) -> None:
        """What is looked for is found where it is."""
        window = self.chrome.window("en-US")
        try:
            window.go("data:text/html," + urllib.parse.quote(FAULTY))
            found = "\n".join(window.run(browser.LOOK))
            for what in ["a field without a label", "a table without a caption", "a heading without a scope", "an id that stands twice",
                         "a link without words", "a heading that leaves out a level", "a script or style within", "wider than the window",
                         "contrast 2."]:
                if what not in found:
                    self.fault("planted faults", f"{what!r} is not found in:\n{found}")
        finally:
            window.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=pathlib.Path, help="keep pictures and prints of every page here")
    parser.add_argument("--keep", action="store_true", help="leave the folder for looking at")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pages-"))
    folder.chmod(0o755)
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    site = Site(folder)
    chrome = browser.Chrome(folder)
    looking = Looking(site, chrome, args.pictures)
    try:
        looking.planted()
        site.set()
        for role, lang in [("auditor", "zh-CN"), ("auditor", "en-US"), ("supervisor", "zh-CN"), ("operator", "en-US")]:
            say(f"{role}, {lang}")
            looking.role(role, lang)
        looking.without_scripts()
    finally:
        chrome.stop()
        site.server.stop()
        if args.keep:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for fault in looking.faults:
        say(fault)
    say(f"{looking.looked} pages looked at: {len(looking.faults)} faults")
    return 1 if looking.faults or not looking.looked else 0


if __name__ == "__main__":
    sys.exit(main())
