"""Where contestants meet: a Kafka and a registry of the bench's own, raw topics filled with a corpus, what is counted in the topics that
come out of it, and processes whose use of the machine is measured. It knows no contestant.
"""
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

import corpus

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import support  # noqa: E402  (lies there, not installed)
from support import servers  # noqa: E402

WORK = servers.STACK.parent / "bench"
SCHEMA = BENCH / "peers" / "order.avsc"
SUBJECT = "bench-order-value"
PARTITIONS = 4
SAMPLES = 240
# A record counts as one in so many for the bytes of its headers, which are dear to look at.
HEADERS_OF = 100
PATIENCE_S = 600
# So many groups and transactional ids fall on every partition of the broker's own topics, of which it has 4 each.
ENOUGH_NAMES = 16
# As the peers' are, so that raw topics lie on the disk as they would behind a gateway that cares.
LOADER = {"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 50, "batch.size": 262144, "partitioner": "murmur2_random",
          "message.max.bytes": 16_000_000, "queue.buffering.max.messages": 200_000, "queue.buffering.max.kbytes": 131_072, "log_level": 3}
# A deleted topic's files go at once: there are many of them.
SOON = {"file.delete.delay.ms": 1000}
# The time of a record is then the broker's, of its arrival.
ARRIVAL = {"message.timestamp.type": "LogAppendTime"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, which):
    """VmHWM, the most so far, or VmRSS, now; None of a process that is gone."""
    try:
        found = re.search(rf"{which}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return found and int(found[1]) / 1024


@dataclass
class Raw:
    """A topic that holds webhooks and nothing else."""
    topic: str
    vendor: str
    count: int
    bytes: int
    cart_bytes: int | None = None

    def bodies(self, keys):
        """{key: [what was sent with it]}."""
        if self.cart_bytes:
            return {key: [corpus.cart(self.cart_bytes)] for key in keys}
        found = {key: [] for key in keys}
        for key, body in corpus.records(self.vendor, min(self.count, corpus.DISTINCT), WORK / "corpus"):
            if key in found:
                found[key].append(body)
        return found


@dataclass
class Output:
    """What a contestant has written, as a read_committed reader finds it. Times are the broker's, in seconds."""
    records: int = 0
    bytes: int = 0
    header_bytes: int = 0
    times: list = field(default_factory=list)
    sample: list = field(default_factory=list)


class World:
    """Kafka and registry, up while the context lasts."""

    def __init__(self):
        self.run = WORK / "run"
        self.made = 0
        self.raws = {}

    def __enter__(self):
        self.leave = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.kafka, self.registry = servers.Kafka(self.run / "kafka"), servers.Registry(self.run / "registry")
        try:
            self.kafka.start()
            self.registry.start()
            self.stack = support.Stack(self.kafka.brokers, self.registry.url, servers.CLASSPATH)
            self.schema_id = self.register()
            self.warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # Its connections end before the broker does.
        self.stack = None
        self.kafka.stop()
        self.registry.stop()
        # Gigabytes, and good for nothing any more.
        shutil.rmtree(self.run / "kafka" / "data", ignore_errors=True)
        signal.signal(signal.SIGTERM, self.leave)

    def warm_up(self):
        """A broker makes its topics for groups and transactions when it is first asked, and answers late and with errors meanwhile: that
        is to meet no contestant."""
        topic = self.fresh("warm")
        self.create({topic: 1})
        for n in range(ENOUGH_NAMES):
            producer = Producer({"bootstrap.servers": self.kafka.brokers, "transactional.id": f"{topic}.{n}", "log_level": 3})
            producer.init_transactions(60)
            consumer = self.reader(**{"group.id": f"{topic}.{n}"})
            # Not by the admin client: told to ask again, it has crashed the whole process (confluent-kafka 2.16).
            support.wait_for(lambda: self.is_known(consumer, topic), "the coordinators of groups", 60)
            consumer.close()
        self.delete([topic])

    @staticmethod
    def is_known(consumer, topic):
        try:
            return consumer.committed([TopicPartition(topic, 0)], 60)
        except KafkaException as error:
            if error.args[0].code() in support.NOT_YET:
                return False
            raise

    def register(self):
        request = urllib.request.Request(f"{self.registry.url}/subjects/{SUBJECT}/versions",
                                         json.dumps({"schema": SCHEMA.read_text()}).encode(),
                                         {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["id"]

    def fresh(self, kind):
        """A name that no other topic, group or folder of this world has."""
        self.made += 1
        return f"{kind}.{self.made}"

    def create(self, topics, **settings):
        """{name: partitions}."""
        self.stack.create(topics, **{name.replace("_", "."): value for name, value in settings.items()} | SOON)

    def delete(self, topics):
        for done in self.stack.admin.delete_topics(topics).values():
            done.result(30)

    def raw(self, vendor, count, partitions=PARTITIONS, hot=False, cart_bytes=None):
        """A topic with the first `count` webhooks of a corpus, made once; `hot`: all in one partition; `cart_bytes`: instead
        of the corpus, carts of that size."""
        wanted = (vendor, count, partitions, hot, cart_bytes)
        if wanted not in self.raws:
            topic = self.fresh(f"raw.{vendor}")
            self.stack.create({topic: partitions})
            self.raws[wanted] = Raw(topic, vendor, count, self.load(topic, self.webhooks(vendor, count, cart_bytes), hot),
                                    cart_bytes)
        return self.raws[wanted]

    def webhooks(self, vendor, count, cart_bytes):
        if cart_bytes:
            body = corpus.cart(cart_bytes)
            return ((b"%d" % n, body) for n in range(count))
        return corpus.records(vendor, count, WORK / "corpus")

    def load(self, topic, webhooks, hot):
        producer = Producer({"bootstrap.servers": self.kafka.brokers} | LOADER)
        failed, total = [], 0
        where = {"partition": 0} if hot else {}
        for key, body in webhooks:
            total += len(body)
            while True:
                try:
                    producer.produce(topic, body, key, on_delivery=lambda error, _: error and failed.append(error), **where)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        if producer.flush(120) or failed:
            raise SystemExit(f"{topic} was not loaded: {failed[:1]}")
        return total

    def reader(self, **more):
        return Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": f"reader-{uuid.uuid4()}", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "auto.offset.reset": "earliest", "enable.partition.eof": True,
                         "fetch.message.max.bytes": 16_000_000} | more)

    def output(self, topics):
        """Everything that is committed in these topics, counted; the first ones of each partition as a sample."""
        self.stack.settled(topics)
        places = [place for place, end in self.stack.ends(topics).items() if end]
        found = Output()
        per_partition = SAMPLES // max(len(places), 1)
        reader = self.reader()
        try:
            reader.assign([TopicPartition(topic, partition, 0) for topic, partition in places])
            left, deadline = len(places), time.monotonic() + PATIENCE_S
            while left:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{topics}: not read after {PATIENCE_S} s")
                for message in reader.consume(2000, 0.2):
                    if message.error():
                        if message.error().code() != KafkaError._PARTITION_EOF:
                            raise SystemExit(str(message.error()))
                        left -= 1
                    else:
                        self.count(found, message, per_partition)
        finally:
            reader.close()
        found.times.sort()
        return found

    @staticmethod
    def count(found, message, per_partition):
        found.records += 1
        found.bytes += len(message)
        found.times.append(message.timestamp()[1] / 1000)
        if found.records % HEADERS_OF == 1:
            found.header_bytes += HEADERS_OF * sum(len(name) + len(value or b"") for name, value in message.headers() or [])
        if message.offset() < per_partition:
            found.sample.append((message.topic(), message.key(), message.value()))

    def on_disk(self, topics):
        """Bytes of the topics' records as they were sent and lie on the broker's disk: compressed."""
        data = self.run / "kafka" / "data"
        return sum(log.stat().st_size for topic in topics for log in data.glob(f"{topic}-*/*.log"))


class Process:
    """A contestant at work. What it used is asked of the kernel, at its end: `usage` and `peak_mib`."""

    def __init__(self, command, environment, folder):
        folder.mkdir(parents=True)
        self.log = folder / "log"
        self.peak_mib = 0.0
        self.usage = self.status = None
        with open(self.log, "wb") as log:
            self.begun = time.time()
            self.popen = subprocess.Popen([str(word) for word in command], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log)
        self.pid = self.popen.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.reap(0)

    def reap(self, how=os.WNOHANG):
        """Whether it has ended. ru_maxrss is no measure of it: that survives exec, and would tell of us."""
        if self.status is None:
            self.peak_mib = max(self.peak_mib, memory_mib(self.pid, "VmHWM") or 0.0)
            pid, status, usage = os.wait4(self.pid, how)
            if pid:
                self.status, self.usage, self.ended = os.waitstatus_to_exitcode(status), usage, time.time()
                self.popen.returncode = self.status
        return self.status is not None

    def wait(self, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while not self.reap():
            if time.monotonic() > deadline:
                raise SystemExit(f"still at work after {seconds} s; {self.log}:\n{servers.tail(self.log)}")
            time.sleep(0.02)
        self.check()

    def check(self):
        if self.reap() and self.status:
            raise SystemExit(f"ended with {self.status}; {self.log}:\n{servers.tail(self.log)}")

    def stop(self):
        """SIGTERM, and it has to end with 0 or by that very signal."""
        if self.reap():
            raise SystemExit(f"ended by itself with {self.status}; {self.log}:\n{servers.tail(self.log)}")
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while not self.reap() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.status not in (0, -signal.SIGTERM):
            raise SystemExit(f"ended with {self.status} after SIGTERM; {self.log}:\n{servers.tail(self.log)}")

    @property
    def cpu(self):
        return self.usage.ru_utime + self.usage.ru_stime


def machine(koine):
    """What the figures depend on."""
    info = Path("/proc/cpuinfo").read_text()
    kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    version = lambda *command: subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=60,
                                              stdin=subprocess.DEVNULL, env=support.environment())
    kafka = next(servers.LIB.glob("kafka_*.jar")).stem.split("-")[1]
    java = version("java", "-version")
    return {
        "processor": re.search(r"model name\s*: (.*)", info)[1],
        "cores": os.cpu_count(),
        "memory GiB": round(kib / 1024**2, 1),
        "kernel": platform.release(),
        "Kafka": f"{kafka}, one broker, on the same cores",
        "Java": re.search(r'"(.+?)"', java.stderr)[1],
        "koine": version(koine, "--version").stdout.split()[-1],
        "commit": version("git", "-C", ROOT, "rev-parse", "--short", "HEAD").stdout.strip(),
        "load before": os.getloadavg()[0],
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }
