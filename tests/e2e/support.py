"""What the end-to-end tests share: raw records in, records out through two decoders, koine as a process, the Java oracles.

What is not final about koine's outside is named once: config() for the configuration file, dlq_topic() for the name of a
dead-letter topic under a prefix, METRICS for the counters.
"""
import datetime
import decimal
import http.server
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import fastavro
import yaml
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBindingFilter, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewTopic,
                                   OffsetSpec)
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "stack"))
import stack as servers  # noqa: E402  (lies beside, not installed)

FIXTURES = TESTS / "fixtures"
VENDORS = ("bspk", "spree", "composer", "bold")
CANONICAL = ("commerce.customer.v1", "commerce.cart.v1", "commerce.order.v1", "commerce.product.v1")
METRICS = {"consumed": "koine_records_consumed_total", "outcome": "koine_records_outcome_total"}
SESSION_TIMEOUT_MS = 6000


def config(brokers, registry, group, sources, prefix, delivery, port, instance):
    """koine's configuration file; `sources` is {raw topic: vendor, or all that the source sets}."""
    return {
        "kafka": {"bootstrap_servers": brokers, "group": group, "properties": {"session.timeout.ms": SESSION_TIMEOUT_MS}}
                 | ({"instance": instance} if instance else {}),
        "registry": {"url": registry},
        "sources": [{"topics": [topic]} | (source if isinstance(source, dict) else {"vendor": source}) for topic, source in sources.items()],
        # Two deployments may read the same raw topics.
        "topics": {"prefix": prefix, "dead_letter_prefix": f"dlq.{prefix}"},
        "delivery": delivery,
        # Where a test has some thousands of records, they are to be several transactions.
        "batch": {"records": 1000},
        "http": {"listen": f"127.0.0.1:{port}"},
    }


def merged(one, other):
    """`other` over `one`, section by section."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return one | {key: merged(one[key], value) if key in one else value for key, value in other.items()}


def dlq_topic(prefix, raw):
    return f"dlq.{prefix}{raw}"


def wait_for(condition, what, seconds, pause=0.05):
    """Polls until `condition()` is true and returns what it returned; the deadline only bounds a test that hangs."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(pause)


# What a broker that has just started, and has not read its own topics yet, answers to whoever asks it.
NOT_YET = {KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR,
           KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.FENCED_LEADER_EPOCH,
           KafkaError.UNKNOWN_LEADER_EPOCH}
# What a client says while a broker is away. It tries again by itself.
CONNECTS_AGAIN = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}


def answered(question, seconds=60):
    """What `question()` returns, asked again while the broker says that it cannot tell yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


# ---- values as `koine translate` prints them ----

def rfc3339(moment):
    moment = moment.astimezone(datetime.timezone.utc)
    text = moment.strftime("%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.date().isoformat()}T{text}{fraction}Z"


def normalise(value):
    """A decoded Avro datum as plain JSON: exact shortest decimals, RFC 3339 UTC, dates as YYYY-MM-DD, other bytes as hex."""
    if isinstance(value, dict):
        return {key: normalise(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalise(item) for item in value]
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if value == 0 else text
    if isinstance(value, datetime.datetime):
        return rfc3339(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


MISSING = object()


def at(document, path):
    """The value at a dotted path, numbers being places in lists; a map's key may hold dots itself (`extensions./data/a.b`)."""
    if path == "":
        return document
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        head, rest = ".".join(parts[:length]), ".".join(parts[length:])
        if isinstance(document, dict) and head in document:
            return at(document[head], rest)
        if isinstance(document, list) and head.isdigit() and int(head) < len(document):
            return at(document[int(head)], rest)
    return MISSING


def malformed():
    """The hostile corpus; of a body that is filled up, the text is made here."""
    cases = json.loads((FIXTURES / "malformed.json").read_text())
    for case in cases:
        if "file" in case:
            case["value"] = (FIXTURES / "malformed" / case["file"]).read_bytes()
        elif "fill" in case:
            times = lambda part, n: "".join(part.replace("<n>", str(nth)) for nth in range(n))
            case["value"] = "".join(p if isinstance(p, str) else times(*p) for p in case["fill"]).encode()
        else:
            assert case["null"]
            case["value"] = None
        # After those that the test itself puts on every record.
        case["headers"] = [(name, value and value.encode()) for name, value in case.get("headers", [])]
    return cases


# ---- Kafka ----

@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list
    event: dict | None = None

    @property
    def source(self):
        source = self.event["meta"]["source"]
        return source["topic"], source["partition"], source["offset"]


def exactly(binding):
    """The filter that finds this rule and no other."""
    return AclBindingFilter(binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host, binding.operation,
                            binding.permission_type)


class Stack:
    """The running broker and registry, as the tests use them."""

    def __init__(self, brokers, registry, classpath):
        self.brokers, self.registry, self.classpath = brokers, registry, classpath
        self.admin = AdminClient({"bootstrap.servers": brokers})
        self.client = SchemaRegistryClient({"url": registry})
        self.avro = AvroDeserializer(self.client)
        self.schemas = {}
        self.known_partitions = {}

    def create(self, topics, **settings):
        """Creates {name: partitions}; retention and cleanup policy are the broker's (delete, for ever)."""
        for name, done in self.admin.create_topics([NewTopic(t, n, 1, config=settings) for t, n in topics.items()]).items():
            done.result(30)
        known = lambda: self.admin.list_topics(timeout=10).topics
        wait_for(lambda: set(topics) <= set(known()), "topics created", 30)

    def configure(self, topic, name, value):
        """Sets one setting of a topic; `None`: back to the default. The broker answers when the change is decided on, which
        is a little before it acts on it, so this waits until it says it does."""
        operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        entry = ConfigEntry(name, value or "", incremental_operation=operation)
        for done in self.admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])]).values():
            done.result(30)

        def acts():
            [asked] = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
            now = asked.result(30)[name]
            return now.source != ConfigSource.DYNAMIC_TOPIC_CONFIG.value if value is None else now.value == value
        wait_for(acts, f"{name} of {topic} is {value}", 30)

    def grant(self, bindings):
        """Adds the rules, and waits as `configure` does."""
        for done in self.admin.create_acls(bindings, request_timeout=20).values():
            done.result(30)
        wait_for(lambda: all(self._rules(exactly(binding)) for binding in bindings), "the rules hold", 30)

    def withdraw(self, pattern):
        """Takes away what the filter finds, waits as `configure` does, and returns what it took."""
        [done] = self.admin.delete_acls([pattern], request_timeout=20).values()
        gone = done.result(30)
        wait_for(lambda: not self._rules(pattern), "the rules hold no more", 30)
        return gone

    def _rules(self, pattern):
        return self.admin.describe_acls(pattern, request_timeout=20).result(30)

    def partitions(self, topics):
        """Asked for once a topic: no test changes the number, and some tests poll offsets as fast as they can."""
        if not self.known_partitions.keys() >= set(topics):
            metadata = self.admin.list_topics(timeout=10).topics
            self.known_partitions |= {t: sorted(metadata[t].partitions) for t in topics}
        return [TopicPartition(t, p) for t in topics for p in self.known_partitions[t]]

    def produce(self, topic, records):
        """Writes raw records (dicts: value, and key, headers, timestamp, partition if wanted), in their order; returns
        their (partition, offset). Headers are a list of (name, bytes or None), repeats included."""
        producer = Producer({"bootstrap.servers": self.brokers, "enable.idempotence": True, "linger.ms": 5,
                             "message.max.bytes": 16_000_000, "queue.buffering.max.messages": 1_000_000})
        places = [None] * len(records)
        failed = []

        def delivered(index):
            def callback(error, message):
                if error:
                    failed.append(error)
                else:
                    places[index] = (message.partition(), message.offset())
            return callback

        for index, record in enumerate(records):
            extra = {name: record[name] for name in ("timestamp", "partition") if name in record}
            producer.produce(topic, value=record["value"], key=record.get("key"), headers=record.get("headers"),
                             on_delivery=delivered(index), **extra)
            producer.poll(0)
        assert producer.flush(60) == 0 and not failed, failed
        return places

    def ends(self, topics, isolation=IsolationLevel.READ_UNCOMMITTED):
        asked = {p: OffsetSpec.latest() for p in self.partitions(topics)}

        def ask():
            results = self.admin.list_offsets(asked, isolation_level=isolation, request_timeout=20)
            return {(p.topic, p.partition): r.result().offset for p, r in results.items()}
        return answered(ask)

    def open_transactions(self, topics):
        """The partitions whose last stable offset is behind their end."""
        stable = self.ends(topics, IsolationLevel.READ_COMMITTED)
        return [place for place, end in self.ends(topics).items() if stable[place] < end]

    def settled(self, topics):
        """Waits until no transaction is open: read_committed then sees everything that will ever be there."""
        wait_for(lambda: not self.open_transactions(topics), "no open transaction", 60)

    def committed(self, group, topics):
        asked = [ConsumerGroupTopicPartitions(group, self.partitions(topics))]
        answer = answered(lambda: self.admin.list_consumer_group_offsets(asked, require_stable=True)[group].result(20))
        return {(p.topic, p.partition): p.offset for p in answer.topic_partitions}

    def consumed(self, group, topics):
        """Whether the group's committed offsets have reached the ends. Raw topics hold no markers, so the two can be equal."""
        committed = self.committed(group, topics)
        return all(committed[place] == end or end == 0 for place, end in self.ends(topics).items())

    def read(self, topics, decode="both"):
        """Every committed record of the topics. decode: "both" decoders, which must agree; "fastavro" alone; None."""
        topics = list(topics)
        self.settled(topics)
        ends = self.ends(topics, IsolationLevel.READ_COMMITTED)
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": f"reader-{uuid.uuid4()}", "enable.auto.commit": False,
                             "isolation.level": "read_committed", "auto.offset.reset": "earliest",
                             "enable.partition.eof": True, "fetch.message.max.bytes": 16_000_000})
        waiting = {place for place, end in ends.items() if end > 0}
        found, trouble = [], []
        try:
            consumer.assign([TopicPartition(t, p, 0) for t, p in waiting])
            deadline = time.monotonic() + 120
            while waiting:
                assert time.monotonic() < deadline, f"not at the end of {waiting}: {trouble}"
                for message in consumer.consume(1000, 0.5):
                    if message.error() and message.error().code() in CONNECTS_AGAIN:
                        trouble.append(message.error())
                        continue
                    if message.error():
                        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                        waiting.discard((message.topic(), message.partition()))
                        continue
                    record = Record(message.topic(), message.partition(), message.offset(), message.timestamp()[1],
                                    message.key(), message.value(), message.headers() or [])
                    if decode:
                        record.event = self.decode(record, decode)
                    found.append(record)
        finally:
            consumer.close()
        return found

    def decode_value(self, value):
        """The datum. It reads the frame itself: a zero byte, the schema's id, then exactly one datum."""
        assert value[0] == 0, "not the Confluent wire format"
        number = int.from_bytes(value[1:5], "big")
        if number not in self.schemas:
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{number}", timeout=10) as answer:
                self.schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        rest = io.BytesIO(value[5:])
        datum = fastavro.schemaless_reader(rest, self.schemas[number])
        assert rest.read() == b"", "bytes after the datum"
        return datum

    def decode(self, record, how):
        """The value as plain JSON, ours and, if both are wanted, the registry client's."""
        ours = normalise(self.decode_value(record.value))
        if how == "both":
            theirs = normalise(self.avro(record.value, SerializationContext(record.topic, MessageField.VALUE)))
            assert ours == theirs
        return ours

    def java(self, main, *arguments):
        servers.build_java()
        return subprocess.run(["java", "-Xmx512m", "-cp", self.classpath, main, *map(str, arguments)], check=True, timeout=180,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout

    def java_read(self, topics):
        """What Avro's Java implementation reads: {(topic, partition, offset): line of ReadAll}."""
        lines = map(json.loads, self.java("ReadAll", self.brokers, self.registry, *topics).splitlines())
        return {(line["topic"], line["partition"], line["offset"]): line for line in lines}


# ---- koine ----

def environment(**extra):
    """The environment without what koine would take for configuration."""
    return {k: v for k, v in os.environ.items() if not k.startswith("KOINE_")} | extra


@dataclass
class Deployment:
    """One koine: its prefix, its group, its topics. `sources` is {raw topic: vendor, or all that the source sets}."""
    stack: Stack
    binary: Path
    directory: Path
    prefix: str
    sources: dict
    group: str
    delivery: str = "exactly_once"
    registry: str | None = None
    # None: each process takes a random name, as the pods of a Kubernetes Deployment do.
    instance: str | None = "test"
    started: int = field(default=0)
    # Sections of the configuration, merged over what config() makes.
    more: dict = field(default_factory=dict)

    @property
    def canonical(self):
        return [self.prefix + topic for topic in CANONICAL]

    @property
    def dead(self):
        return [dlq_topic(self.prefix, raw) for raw in self.sources]

    def create_outputs(self, canonical=3, dead=2, **settings):
        """`settings` are the canonical topics'."""
        self.stack.create({t: canonical for t in self.canonical}, **settings)
        self.stack.create({t: dead for t in self.dead})

    def write_config(self, name, port, registry=None):
        path = self.directory / f"{name}.yaml"
        made = config(self.stack.brokers, registry or self.stack.registry, self.group, self.sources, self.prefix, self.delivery, port,
                      self.instance)
        path.write_text(yaml.safe_dump(merged(made, self.more), sort_keys=False))
        return path

    def register(self):
        """Always at the real registry, also where `run` is given another address."""
        path = self.write_config("register", servers.free_port())
        done = subprocess.run([self.binary, "schemas", "register", "--config", path], env=environment(), cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def process(self, **extra):
        """`extra`: environment variables."""
        self.started += 1
        port = servers.free_port()
        name = f"koine-{self.started}"
        config_file = self.write_config(name, port, self.registry)
        return KoineProcess(self.binary, config_file, port, self.directory / name, extra)

    def wait_consumed(self, seconds=90):
        wait_for(lambda: self.stack.consumed(self.group, list(self.sources)), f"{self.group} consumed everything", seconds, 0.1)


class KoineProcess:
    """`koine run` as a context manager. Entering starts it and waits until it is ready; leaving kills what still runs."""

    def __init__(self, binary, config_file, port, directory, extra):
        self.config_file = str(config_file)
        self.command = [str(binary), "run", "--config", self.config_file]
        self.environment = environment(**extra)
        self.base = f"http://127.0.0.1:{port}"
        self.directory = directory
        self.process = None

    def __enter__(self):
        try:
            return self.start().wait_ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, failure, *_):
        self.kill()
        if failure:
            # What it said is the only witness of what went wrong, and pytest shows it with the failure.
            print(f"---- the end of what {self.directory.name} said\n{self.output()[-20_000:]}")

    def start(self):
        self.directory.mkdir()
        with open(self.directory / "stdout", "wb") as out, open(self.directory / "stderr", "wb") as err:
            self.process = subprocess.Popen(self.command, env=self.environment, cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        return self

    def wait_ready(self, seconds=60):
        wait_for(lambda: self.alive() and self.status("/readyz") == 200, "koine ready", seconds)
        return self

    def alive(self):
        """Raises rather than answers no: nothing that waits for a dead koine is worth its deadline."""
        code = self.process.poll()
        assert code is None, f"koine ended with {code}:\n{self.output()[-4000:]}"
        return True

    def output(self):
        return "".join((self.directory / name).read_text(errors="replace") for name in ("stdout", "stderr"))

    def get(self, path):
        """(status, body), or (None, "") while nothing listens."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def status(self, path):
        return self.get(path)[0]

    def metrics(self):
        """[(name, labels, value)] of /metrics."""
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics: {status}"
        samples = []
        for line in text.splitlines():
            match = re.fullmatch(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?', line)
            if match:
                samples.append((match[1], dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")), float(match[3])))
        return samples

    def total(self, which, **labels):
        """The sum of a counter of METRICS over all samples that have these labels; 0 where there is none yet, as for a
        topic of which nothing was committed."""
        samples = [s for s in self.metrics() if s[0] == METRICS[which]]
        return int(sum(value for _, have, value in samples if labels.items() <= have.items()))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self):
        """SIGTERM: drains, commits, leaves the group and exits 0, within 10 s."""
        self.alive()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"koine still runs 10 s after SIGTERM:\n{self.output()[-4000:]}") from None
        assert code == 0, f"koine ended with {code} after SIGTERM:\n{self.output()[-4000:]}"


class FaultyRegistry:
    """The real registry behind a proxy that can answer in its place. `fault`: None (forwards), a status, "hang" (no answer
    while the fault lasts), "reset"; or a function of (method, path, body), which answers (status, body), or None to
    forward. `seen` counts the requests by fault."""

    def __init__(self, url):
        self.target = url
        self.seen = Counter()
        self._fault = None
        self._changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = outer.fault
                outer.seen[fault if fault is None or isinstance(fault, (int, str)) else "answer"] += 1
                if fault == "hang":
                    outer.wait_while("hang")
                if fault in ("hang", "reset"):
                    self.close_connection = True
                    # A close with an RST, not a goodbye.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if isinstance(fault, int):
                    extra = {429: [("Retry-After", "1")]}.get(fault, [])
                    return self.reply(fault, json.dumps({"error_code": fault, "message": "told to"}).encode(), extra)
                if callable(fault) and (made := fault(self.command, self.path, body)):
                    return self.reply(made[0], made[1].encode(), [])
                request = urllib.request.Request(outer.origin + self.path, body or None, method=self.command, headers={
                    name: value for name, value in self.headers.items() if name.lower() in ("content-type", "accept")})
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        self.reply(answer.status, answer.read(), [])
                except urllib.error.HTTPError as error:
                    self.reply(error.code, error.read(), [])

            def reply(self, status, body, extra):
                self.send_response(status)
                for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *extra]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # koine hangs up on what hangs

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.origin, path = re.fullmatch(r"(https?://[^/]+)(.*)", url).groups()
        self.url = f"http://127.0.0.1:{self.server.server_port}{path}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def fault(self):
        with self._changed:
            return self._fault

    @fault.setter
    def fault(self, fault):
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def wait_while(self, fault):
        with self._changed:
            self._changed.wait_for(lambda: self._fault != fault, 600)

    def close(self):
        self.fault = None
        self.server.shutdown()
        self.server.server_close()


class Door:
    """A loopback port before a server. Shut, it accepts and hangs up, and counts who knocked; open, it forwards."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.knocks = 0
        self.is_open = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                guest, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_open:
                self.knocks += 1
                guest.close()
                continue
            host = socket.create_connection(self.target)
            for a, b in ((guest, host), (host, guest)):
                threading.Thread(target=self._pipe, args=(a, b), daemon=True).start()

    @staticmethod
    def _pipe(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


# ---- bodies ----

def bodies(vendor):
    """{name: bytes} of the fixtures, in a fixed order."""
    files = sorted((FIXTURES / "bodies" / vendor).glob("*.json"))
    assert files, f"no fixture bodies for {vendor}"
    return {f.name.removesuffix(".json"): f.read_bytes() for f in files}


def expectations(vendor):
    return json.loads((FIXTURES / "expected" / f"{vendor}.json").read_text())


# Small bodies that always become an event: the fixture, and where its ids stand.
BULK = {
    "bspk": ("cart.created", [("object", "id")]),
    "spree": ("product.created", [("id",), ("data", "id")]),
    "bold": ("product.saved", [("data", "product", "platform_id")]),
}


class Bulk:
    """Any number of small bodies of a vendor, each with ids of its own."""

    def __init__(self, vendor):
        name, places = BULK[vendor]
        document = json.loads(bodies(vendor)[name])
        for *path, last in places:
            node = document
            for step in path:
                node = node[step]
            node[last] = "@ID@"
        self.template = json.dumps(document, ensure_ascii=False)
        self.made = 0

    def body(self, number):
        return self.template.replace("@ID@", f"id-{number:012d}").encode()

    def take(self, count):
        numbers = range(self.made, self.made + count)
        self.made += count
        return [{"key": b"%d" % n, "value": self.body(n)} for n in numbers]
