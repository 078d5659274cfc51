#!/usr/bin/env python3
"""Do boards and alerts show what there is?

    tests/observe/observe.py [--seed N] [--from DAY] [--days N] [--share S] [--keep]

Real roles take in some days of the demo's year; a real Prometheus looks at them, a real Alertmanager sends what it finds to
a receiver of ours. Then

    types      every board is held against Grafana's published types (npm, tsc --strict)
    rules      promtool: rules, their unit tests, Prometheus's configuration, the metrics as the roles show them
    record     every SQL of every panel and variable is executed as grafana_ro, within a second, and shows what shown.py computes
               without the database
    panels     every expression of every panel is executed and returns data, every metric in it was scraped, and it says nothing
               of a time when nothing was scraped
    budget     fewer than 10,000 series, as many more of them as 300 departments, 8 sources and 12 partitions would make
    alert      a source that sends rubbish is diverted: the alert reaches the receiver, and so does the dead man's switch
    faults     each of these checks is red where something is planted: a metric renamed, a column dropped, another list counted, a
               type broken, a rule misspelt

Whether the tests of the rules hold their numbers is the matter of tests/observe/mutants.py. Prints one JSON object; exit 1 if anything is wrong. Needs a
release build (HOTLINE_BIN or target/release/hotline), PostgreSQL, Node with npm, and what `deploy/local/observe.sh tools` sees to.
"""
from __future__ import annotations

import argparse
import copy
import http.server
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [str(FOLDER), str(ROOT / "tests/chaos"), str(ROOT / "tests/chaos/oracle")]

import shown
import stage
import worklists
import year

DASHBOARDS = ROOT / "deploy/grafana/dashboards"
RULES = ROOT / "deploy/prometheus/rules/hotline.yml"
TYPES = ROOT / "target/observe/types"
SERIES_MAX = 10_000
# Values of labels that grow with an installation, with what stands for all that is not listed, for nobody, and for HTTP.
GROWN = {"department": 302, "source": 9, "partition": 13, "receiver": 301, "hotline": 4}
SECONDS_MAX = 1.0
WAIT = 120
# What this run cannot have, and why.
ABSENT = {
    "hotline_casework_lag_records": "there is no broker",
    "hotline_casework_partitions": "there is no broker",
    "hotline_casework_partitions_halted": "there is no broker",
    "hotline_casework_assignments_total": "there is no broker",
    "hotline_casework_lag_seconds": "there is no broker",
    "hotline_casework_batch_failures_total": "nothing fails",
    "hotline_rates_notices_waiting": "there is no receiver of notices",
    "hotline_rates_notices_undelivered": "there is no receiver of notices",
    "hotline_rates_notices_oldest_seconds": "there is no receiver of notices",
    "hotline_relay_deliveries_total": "there is no receiver of notices",
    "hotline_audit_witness_refuses": "there is no witness",
    "hotline_audit_witness_cosigned_timestamp_seconds": "there is no witness",
    "hotline_audit_witness_behind_records": "there is no witness",
    "hotline_timekeeper_late_seconds_bucket": "what was due years ago is missed, not late",
}
# The demo's rulebook has no score.
SCORE = """[[score]]
id = "overall"
version = 1
name = { zh = "综合得分", en = "overall" }
terms = [{ rate = "on_time_closure.due", weight = 3, floor = 10 }, { rate = "signing", weight = 1 }]
rank_from = 1
"""
# Panels that show nothing here, and why.
NOTHING = {
    "bulletin: Fold pending": "it shows 0 where all is well",
    "audit: Back-dated": "none in these days; worklists.py has some",
    "today: Return asked": "the demo knows no returns; worklists.py has some",
    "today: Returns": "the demo knows no returns; worklists.py has some",
    "today: To dispatch again": "the demo knows no returns; worklists.py has some",
}


def say(text: str) -> None:
    print(f"observe: {text}", file=sys.stderr, flush=True)


def boards() -> dict[str, dict]:
    return {str(path.relative_to(DASHBOARDS)): json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*/*.json"))}


def run(*words: object, **more) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)


# Types.

def install_types() -> None:
    TYPES.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "tsconfig.json"]:
        shutil.copy(FOLDER / name, TYPES / name)
    if not (TYPES / "node_modules/.package-lock.json").exists():
        done = run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=TYPES)
        if done.returncode:
            raise SystemExit(f"observe: npm cannot install Grafana's types: {done.stderr[-500:]}")


def types(found: dict[str, dict]) -> list[str]:
    folder = TYPES / "dashboards"
    for old in [folder, TYPES / "boards"]:
        shutil.rmtree(old, ignore_errors=True)
    for name, board in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(board))
    made = run("node", FOLDER / "schema.mjs", folder, TYPES / "boards")
    if made.returncode:
        return [made.stderr.strip()]
    checked = run("npx", "tsc", "-p", ".", cwd=TYPES)
    return checked.stdout.strip().splitlines() if checked.returncode else []


# Prometheus.

class Prometheus:
    """Prometheus and Alertmanager beside a server, with the committed configuration but for addresses and haste."""

    def __init__(self, folder: pathlib.Path, ops: int, receiver: int) -> None:
        tools = run("bash", ROOT / "deploy/local/observe.sh", "tools")
        if tools.returncode:
            raise SystemExit(tools.stderr)
        self.bin, self.folder = pathlib.Path(tools.stdout.strip()), folder
        self.port, alerts = stage.free_port(), stage.free_port()
        config = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        for old, new in [("rules/hotline.yml", str(RULES)), ("127.0.0.1:9090", f"127.0.0.1:{ops}"), ("127.0.0.1:9093", f"127.0.0.1:{alerts}"),
                         ("15s", "1s")]:
            assert old in config, old
            config = config.replace(old, new)
        self.config = folder / "prometheus.yml"
        self.config.write_text(config)
        routes = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
        assert "127.0.0.1:9999" in routes
        (folder / "alertmanager.yml").write_text(re.sub(r"group_wait: \d+s", "group_wait: 1s", routes.replace(":9999", f":{receiver}")))
        alertmanager = next(path for path in [self.bin / "prometheus-alertmanager", self.bin / "alertmanager"] if path.exists())
        self.roles = [
            stage.Role("prometheus", [str(self.bin / "prometheus"), f"--config.file={self.config}", f"--storage.tsdb.path={folder / 'tsdb'}",
                                      f"--web.listen-address=127.0.0.1:{self.port}"], {}, folder / "prometheus.log"),
            stage.Role("alertmanager", [str(alertmanager), f"--config.file={folder / 'alertmanager.yml'}",
                                        f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{alerts}",
                                        "--cluster.listen-address="], {}, folder / "alertmanager.log")]

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def stop(self) -> None:
        for role in self.roles:
            role.stop()

    def ask(self, expr: str, at: float | None = None) -> list[dict]:
        """The series of an expression now, or at another time; one of NaN is none."""
        query = urllib.parse.urlencode({"query": expr} | ({"time": at} if at else {}))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10) as answer:
                found = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None
        return [one for one in found if one["value"][1] != "NaN"]

    def until(self, expr: str) -> None:
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            try:
                if self.ask(expr):
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise SystemExit(f"observe: nothing for {expr}: {(self.folder / 'prometheus.log').read_text()[-800:]}")


def expanded(expr: str) -> str:
    return expr.replace("$__rate_interval", "60s").replace("[1d]", "[1m]")


def panels(found: dict[str, dict], prometheus: Prometheus) -> tuple[int, list[str]]:
    """An expression that says 0 where there is nothing would hide that its metric is not there: the metrics are looked for, too."""
    count, wrong, scraped = 0, [], {}
    for name, board in found.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "expr" not in target:
                    continue
                count += 1
                of, expr = f"{name}: {panel['title']}", expanded(target["expr"])
                metrics = set(re.findall(r"\b(?:hotline|process)_\w+", expr))
                for metric in metrics - scraped.keys():
                    scraped[metric] = bool(prometheus.ask(f"last_over_time({metric}[1h])"))
                try:
                    series, before = prometheus.ask(expr), prometheus.ask(expr, time.time() - 86400)
                except ValueError as error:
                    wrong.append(f"{of}: {error}")
                    continue
                if not series and not metrics & ABSENT.keys():
                    wrong.append(f"{of}: no data: {target['expr']}")
                if before:
                    wrong.append(f"{of}: it shows {before[0]['value'][1]} where nothing was scraped: {target['expr']}")
                wrong += [f"{of}: {metric} was never scraped" for metric in sorted(metrics) if not scraped[metric] and metric not in ABSENT]
    needless = [metric for metric in ABSENT if scraped.get(metric)]
    return count, wrong + [f"{metric} is there: it is no exception" for metric in needless]


def rules(prometheus: Prometheus, text: str, metrics: str, with_tests: bool = False) -> list[str]:
    wrong = []
    changed = prometheus.folder / "rules.yml"
    changed.write_text(text)
    tests = []
    for path in sorted((ROOT / "deploy/prometheus/tests").glob("*.yml")):
        tests.append(prometheus.folder / f"tests-{path.name}")
        tests[-1].write_text(path.read_text().replace("../rules/hotline.yml", str(changed)))
    promtool = prometheus.bin / "promtool"
    checks = [(["check", "rules", changed], {}), (["check", "config", prometheus.config], {}), (["check", "metrics"], {"input": metrics})]
    for words, more in checks + [(["test", "rules", *tests], {})] * with_tests:
        done = run(promtool, *words, **more)
        if done.returncode:
            wrong.append(f"promtool {' '.join(map(str, words[:2]))}: {(done.stdout + done.stderr).strip()[-1500:]}")
    return wrong


def grown(metrics: str) -> int:
    """How many series there would be in a large installation: what differs by a label that grows counts as often as that has
    values, but a source that is nobody's is one."""
    series: dict[tuple, set[str]] = {}
    for line in metrics.splitlines():
        if line and not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
            rest = frozenset(pair for pair in pairs if pair[0] not in GROWN)
            series.setdefault((name, rest), set()).update(name for name, value in pairs if name in GROWN and (name, value) != ("source", "other"))
    return sum(math.prod(GROWN[name] for name in names) for names in series.values())


# The views of record.

class Reader:
    """grafana_ro, in one session."""

    def __init__(self, psql: list[str], as_of: str) -> None:
        self.psql, self.as_of = psql, as_of

    def ask(self, sql: str) -> tuple[list[dict], float, str | None]:
        """The rows, the seconds, and what was wrong."""
        text = f"SET hotline.as_of = '{self.as_of}';\n\\timing on\nSELECT coalesce(json_agg(row), '[]') FROM ({sql}) AS row;\n"
        done = run(*self.psql, "-XAtq", "-v", "ON_ERROR_STOP=1", input=text)
        if done.returncode:
            return [], 0.0, done.stderr.strip()
        rows, timing = done.stdout.rsplit("Time:", 1)
        return json.loads(rows), float(timing.split()[0]) / 1000, None


def chosen(sql: str, values: dict[str, str]) -> str:
    """With the values of the variables, and Grafana's macros as its data source expands them, over two years."""
    for name, value in values.items():
        sql = sql.replace(f"${name}", value)
    return re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2022-12-31T16:00:00Z' AND '2030-01-01T00:00:00Z'", sql)


def values_of(name: str, board: dict, reader: Reader) -> tuple[list[dict[str, str]], list[str]]:
    """What is chosen before a board is shown: the month in which most counts, and besides all hotlines one of them."""
    values, choices, wrong = {}, [], []
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        rows, _, error = reader.ask(variable["query"])
        if error or not rows:
            wrong.append(f"{name}: variable {variable['name']}: {error or 'no values'}")
            continue
        choices = [str(next(iter(row.values()))) for row in rows]
        values[variable["name"]] = "*" if "*" in choices else choices[0]
    if "month" in values:
        values["month"] = reader.ask("SELECT month::text AS month FROM rates_of_record WHERE rate = 'on_time_closure.due' AND department = '*' "
                                     "ORDER BY numerator DESC, month LIMIT 1")[0][0]["month"]
    if "hotline" not in values:
        return [values], wrong
    # The last variable is the hotline.
    return [values, *(values | {"hotline": hotline} for hotline in choices if hotline != "*")][:2], wrong


def record(found: dict[str, dict], reader: Reader, expected: shown.Expected) -> tuple[dict, list[str]]:
    wrong, count, longest, asked, tried = [], 0, 0.0, set(), set()
    titles = {board["uid"]: {panel["id"]: panel["title"] for panel in board["panels"]} for board in boards().values()}
    for name, board in found.items():
        _, of, lang = board["uid"].split("-")
        choices, faults = values_of(name, board, reader)
        wrong += faults
        for values in choices:
            for panel in board["panels"]:
                for target in panel["targets"]:
                    if "rawSql" not in target:
                        continue
                    count += 1
                    title = titles[f"hotline-{of}-en"][panel["id"]]
                    rows, seconds, error = reader.ask(chosen(target["rawSql"], values))
                    longest = max(longest, seconds)
                    asked.add(f"{of}: {title}")
                    if error:
                        wrong.append(f"{name}: {panel['title']}: {error}")
                        continue
                    if seconds > SECONDS_MAX:
                        wrong.append(f"{name}: {panel['title']}: {seconds:.1f} s")
                    if target["format"] == "time_series" and not all({"time", "value"} <= row.keys() for row in rows):
                        wrong.append(f"{name}: {panel['title']}: a series needs time and value")
                        continue
                    try:
                        theirs, in_order = expected.rows(of, title, panel["type"] if panel["type"] != "barchart" else "table", lang, values)
                    except shown.Unknown:
                        wrong.append(f"{name}: {panel['title']}: nobody computes what it must show")
                        continue
                    # Nothing, and a count of nothing, would be shown by many a wrong query.
                    if any(any(row.values()) for row in theirs):
                        tried.add(f"{of}: {title}")
                    wrong += [f"{name}: {panel['title']}: {one}" for one in shown.differences(rows, theirs, in_order)[:3]]
    return {"queries": count, "panels": len(asked), "untried": sorted(asked - tried), "longest_seconds": round(longest, 3)}, wrong


# Alerts on their way.

class Receiver(http.server.BaseHTTPRequestHandler):
    got: list[tuple[str, dict]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.got.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def conflicts(lines: list[str], source: str) -> list[str]:
    """The same ids with other contents."""
    return [json.dumps({**json.loads(line), "time": "2023-01-01T00:00:00+08:00"}) for line in lines if json.loads(line)["source"] == source]


def ask_for_rates(server: worklists.Server) -> None:
    rates = f"http://127.0.0.1:{server.port}/v1/rates?rate=on_time_closure.due&period=2023-01-01..2024-01-01"
    with urllib.request.urlopen(rates, timeout=10) as answer:
        answer.read()


def ask_as_auditor(server: worklists.Server) -> None:
    """A page and a file: this machine is an auditor as long as there is no token."""
    for question in ["limit=5", "format=csv"]:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.audit}/v1/closures?{question}", timeout=60) as answer:
            answer.read()


def some_of_all(server: worklists.Server, prometheus: Prometheus, lines: list[str]) -> int:
    """What panels show besides a good day: dead letters, a source that was paused, a table of rates. How many events that took."""
    sources = sorted({json.loads(line)["source"] for line in lines})
    refused = conflicts(lines, sources[0])[:3]
    server.send(refused, check=False)
    server.command("sources", "pause", sources[-1], "--why", "a test of boards")
    ask_for_rates(server)
    ask_as_auditor(server)
    prometheus.until("sum(hotline_rates_dead_letters_open) > 0 and sum(hotline_rates_sources_stopped) > 0 and sum(hotline_rates_bulletin_seconds_count) > 0")
    server.command("sources", "resume", sources[-1], "--why", "a test of boards")
    return len(refused)


def alert(server: worklists.Server, lines: list[str]) -> tuple[dict, list[str]]:
    """A source is diverted, and somebody is called."""
    sample = json.loads(lines[0])
    bad = conflicts(lines, sample["source"])
    path = server.folder / "bad.ndjson"
    path.write_text("".join(f"{line}\n" for line in bad[:300]))
    began = time.monotonic()
    run(worklists.BINARY, "--config", server.config, "send", "--to", f"http://127.0.0.1:{server.port}", path)
    wanted = {"/pages": "HotlineSourceDiverted", "/watchdog": "HotlineDeadMansSwitch"}
    while time.monotonic() - began < WAIT:
        got = {path: {one["labels"]["alertname"] for one in body["alerts"]} for path, body in Receiver.got}
        names = {path: set().union(*[{one["labels"]["alertname"] for one in body["alerts"]} for where, body in Receiver.got if where == path])
                 for path in got}
        if all(name in names.get(path, set()) for path, name in wanted.items()):
            return {"seconds": round(time.monotonic() - began, 1), "alerts": sorted(set().union(*names.values()))}, []
        time.sleep(0.5)
    return {}, [f"no alert: {Receiver.got}"]


# Faults that must be found.

def faults(found: dict[str, dict], prometheus: Prometheus, reader: Reader, expected: shown.Expected, metrics: str) -> tuple[dict, list[str]]:
    def is_found(check, text: str, by: str) -> bool:
        """Whether the panels that a text stands in are sound as they are, and are not with another text in its place."""
        before, after = {}, {}
        for name, board in found.items():
            of = [panel for panel in board["panels"] if text in json.dumps(panel, ensure_ascii=False)]
            if of:
                before[name] = board | {"panels": of}
                after[name] = board | {"panels": json.loads(json.dumps(of, ensure_ascii=False).replace(text, by))}
        if not before:
            raise SystemExit(f"observe: no panel says {text}: a fault cannot be planted")
        return bool(check(after)) and not check(before)

    def of_metrics(text: str, by: str) -> bool:
        # Of exceptions nothing is said: most panels are not there.
        return is_found(lambda some: [one for one in panels(some, prometheus)[1] if "no exception" not in one], text, by)

    def of_record(text: str, by: str) -> bool:
        return is_found(lambda some: record(some, reader, expected)[1], text, by)

    def typed() -> dict[str, dict]:
        name, board = next(iter(found.items()))
        board = copy.deepcopy(board)
        board["panels"][0]["gridPos"]["w"] = "wide"
        return {name: board}

    text = RULES.read_text()
    planted = {
        "a metric renamed": of_metrics("hotline_rates_overdue_cases", "hotline_rates_late_cases"),
        "a metric renamed behind a zero": of_metrics("sum(hotline_rates_dead_letters_open)", "sum(hotline_rates_letters_open)"),
        "a zero where nothing is scraped": of_metrics("or 0 * max(hotline_rates_snapshot_timestamp_seconds)", "or vector(0)"),
        "a column dropped": of_record("hours_late", "hours_gone"),
        "a view dropped": of_record("FROM worklist_counts", "FROM worklist_sums"),
        "the ranking of nobody": of_record("hotline = '$hotline' AND department <> '*' ORDER BY rank", "hotline = 'nobody' AND department <> '*' ORDER BY rank"),
        "a numerator that is the denominator": of_record("SELECT numerator / scale", "SELECT denominator / scale"),
        "overdue cases that are open ones": of_record("sum(overdue), 0)::bigint AS cases", "sum(open), 0)::bigint AS cases"),
        "a list that is another": of_record("FROM overdue ORDER BY", "FROM due_today, LATERAL (SELECT 0 AS hours_late) AS x ORDER BY"),
        "a backlog of nothing": of_record("FROM backlog_by_age GROUP", "FROM backlog_by_age WHERE false GROUP"),
        "repeat callers that are none": of_record("FROM repeat_callers ORDER", "FROM repeat_callers WHERE false ORDER"),
        "a trend of another department": of_record("department = '*' AND $__timeFilter(time)", "department = '-' AND $__timeFilter(time)"),
        "a type broken": types(typed()),
        "a rule misspelt": rules(prometheus, text.replace("sum(rate(", "sum(rte(", 1), metrics),
        "a metric without help": rules(prometheus, text, metrics + "\nhotline_made_up 1\n"),
    }
    return {name: "found" if wrong else "NOT FOUND" for name, wrong in planted.items()}, [
        f"a planted fault is not found: {name}" for name, wrong in planted.items() if not wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--from", dest="begin", default="2023-09-20")
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--share", type=float, default=0.3, help="of the cases")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="observe-"))
    folder.chmod(0o755)
    result, wrong = {"seed": args.seed}, {}
    say("Grafana's types")
    install_types()
    found = boards()
    wrong["types"] = types(found)
    events, book = year.demo(args.seed, folder)
    (book / "rates/scores.toml").write_text(SCORE, encoding="utf-8")
    begin = year.seconds(f"{args.begin}T00:00:00+08:00")
    end = begin + args.days * 86400
    lines = [worklists.tagged(line) for _, line in year.slice_of(events, begin, end, args.share)]
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    server = worklists.Server(folder, book)
    with open(server.config, "a") as config:
        config.write("refresh_every = '1s'\n")
    prometheus = Prometheus(folder, server.ops, receiver.server_port)
    try:
        server.start(book)
        prometheus.start()
        prometheus.until("up == 1")
        half = len(lines) // 2
        say(f"{len(lines)} events")
        began = time.time()
        server.send(lines[:half])
        refused = some_of_all(server, prometheus, lines[:half])
        server.send(lines[half:])
        server.until_rates_are_of_now(worklists.Board(server.psql()))
        ask_for_rates(server)
        ask_as_auditor(server)
        prometheus.until(expanded("sum(rate(hotline_casework_events_total[$__rate_interval])) > 0 and sum(rate(hotline_rates_bulletin_seconds_count[$__rate_interval])) > 0 and "
                                  "sum(rate(hotline_audit_request_seconds_count[$__rate_interval])) > 0 and sum(rate(hotline_audit_kept_cases_total[$__rate_interval])) > 0"))
        say("panels")
        result["panels"], wrong["panels"] = panels(found, prometheus)
        say("queries")
        exported = folder / "exported.ndjson"
        server.command("export", to=exported)
        as_of = year.stories.stamp(end + worklists.EVENING)
        reader = Reader(server.psql(), as_of)
        expected = shown.Expected(worklists.Check(server.psql(), str(book), [str(exported)]), as_of, began, len(lines) + refused)
        result["record"], wrong["record"] = record(found, reader, expected)
        untried = set(result["record"]["untried"])
        wrong["record"] += [f"{panel}: there was nothing to show" for panel in sorted(untried - NOTHING.keys())]
        wrong["record"] += [f"{panel} shows something: it is no exception" for panel in sorted(NOTHING.keys() - untried)]
        series = int(prometheus.ask('count({__name__=~"hotline_.+|process_.+", job="hotline"})')[0]["value"][1])
        with urllib.request.urlopen(f"http://127.0.0.1:{server.ops}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        result["series"], result["series_of_300_departments"] = series, grown(metrics)
        wrong["budget"] = [f"{count} series" for count in [series, grown(metrics)] if count >= SERIES_MAX]
        say("rules, faults, alerts")
        wrong["rules"] = rules(prometheus, RULES.read_text(), metrics, with_tests=True)
        result["faults"], wrong["faults"] = faults(found, prometheus, reader, expected, metrics)
        result["alert"], wrong["alert"] = alert(server, lines)
    finally:
        prometheus.stop()
        server.stop()
        receiver.shutdown()
        if args.keep:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    result["wrong"] = {name: found for name, found in wrong.items() if found}
    result["ok"] = not result["wrong"]
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
