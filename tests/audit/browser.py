"""A real Chromium through chromedriver (Debian's chromium and chromium-driver), in as many words as pages.py needs."""
from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import stage  # noqa: E402

WAIT = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"tab": "\ue004", "enter": "\ue007", "space": "\ue00d"}

# What is looked at on every page: each entry of the answer is a fault.
LOOK = r"""
const faults = [], say = (what, node) => faults.push(what + (node ? ': ' + node.outerHTML.slice(0, 120) : ''));
for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
  if (!field.labels || !field.labels.length || !field.labels[0].innerText.trim()) say('a field without a label', field);
for (const table of document.querySelectorAll('table')) {
  if (!table.caption || !table.caption.textContent.trim()) say('a table without a caption', table);
  for (const cell of table.querySelectorAll('th')) if (!['col', 'row'].includes(cell.scope)) say('a heading without a scope', cell);
}
const ids = [...document.querySelectorAll('[id]')].map(node => node.id);
for (const id of ids) if (ids.filter(other => other === id).length > 1) say('an id that stands twice: ' + id);
for (const link of document.querySelectorAll('a, button')) if (!link.textContent.trim()) say('a link without words', link);
let level = 0;
for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) say('a heading that leaves out a level', heading);
  level = now;
}
if (document.querySelectorAll('h1').length !== 1) say('not one main heading');
if (!document.documentElement.lang) say('no language');
if (!document.querySelector('main')) say('no main part');
if (document.querySelectorAll('[style], script, style').length) say('a script or style within the page');
if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) say('it is wider than the window: ' + document.documentElement.scrollWidth);
// Contrast: of every text against the nearest ground that is not clear.
const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
const ground = node => {
  for (; node; node = node.parentElement) {
    const color = rgb(getComputedStyle(node).backgroundColor);
    if (color.length && (color.length < 4 || color[3] > 0)) return color;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text; (text = walker.nextNode());) {
  const node = text.parentElement, style = getComputedStyle(node);
  if (!text.data.trim() || style.visibility === 'hidden' || !node.getClientRects().length) continue;
  const paint = node.namespaceURI.endsWith('svg') ? style.fill : style.color;
  const [a, b] = [light(rgb(paint)), light(ground(node))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) { say('contrast ' + contrast.toFixed(2), node); break; }
}
return faults;
"""
# Where the keyboard is, and what can be seen of it.
FOCUSED = r"""
const node = document.activeElement, style = getComputedStyle(node);
const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')];
return [all.indexOf(node), all.length, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, node.className];
"""


class Chrome:
    """chromedriver, and what it is told."""

    def __init__(self, folder: pathlib.Path) -> None:
        program = shutil.which("chromedriver")
        self.chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if not program or not self.chromium:
            raise SystemExit("audit: there is no chromium with its chromedriver: deploy/local/install.sh --tests installs them")
        self.folder, self.port = folder, stage.free_port()
        with open(folder / "chromedriver.log", "wb") as log:
            self.process = subprocess.Popen([program, f"--port={self.port}", "--allowed-ips=127.0.0.1"], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT
        while True:
            with contextlib.suppress(OSError):
                if self.call("GET", "/status")["ready"]:
                    return
            if time.monotonic() > deadline:
                raise SystemExit(f"audit: chromedriver is not ready: {(folder / 'chromedriver.log').read_text()[-800:]}")
            time.sleep(0.1)

    def call(self, method: str, path: str, body: dict | None = None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT * 2) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise RuntimeError(f"{method} {path}: {value['error']}: {value['message'][:300]}") from None

    def window(self, lang: str = "zh-CN") -> "Window":
        arguments = ["--headless=new", "--window-size=1280,1000", f"--lang={lang}", f"--accept-lang={lang}", "--disable-gpu",
                     "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        options = {"binary": self.chromium, "args": arguments, "prefs": {"intl.accept_languages": lang}}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return Window(self, session)

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
            return
        self.process.kill()
        self.process.wait()


class Window:
    """A browser with cookies of its own."""

    def __init__(self, chrome: Chrome, session: str) -> None:
        self.chrome, self.at = chrome, f"/session/{session}"

    def tell(self, word: str, body: dict | None = None):
        return self.chrome.call("POST", f"{self.at}/{word}", body)

    def ask(self, word: str):
        return self.chrome.call("GET", f"{self.at}/{word}")

    def go(self, url: str) -> None:
        self.tell("url", {"url": url})

    def run(self, script: str):
        return self.tell("execute/sync", {"script": script, "args": []})

    def command(self, name: str, **parameters):
        """Of DevTools."""
        return self.tell("goog/cdp/execute", {"cmd": name, "params": parameters})

    def find(self, css: str) -> str:
        return self.tell("element", {"using": "css selector", "value": css})[ELEMENT]

    def type(self, css: str, text: str) -> None:
        self.tell(f"element/{self.find(css)}/value", {"text": text})

    def click(self, css: str) -> None:
        self.tell(f"element/{self.find(css)}/click")

    def press(self, key: str) -> None:
        pressed = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
        self.tell("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": pressed}]})

    def status(self) -> int:
        return self.run("return performance.getEntriesByType('navigation')[0].responseStatus")

    def said(self) -> list[str]:
        """What the console said since it was asked last."""
        return [f"{entry['source']}: {entry['message']}" for entry in self.tell("se/log", {"type": "browser"})]

    def picture(self, path: pathlib.Path) -> None:
        """The whole page."""
        height = self.run("return Math.min(document.documentElement.scrollHeight, 6000)")
        self.command("Emulation.setDeviceMetricsOverride", width=1280, height=height, deviceScaleFactor=1, mobile=False)
        path.write_bytes(base64.b64decode(self.ask("screenshot")))
        self.command("Emulation.clearDeviceMetricsOverride")

    def printed(self) -> bytes:
        done = self.command("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(done["data"])

    def close(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            self.chrome.call("DELETE", self.at)
