"""What the outside sees of a running koine: a real Prometheus scrapes it, with the rules and the dashboard of the chart; and the probes,
with brokers and registry away and with a poll loop that hangs."""
import ctypes
import datetime
import http.server
import json
import math
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import support
from security import Authority, run
from support import FaultyRegistry, bodies, malformed, servers, wait_for

pytestmark = pytest.mark.timeout(300)

ROOT = support.TESTS.parent
ALERTS = ROOT / "helm" / "koine" / "alerts"
DASHBOARD = ROOT / "helm" / "koine" / "dashboards" / "koine.json"
# What Prometheus itself adds to every series, and what a histogram's parts have.
ADDED = {"job", "instance", "le"}
CANARY = "ZCANARYZ"


# ---- a real Prometheus ----

class Prometheus:
    """Debian's, as a plain process: scrapes one koine every two seconds, with the chart's rules."""

    def __init__(self, directory, target):
        self.port = servers.free_port()
        self.base = f"http://127.0.0.1:{self.port}/api/v1/"
        self.log = directory / "prometheus.log"
        shutil.copy(ALERTS / "koine.rules.yaml", directory)
        config = {"global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}, "rule_files": ["koine.rules.yaml"],
                  "scrape_configs": [{"job_name": "koine", "static_configs": [{"targets": [target]}]}]}
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.command = ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                        f"--web.listen-address=127.0.0.1:{self.port}"]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)

    def ask(self, path, **query):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        url = self.base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """[(labels, value)], as it is now."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=expression)["result"]]

    def scrapes(self):
        """How often koine was scraped so far."""
        try:
            found = self.query('count_over_time(up{job="koine"}[1h])')
        except OSError:
            return 0
        return found[0][1] if found else 0

    def wait_scrapes(self, more):
        since = self.scrapes()
        wait_for(lambda: self.scrapes() >= since + more, f"{more} more scrapes", 90, 0.2)


# ---- what is asked for ----

def reference():
    """{name: labels} of docs/metrics.md, each part of a histogram with its own name."""
    exposed = {}
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 4:
            continue
        name, kind, labels = cells[0].strip("`"), cells[1], set(re.findall(r"`(\w+)`", cells[2]))
        if kind == "histogram":
            exposed |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            exposed[name] = labels
    assert len(exposed) > 60
    return exposed


def asked(expression):
    """(metrics with the labels that are matched, labels that are grouped by) of a PromQL expression."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    metrics = {}
    for name, matchers in re.findall(r"\b(koine_\w+|messaging_\w+)\b(?:\{([^}]*)\})?", text):
        metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    grouped = {label.strip() for labels in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", text)
               for label in labels.split(",") if label.strip()}
    return metrics, grouped


def queries():
    """(title, expression) of every target of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def rules():
    return [(rule["alert"], rule["expr"]) for group in yaml.safe_load((ALERTS / "koine.rules.yaml").read_text())["groups"]
            for rule in group["rules"]]


def series_of(text):
    """(name, labels) of a series as promtool's tests write them."""
    name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", text).groups()
    return name, set(re.findall(r'(\w+)="', labels or ""))


def test_the_reader_of_expressions_reads_them():
    metrics, grouped = asked('sum by (le, vendor) (rate(koine_a_bucket{x=~"2..|koine_b", y!="1"}[5m])) > on (topic) koine_c or up == 0')
    assert metrics == {"koine_a_bucket": {"x", "y"}, "koine_c": set()} and grouped == {"le", "vendor", "topic"}
    assert series_of('koine_a{x="1", job="koine"}') == ("koine_a", {"x", "job"}) and series_of("up") == ("up", set())


# ---- the load ----

def with_canaries(node, path=""):
    """The same body with a canary in the place of every text and beside every key."""
    if isinstance(node, dict):
        return {key: with_canaries(value, f"{path}{key}") for key, value in node.items()} | {f"{CANARY}key{path}"[:60]: CANARY + "new"}
    if isinstance(node, list):
        return [with_canaries(value, path) for value in node]
    return f"{CANARY}{path}"[:120] if isinstance(node, str) else node


def load(vendor):
    """Every body as it is, once with canaries for texts and once with canaries beside its keys only."""
    headers = [("koine-path", CANARY.encode()), ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
               ("tracestate", f"v={CANARY}".encode()), ("x-any", CANARY.encode())]
    out = []
    for body in bodies(vendor).values():
        out.append({"value": body, "headers": headers if vendor != "bold" else []})
        document = json.loads(body)
        out.append({"value": json.dumps(with_canaries(document)).encode(), "headers": headers, "key": CANARY.encode()})
        beside = document | {f"{CANARY}field": CANARY} if isinstance(document, dict) else document
        out.append({"value": json.dumps(beside).encode()})
    return out


def broken():
    """A hundred of the hostile corpus that are not large."""
    cases = [case for case in malformed() if len(case["value"] or b"") < 100_000][:100]
    return [{"value": case["value"], "headers": case["headers"]} for case in cases]


def test_a_real_prometheus_finds_everything(stack, deploy, tmp_path):
    deployment = deploy({f"raw.{vendor}": (vendor, 2) for vendor in support.VENDORS} | {"raw.broken": ("spree", 1)})
    for topic, vendor in deployment.sources.items():
        deployment.sources[topic] = {"vendor": vendor, "expect_every": "1h"}
    authority = Authority(tmp_path / "authority")
    # Often enough that the registry is asked while somebody looks.
    deployment.more = {"metrics": {"messaging_names": True}, "registry": {"check_every": "500ms", "ca_file": str(authority.cert)}}
    with deployment.process() as koine, Prometheus(tmp_path, koine.base.removeprefix("http://")) as prometheus:
        # It has seen the zeros from which everything is counted.
        wait_for(lambda: prometheus.scrapes() >= 2, "Prometheus scrapes", 60, 0.2)
        sent = 0
        for topic in deployment.sources:
            vendor = topic.rsplit(".", 1)[1]
            records = broken() if vendor == "broken" else load(vendor)
            stack.produce(topic, records)
            sent += len(records)
        deployment.wait_consumed()
        wait_for(lambda: koine.total("consumed") >= sent, "every record is counted", 30)
        # The brokers are asked every 15 s, the producers' statistics come every 10 s.
        wait_for(lambda: any(name == "koine_brokers_reachable" for name, _, _ in koine.metrics()), "the brokers were asked", 60, 0.5)
        wait_for(lambda: all(value == 0 for name, _, value in koine.metrics() if name == "koine_consumer_lag_seconds"), "no lag", 60, 0.5)
        wait_for(lambda: any(name == "koine_consumer_lag_records" for name, _, _ in koine.metrics()), "the lag is known", 60, 0.5)
        prometheus.wait_scrapes(3)
        exposed = {}
        for name, labels, _ in koine.metrics():
            exposed.setdefault(name, set()).add(frozenset(labels))
        page = koine.get("/metrics")[1]

        # Every metric of the reference is there, on the page and in Prometheus, with the labels of the reference and no others.
        wanted = reference()
        assert exposed.keys() == wanted.keys()
        assert {name: labels for name, labels in exposed.items() if labels != {frozenset(wanted[name])}} == {}
        stored = set(prometheus.ask("label/__name__/values"))
        assert wanted.keys() <= stored, wanted.keys() - stored

        # What ends soon is said as the file has it.
        said = run("openssl", "x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in", authority.cert).strip().removeprefix("notAfter=")
        [(_, ends)] = prometheus.query('koine_certificate_expiry_timestamp_seconds{setting="registry.ca_file"}')
        assert datetime.datetime.fromisoformat(said.replace(" ", "T").replace("Z", "+00:00")).timestamp() == ends

        # Every query of the dashboard has data, and asks for nothing that is not there.
        for title, expression in queries():
            # A scrape that comes too late on a busy machine leaves a gap of one.
            has_data = lambda: any(not math.isnan(value) for _, value in prometheus.query(expression.replace("$__rate_interval", "5m")))
            wait_for(has_data, f"{title}: {expression}", 20, 0.5)
        for where, expression in queries() + rules():
            metrics, grouped = asked(expression)
            for name, matched in metrics.items():
                assert matched <= wanted[name], f"{where}: {name} has no {matched - wanted[name]}"
            known = ADDED.union(*(wanted[name] for name in metrics))
            assert grouped <= known, f"{where}: nothing in it has {grouped - known}"
        # So do the tests of the alerts.
        for case in yaml.safe_load((ALERTS / "alerts_test.yaml").read_text())["tests"]:
            for series in case["input_series"] or []:
                name, labels = series_of(series["series"])
                assert name == "up" or labels == wanted[name] | {"job", "instance"}, f"{case['name']}: {series['series']}"

        # The rules are whole, and they say what happened and nothing else.
        loaded = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert sorted(rule["name"] for rule in loaded) == sorted(name for name, _ in rules())
        assert {rule["name"]: rule.get("lastError") for rule in loaded if rule["health"] != "ok"} == {}
        firing = {alert["labels"]["alertname"] for alert in prometheus.ask("alerts")["alerts"] if alert["state"] == "firing"}
        assert firing == {"KoineDeadLetterAny", "KoineUnknownEventType", "KoineSchemaDrift"}

        # It adds up, and no label is made of a payload.
        assert prometheus.query("max(abs(koine_ledger_imbalance))") == [({}, 0)]
        outcomes = {labels["outcome"]: value for labels, value in prometheus.query("sum by (outcome) (koine_records_outcome_total)")}
        [(_, consumed)] = prometheus.query("sum(koine_records_consumed_total)")
        assert consumed == sent <= sum(outcomes.values()) and all(outcomes[word] > 20 for word in ("event", "ignored", "dead_letter"))
        labels = {value for labels, _ in prometheus.query('{__name__=~"koine_.+|messaging_.+"}') for value in labels.values()}
        assert len(labels) > 200 and not any(CANARY.lower() in value.lower() for value in labels)
        koine.stop()
    assert CANARY.lower() not in page.lower()
    # They went through, and would have been seen.
    letters = stack.read(deployment.dead, decode=None)
    assert any(CANARY.encode() in (letter.value or b"") for letter in letters)


def test_opentelemetrys_names_are_there_on_request_only(deploy):
    with deploy({"raw.spree": ("spree", 1)}).process() as koine:
        assert "messaging_" not in koine.get("/metrics")[1]


# ---- probes ----

def ready(koine):
    """What the metric says, which has to be what /readyz says. Asked again where it changes between the two."""
    def both():
        [value] = [value for name, _, value in koine.metrics() if name == "koine_ready"]
        status = koine.status("/readyz")
        return (value,) if (value, status) in ((1, 200), (0, 503)) else None
    return wait_for(lambda: koine.alive() and both(), "koine_ready is what /readyz says", 30, 0.1)[0] == 1


@pytest.fixture
def own_broker(tmp_path):
    """A broker that can be stopped without taking it away from others."""
    broker = servers.start_kafka(tmp_path / "kafka")
    yield broker
    broker.stop()


def test_with_everything_away_it_lives_and_is_not_ready_until_it_is_back(stack, koine, own_broker, tmp_path):
    world = support.Stack(own_broker.brokers, stack.registry, None)
    proxy = FaultyRegistry(stack.registry)
    world.create({"probe.raw.spree": 2})
    deployment = support.Deployment(world, koine, tmp_path, "probe.", {"probe.raw.spree": "spree"}, "probe.koine")
    deployment.registry = proxy.url
    deployment.more = {"registry": {"timeout": "1s", "check_every": "200ms", "longest_pause": "1s"}, "http": {"dead_after": "30s"}}
    deployment.create_outputs()
    deployment.register()
    bulk = support.Bulk("spree")
    with deployment.process() as running:
        world.produce("probe.raw.spree", bulk.take(100))
        deployment.wait_consumed()
        assert ready(running)
        proxy.fault = "reset"
        own_broker.stop()
        wait_for(lambda: running.status("/readyz") == 503, "not ready without a broker", 60, 0.2)
        assert "no broker answers" in running.get("/readyz")[1]
        # Longer than a heartbeat may be old.
        until = time.monotonic() + 35
        while time.monotonic() < until:
            assert running.alive() and running.status("/livez") == 200 and running.status("/readyz") == 503
            time.sleep(0.5)
        states = {labels["state"] for name, labels, value in running.metrics() if name == "koine_schema_registry_state" and value}
        assert states == {"away"}
        assert [value for name, _, value in running.metrics() if name == "koine_brokers_reachable"] == [0]
        assert not ready(running)
        assert not any(name == "koine_consumer_lag_records" for name, _, _ in running.metrics()), "an old number is no lag"
        proxy.fault = None
        own_broker.start()
        wait_for(lambda: running.alive() and running.status("/readyz") == 200, "ready again", 90, 0.2)
        assert ready(running)
        assert [value for name, _, value in running.metrics() if name == "koine_brokers_reachable"] == [1]
        world.produce("probe.raw.spree", bulk.take(100))
        wait_for(lambda: running.alive() and running.total("outcome", outcome="event") == 200, "all went through", 90)
        running.stop()
    proxy.close()


def test_a_process_that_waits_for_its_topics_from_the_start_says_so(stack, koine, tmp_path):
    """It has no worker, no lag and no count; it lives, and only this tells."""
    prefix = "waiting."
    stack.create({f"{prefix}raw.spree": 1})
    deployment = support.Deployment(stack, koine, tmp_path, prefix, {f"{prefix}raw.spree": "spree"}, f"{prefix}koine")
    deployment.register()
    process = deployment.process()
    try:
        process.start()
        wait_for(lambda: process.alive() and "waiting for topics" in process.output(), "it waits", 60)
        assert not ready(process) and process.status("/livez") == 200 and "no worker" in process.get("/readyz")[1]
        deployment.create_outputs()
        process.wait_ready()
        assert ready(process)
        process.stop()
    finally:
        process.kill()


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Halted:
    """One thread of a process held still, all others running: what SIGSTOP cannot do."""

    def __init__(self, pid, name):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        [self.thread] = [int(task.name) for task in tasks if (task / "comm").read_text().strip() == name]
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.libc.ptrace.restype = ctypes.c_long

    def ptrace(self, request):
        assert self.libc.ptrace(request, self.thread, None, None) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        # __WALL: a thread is waited for as if it were a child.
        os.waitpid(self.thread, 0x40000000)
        return self

    def __exit__(self, *_):
        self.ptrace(PTRACE_DETACH)


def test_a_poll_loop_that_hangs_is_dead_and_nothing_else_is(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 1)})
    deployment.more = {"http": {"dead_after": "3s"}}
    [topic] = deployment.sources
    bulk = support.Bulk("spree")
    with deployment.process() as koine:
        stack.produce(topic, bulk.take(10))
        deployment.wait_consumed()
        assert koine.status("/livez") == 200
        with Halted(koine.process.pid, "koine-worker-0"):
            wait_for(lambda: koine.status("/livez") == 503, "/livez finds it", 30, 0.1)
            assert "worker 0 has not polled for" in koine.get("/livez")[1]
            assert koine.status("/metrics") == 200, "the pages are served all the same"
        wait_for(lambda: koine.status("/livez") == 200, "it polls again", 30, 0.1)
        stack.produce(topic, bulk.take(10))
        deployment.wait_consumed()
        koine.stop()


# ---- traces ----

class Collector:
    """Takes OTLP over HTTP as a collector does: protobuf by opentelemetry-proto's own definitions, nothing else. `issued`: over TLS,
    with this certificate and key."""

    def __init__(self, issued=None):
        self.spans, self.resources, self.status = [], [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
                request = ExportTraceServiceRequest.FromString(body)
                # A parser skips what it does not know: nothing of that may be in there.
                assert not UnknownFieldSet(request) and request.SerializeToString() == body
                if outer.status == 200:
                    for of_resource in request.resource_spans:
                        outer.resources.append({pair.key: pair.value.string_value for pair in of_resource.resource.attributes})
                        outer.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if issued:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*issued)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = f"http{'s' if issued else ''}://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(span):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


def traceparent(trace, flags="01"):
    return [("traceparent", f"00-{trace:032x}-{trace + 1:016x}-{flags}".encode())]


def test_spans_reach_a_collector_linked_to_their_producers(stack, deploy):
    collector = Collector()
    deployment = deploy({"raw.spree": ("spree", 2)})
    [topic] = deployment.sources
    good, ignored = bodies("spree")["order.completed"], b'{"id":"e1","name":"import.created","created_at":"2026-01-15T10:00:00Z","data":{"id":"i"}}'
    records = [{"value": good, "partition": 0, "headers": traceparent(0x1000)},
               {"value": b"{" + CANARY.encode(), "partition": 0, "headers": traceparent(0x2000), "key": CANARY.encode()},
               {"value": ignored, "partition": 0, "headers": traceparent(0x3000)},
               {"value": None, "partition": 0},
               {"value": good, "partition": 0, "headers": traceparent(0x4000, "00")}]
    deployment.more = {"traces": {"endpoint": collector.endpoint, "one_in": 1}}
    before = time.time_ns()
    with deployment.process() as koine:
        stack.produce(topic, records)
        deployment.wait_consumed()
        wait_for(lambda: len(collector.spans) == 4, "the spans are there", 30)
        after = time.time_ns()
        # What waits at the end is sent as well.
        stack.produce(topic, [{"value": good, "partition": 1, "headers": traceparent(0x5000)}])
        deployment.wait_consumed()
        koine.stop()
    spans = {attributes(span)["messaging.kafka.offset"]: span for span in collector.spans[:4]}
    assert len(collector.spans) == 5 and spans.keys() == {0, 1, 2, 3}, "the producer of the last one has chosen not to"
    assert {resource["service.name"] for resource in collector.resources} == {"koine"}
    assert len({span.trace_id for span in collector.spans}) == 5 and all(len(span.trace_id) == 16 for span in collector.spans)
    for offset, trace in enumerate((0x1000, 0x2000, 0x3000)):
        [link] = spans[offset].links
        assert (int.from_bytes(link.trace_id, "big"), int.from_bytes(link.span_id, "big")) == (trace, trace + 1)
        assert not spans[offset].parent_span_id and spans[offset].trace_id != link.trace_id, "linked, and no child"
    assert not spans[3].links
    for span in spans.values():
        assert (span.name, span.kind) == (f"process {topic}", 5)
        assert before <= span.start_time_unix_nano <= span.end_time_unix_nano <= after
        assert attributes(span).items() >= {"messaging.system": "kafka", "messaging.destination.name": topic,
                                            "messaging.destination.partition.id": "0", "messaging.operation.type": "process",
                                            "messaging.consumer.group.name": deployment.group, "koine.vendor": "spree"}.items()
    outcomes = [(attributes(spans[n])["koine.outcome"], spans[n].status.code, spans[n].status.message) for n in range(4)]
    assert outcomes == [("event", 0, ""), ("dead_letter", 2, "json.syntax"), ("ignored", 0, ""), ("dead_letter", 2, "body.empty")]
    assert [attributes(spans[n])["messaging.kafka.message.tombstone"] for n in range(4)] == [False, False, False, True]
    assert CANARY not in str(collector.spans)
    collector.close()


def test_a_collector_that_is_away_holds_up_nothing(stack, deploy):
    collector = Collector()
    collector.status = 503
    deployment = deploy({"raw.spree": ("spree", 1)})
    [topic] = deployment.sources
    deployment.more = {"traces": {"endpoint": collector.endpoint, "one_in": 10}}
    with deployment.process() as koine:
        # Without a traceparent, one in ten by the offset.
        stack.produce(topic, support.Bulk("spree").take(200))
        deployment.wait_consumed()
        spans = lambda: {labels["result"]: value for name, labels, value in koine.metrics() if name == "koine_trace_spans_total"}
        wait_for(lambda: spans() == {"exported": 0, "failed": 20, "dropped": 0}, "spans that were not taken are counted", 30)
        collector.status = 200
        stack.produce(topic, support.Bulk("spree").take(100))
        deployment.wait_consumed()
        wait_for(lambda: spans() == {"exported": 10, "failed": 20, "dropped": 0}, "and the next ones are sent", 30)
        assert koine.output().count("spans were not taken") == 1
        koine.stop()
    collector.close()


def test_spans_go_over_tls_to_whom_the_authority_has_signed(stack, deploy, tmp_path):
    """And to nobody else: then they are lost, and nothing with them."""
    right, wrong = Authority(tmp_path / "right"), Authority(tmp_path / "wrong", "another-test-ca")
    collector = Collector(right.issue("collector"))
    deployment = deploy({"raw.spree": ("spree", 1)})
    [topic] = deployment.sources
    bulk = support.Bulk("spree")
    spans = lambda koine: {labels["result"]: value for name, labels, value in koine.metrics() if name == "koine_trace_spans_total"}
    deployment.more = {"traces": {"endpoint": collector.endpoint, "one_in": 1, "ca_file": str(right.cert)}}
    with deployment.process() as koine:
        stack.produce(topic, bulk.take(20))
        deployment.wait_consumed()
        wait_for(lambda: spans(koine) == {"exported": 20, "failed": 0, "dropped": 0}, "the spans are taken", 30)
        assert any(labels == {"setting": "traces.ca_file"} for name, labels, _ in koine.metrics()
                   if name == "koine_certificate_expiry_timestamp_seconds")
        koine.stop()
        assert "spans were not taken" not in koine.output()
    assert [attributes(span)["messaging.kafka.offset"] for span in collector.spans] == list(range(20))

    deployment.more["traces"]["ca_file"] = str(wrong.cert)
    with deployment.process() as koine:
        stack.produce(topic, bulk.take(20))
        deployment.wait_consumed()
        wait_for(lambda: spans(koine) == {"exported": 0, "failed": 20, "dropped": 0}, "the spans are not sent", 30)
        assert koine.status("/readyz") == 200 and koine.total("outcome", outcome="event") == 20
        [line] = [line for line in koine.output().splitlines() if "spans were not taken" in line]
        assert "WARN" in line and "certificate" in line.lower(), "it says why"
        koine.stop()
    assert len(collector.spans) == 20
    events = [support.at(record.event, "meta.source.event_id") for record in stack.read(deployment.canonical, decode="fastavro")]
    assert len(events) == len(set(events)) == 40, "each record once, whatever became of its span"
    collector.close()
