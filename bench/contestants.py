"""Who takes part: koine as it is by default, the limits (programs that copy), and others that translate Spree's orders. A contestant knows how
it is started and what its output must be; it does not measure.
"""
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import checks
from world import ARRIVAL, BENCH, PARTITIONS, SCHEMA, SUBJECT, WORK, Raw, support
from support import servers

# Bytes of an order as the peers write it, with Confluent's header: what whoever translates into it has to send. And of one of koine's
# with its headers.
CUTS = {"1.28": "cut-1282", "3.3": "cut-3291"}
LINGER_MS = 50
DELIVERIES = {"at_least_once": "ALO", "exactly_once": "EOS"}
JAVA = ["java", "-Xms256m", "-Xmx1g", "-XX:+UseParallelGC", "-cp", f"{WORK}/streams/streams-peer-1.jar:{WORK}/streams/libs/*", "bench.Peer"]
RUST = [WORK / "release" / "peers"]
PYTHON = [WORK / "venv" / "bin" / "python", BENCH / "peers" / "python" / "peer.py"]


@dataclass
class Entry:
    """A contestant that is ready to start: where it writes, and as which group it commits (None: it does not)."""
    command: list
    environment: dict
    group: str | None
    topics: list
    dead: list = field(default_factory=list)
    port: int | None = None


@dataclass
class Peer:
    """Anything that is told in BENCH_* what to do and leaves when BENCH_COUNT records are delivered and committed, or (`ends`
    false) is stopped then."""
    name: str
    command: list
    delivery: str | None = None
    vendor: str = "spree"
    share: float = 1
    translates: bool = False
    ends: bool = True
    more: dict = field(default_factory=dict)

    def enter(self, world, raw, arrival=True, count=None):
        name = world.fresh("out")
        world.create({name: PARTITIONS}, **(ARRIVAL if arrival else {}))
        environment = support.environment(
            BENCH_BROKERS=world.kafka.brokers, BENCH_REGISTRY=world.registry.url, BENCH_SCHEMA=str(SCHEMA), BENCH_SUBJECT=SUBJECT,
            BENCH_SCHEMA_ID=str(world.schema_id), BENCH_IN=raw.topic, BENCH_OUT=name, BENCH_GROUP=name, BENCH_COUNT=str(count or raw.count),
            BENCH_STATE=str(world.run / name / "state"), BENCH_LINGER_MS=str(LINGER_MS)) | self.more
        return Entry(self.command, environment, name if self.delivery else None, [name] if self.delivery else [])

    def check(self, world, raw, output):
        if self.translates:
            return checks.orders(world, raw, output.sample)
        return checks.copies(raw, output.sample, any(cut in self.command for cut in CUTS.values()))


@dataclass
class Koine:
    """koine at its defaults: `more` is what a case sets besides, and `beside` a raw topic that it reads with that of the case."""
    name: str
    binary: Path
    delivery: str = "exactly_once"
    vendor: str = "spree"
    share: float = 1
    extensions: str | None = None
    more: dict = field(default_factory=dict)
    beside: Raw | None = None
    ends = False

    def enter(self, world, raw, arrival=True, count=None):
        prefix = world.fresh("koine") + "."
        entry = Entry([], support.environment(), prefix + "group", [prefix + topic for topic in support.CANONICAL],
                      [support.dlq_topic(prefix, one.topic) for one in self.raws(raw)], servers.free_port())
        world.create({topic: PARTITIONS for topic in entry.topics}, **(ARRIVAL if arrival else {}))
        world.create({topic: PARTITIONS for topic in entry.dead})
        path = world.run / f"{prefix}yaml"
        path.write_text(yaml.safe_dump(self.config(world, raw, prefix, entry), sort_keys=False))
        done = subprocess.run([self.binary, "schemas", "register", "--config", path], env=entry.environment, cwd=world.run,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise SystemExit(f"the schemas were not registered: {done.stdout}{done.stderr}")
        entry.command = [self.binary, "run", "--config", path]
        return entry

    def raws(self, raw):
        return [raw, self.beside] if self.beside else [raw]

    def config(self, world, raw, prefix, entry):
        """What has to be said, and nothing else: all that is not here is koine's default."""
        more = {"extensions": self.extensions} if self.extensions else {}
        sources = [{"topics": [one.topic], "vendor": one.vendor} | more for one in self.raws(raw)]
        delivery = {} if self.delivery == "exactly_once" else {"delivery": self.delivery}
        return {
            "kafka": {"bootstrap_servers": world.kafka.brokers, "group": entry.group},
            "registry": {"url": world.registry.url},
            "sources": sources,
            "topics": {"prefix": prefix, "dead_letter_prefix": f"dlq.{prefix}"},
            "http": {"listen": f"127.0.0.1:{entry.port}"},
        } | delivery | self.more

    def check(self, world, raw, output):
        return checks.events(world, raw, output.sample, extensions=self.extensions != "off")


def copier(loop, transform, delivery, name, vendor="spree", **more):
    return Peer(f"{name}, {DELIVERIES[delivery]}", [*RUST, loop, transform, delivery], delivery, vendor, more=more)


def throughput(koine, redpanda_connect=None):
    """The contest: each reads a whole raw topic. `share` is of the records that were asked for; twice as many show what a warm
    process takes, a quarter is enough for those that are slow."""
    made = [Peer("consume only", [*RUST, "batch", "discard", "none"])]
    for delivery, short in DELIVERIES.items():
        made.append(copier("batch", "same", delivery, "pass-through, unchanged"))
        made += [copier("batch", cut, delivery, f"pass-through, cut to {size} KB") for size, cut in CUTS.items()]
    for share, which in ((1, ""), (2, ", twice the records")):
        for delivery, setting in (("at_least_once", "at_least_once"), ("exactly_once", "exactly_once_v2")):
            for threads in (1, 2):
                made.append(Peer(f"Kafka Streams, {DELIVERIES[delivery]}, {threads} thread{'s' * (threads - 1)}{which}", [*JAVA, setting, str(threads)],
                                 delivery, share=share, translates=True))
    made += [Peer(f"Python, orjson and fastavro, {short}", [*PYTHON, delivery], delivery, share=1 / 4, translates=True)
             for delivery, short in DELIVERIES.items()]
    made.append(Peer("Rust, the obvious way, ALO", [*RUST, "stream", "obvious", "at_least_once"], "at_least_once", translates=True))
    made += [Peer(f"Rust, sonic-rs and Avro by hand, {short}", [*RUST, "batch", "hand", delivery], delivery, translates=True)
             for delivery, short in DELIVERIES.items()]
    if redpanda_connect:
        made += [Peer(f"Redpanda Connect, ALO, {threads} pipeline thread{'s' * (threads - 1)}",
                      [redpanda_connect, "run", BENCH / "peers" / "redpanda-connect" / "pipeline.yaml"], "at_least_once", share=1 / 4, translates=True,
                      ends=False, more={"BENCH_THREADS": str(threads)}) for threads in (1, 2)]
    for delivery, short in DELIVERIES.items():
        made += [
            Koine(f"koine, {short}", koine, delivery),
            Koine(f"koine, {short}, twice the records", koine, delivery, share=2),
            Koine(f"koine, {short}, extensions: off", koine, delivery, extensions="off"),
        ]
    for vendor in ("composer", "bold", "bspk"):
        for delivery, short in DELIVERIES.items():
            made += [
                copier("batch", "same", delivery, f"{vendor}: pass-through, unchanged", vendor),
                Koine(f"{vendor}: koine, {short}", koine, delivery, vendor),
            ]
    return made
