"""The spine, against a real broker and a real registry: every webhook ends in exactly one outcome, whatever happens to koine.

Needs the release binary and tests/fixtures: bodies/<vendor>/*.json, expected/<vendor>.json, malformed.json with malformed/*.
"""
import copy
import json
import re
import subprocess
import threading
import urllib.parse
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from support import (BULK, FIXTURES, MISSING, VENDORS, Bulk, Deployment, Door, at, bodies, dlq_topic, environment, expectations,
                     malformed, wait_for)

pytestmark = pytest.mark.timeout(240)

RAW = {"raw.bspk": ("bspk", 2), "raw.spree": ("spree", 4), "raw.composer": ("composer", 3), "raw.bold": ("bold", 2)}
BULK_RAW = {f"raw.{vendor}": (vendor, 4) for vendor in BULK}
TRACE = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", b"koine=1")]
FIRST_TIMESTAMP = 1_700_000_000_000


@dataclass
class Spine:
    """All fixture bodies, once through koine. Inputs by (raw topic, partition, offset): (vendor, name, timestamp)."""
    deployment: Deployment
    inputs: dict
    records: list
    dead: list
    counted: dict

    @property
    def by_name(self):
        return {self.inputs[record.source][:2]: record for record in self.records}


@pytest.fixture(scope="module")
def spine(stack, deploy):
    deployment = deploy(RAW)
    inputs = {}
    for topic, vendor in deployment.sources.items():
        partitions = len(stack.partitions([topic]))
        names = list(bodies(vendor))
        stamps = [FIRST_TIMESTAMP + 1000 * len(inputs) + i for i in range(len(names))]
        places = stack.produce(topic, [
            {"value": body, "key": name.encode(), "timestamp": stamps[i], "partition": i % partitions,
             "headers": [("x-request-id", b"r"), *TRACE]}
            for i, (name, body) in enumerate(bodies(vendor).items())])
        inputs |= {(topic, *place): (vendor, name, stamp) for place, name, stamp in zip(places, names, stamps)}
    with deployment.process() as koine:
        deployment.wait_consumed()
        wait_for(lambda: koine.total("consumed") >= len(inputs), "every record counted", 30)
        counted = {vendor: {"consumed": koine.total("consumed", topic=topic)}
                   | {outcome: koine.total("outcome", vendor=vendor, outcome=outcome) for outcome in ("event", "ignored", "dead_letter")}
                   for topic, vendor in deployment.sources.items()}
        koine.stop()
    return Spine(deployment, inputs, stack.read(deployment.canonical), stack.read(deployment.dead, decode=None), counted)


def test_every_body_has_exactly_one_outcome(spine):
    """Events are found by their source position, dead letters are none, ignored ones are counted, and the sum is the input."""
    assert spine.dead == []
    events = Counter(record.source for record in spine.records)
    assert {place: n for place, n in events.items() if n > 1 or place not in spine.inputs} == {}
    for vendor in VENDORS:
        expected = Counter(e["outcome"] for e in expectations(vendor).values())
        assert expectations(vendor).keys() == bodies(vendor).keys()
        found = {name for (v, name) in spine.by_name if v == vendor}
        assert found == {name for name, e in expectations(vendor).items() if e["outcome"] == "event"}
        assert spine.counted[vendor] == {"consumed": len(bodies(vendor)), "event": expected["event"],
                                         "ignored": expected["ignored"], "dead_letter": 0}


@pytest.mark.parametrize("vendor", VENDORS)
def test_events_say_what_the_fixtures_expect(spine, vendor):
    prefix = spine.deployment.prefix
    wrong = []
    for name, expected in expectations(vendor).items():
        if expected["outcome"] != "event":
            continue
        record = spine.by_name[vendor, name]
        # The fixtures know the raw topics by their usual names; here they have a prefix.
        fields = expected["fields"] | ({"meta.source.topic": prefix + expected["fields"]["meta.source.topic"]}
                                       if "meta.source.topic" in expected["fields"] else {})
        if (record.topic, record.key.decode()) != (prefix + expected["topic"], expected["key"]):
            wrong.append((name, record.topic, record.key))
        for path, value in fields.items():
            found = at(record.event, path)
            if found is MISSING or found != value or isinstance(found, bool) != isinstance(value, bool):
                wrong.append((name, path, value, "is missing" if found is MISSING else found))
        # Nowhere in the record, whatever the second name says (fixtures/README.md).
        text = record.key.decode() + json.dumps(record.event, ensure_ascii=False) + repr(record.headers)
        forbidden = [*expected.get("absent", []), *expected.get("absent_extensions", [])]
        wrong += [(name, "holds", part) for part in forbidden if part in text]
    assert wrong == []


def test_java_reads_the_same(stack, spine):
    """Avro's own implementation decodes every record to the same values, and Java's partitioner agrees on the place."""
    java = stack.java_read(spine.deployment.canonical)
    assert java.keys() == {(r.topic, r.partition, r.offset) for r in spine.records}
    for record in spine.records:
        line = java[record.topic, record.partition, record.offset]
        assert line["json"] == record.event
        assert line["murmur2_partition"] == record.partition, record.key


def test_headers_and_timestamp(spine):
    for record in spine.records:
        meta = record.event["meta"]
        entity = meta["entity"].lower()
        headers = dict(record.headers)
        assert len(headers) == len(record.headers), "a header twice"
        assert headers.pop("koine.build")
        wanted = {"ce_specversion": "1.0", "ce_id": meta["event_id"], "content-type": "application/avro",
                  # A URI: what may not stand in one is encoded.
                  "ce_source": f"/koine/{meta['source']['vendor']}/{urllib.parse.quote(meta['source']['shop'], safe='')}",
                  "ce_type": f"koine.{entity}.{meta['action'].lower()}",
                  "ce_subject": record.event[entity]["id"], "ce_time": meta["occurred_at"]}
        wanted = {name: value.encode() for name, value in wanted.items() if value is not None}
        assert headers == wanted | dict(TRACE)
        stamp = spine.inputs[record.source][2]
        assert record.timestamp == stamp


def test_order_of_a_raw_partition_is_kept(spine):
    in_order(spine.records)


def in_order(records):
    """Within a canonical partition the webhooks of one raw partition stand in their order."""
    last = {}
    for record in records:  # read() keeps the order within a partition
        topic, partition, offset = record.source
        lane = (record.topic, record.partition, topic, partition)
        assert last.get(lane, -1) < offset, lane
        last[lane] = offset


# ---- dead letters ----

HEADERS = [("x-request-id", b"first"), ("x-bspk-secret", b"S3CRET-bspk-header"), ("bin", bytes(range(256))),
           ("x-request-id", b"second"), ("authorization", b"S3CRET-authorization"), ("empty", b""), ("null", None),
           ("cookie", b"S3CRET-cookie")]
KEPT = [header for header in HEADERS if header[0] not in ("x-bspk-secret", "authorization", "cookie")]
ALWAYS = {"__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset", "__dlq.errors.group", "koine.error.code",
          "koine.error.class", "koine.error.fingerprint", "koine.build", "koine.failed.at"}
SOMETIMES = {"__dlq.errors.message", "koine.error.pointer", "koine.error.detail", "koine.vendor", "koine.event.type",
             "koine.event.index", "koine.redrive.count"}


def payload_values(body):
    """Texts of a body that nobody may repeat: quoted, not a key, and not a mere word such as the name of an event."""
    texts = re.findall(rb'"((?:[^"\\]|\\.){12,200})"(?!\s*:)', body or b"")
    return [text for text in texts if not re.fullmatch(rb"[A-Za-z_.]+", text)]


@pytest.mark.parametrize("settings", sorted({json.dumps(case.get("settings", {})) for case in malformed()}))
def test_malformed_comes_out_as_it_came_in(stack, deploy, settings):
    """The whole hostile corpus: one dead letter each, the right one, with the bytes as they came; and of a list, the good
    neighbours are events."""
    cases = [case for case in malformed() if json.dumps(case.get("settings", {})) == settings]
    assert len({case["name"] for case in cases}) == len(cases) > 0
    vendor = {case["topic"]: case["topic"].removeprefix("raw.") for case in cases}
    sources = {case["topic"]: {"vendor": vendor[case["topic"]] if vendor[case["topic"]] in VENDORS else "auto"} | case.get("source", {})
               for case in cases}
    deployment = deploy({topic: (source, 3) for topic, source in sources.items()})
    sent = {}
    for topic, source in sources.items():
        raw = deployment.prefix + topic
        mine = [case for case in cases if case["topic"] == topic]
        assert all(source.items() >= case.get("source", {}).items() for case in mine)
        records = [{"key": f"S3CRET-key-{case['name']}".encode(), "headers": HEADERS + case["headers"], "timestamp": FIRST_TIMESTAMP + i,
                    "partition": i % 3, "value": case["value"]} for i, case in enumerate(mine)]
        for case, record, place in zip(mine, records, stack.produce(raw, records)):
            sent[raw, *place] = (case, record)
    limits = {f"KOINE__{name.upper().replace('.', '__')}": value for name, value in json.loads(settings).items()}
    with deployment.process(**limits) as koine:
        deployment.wait_consumed()
        koine.stop()
        log = koine.output().encode()
    letters = {}
    for letter in stack.read(deployment.dead, decode=None):
        added = dict(letter.headers)
        place = tuple(added[f"__dlq.errors.{part}"].decode() for part in ("topic", "partition", "offset"))
        letters.setdefault((place[0], int(place[1]), int(place[2])), []).append(letter)
    assert letters.keys() == sent.keys()
    misjudged = []
    for (raw, partition, offset), (case, record) in sent.items():
        what = case["name"]
        kept = KEPT + case["headers"]
        [letter] = letters[raw, partition, offset]
        assert letter.topic == dlq_topic(deployment.prefix, raw), what
        assert letter.partition == partition % len(stack.partitions([letter.topic])), what
        assert (letter.key, letter.value, letter.timestamp) == (record["key"], record["value"], record["timestamp"]), what
        assert letter.headers[:len(kept)] == kept, what
        ours = letter.headers[len(kept):]
        added = {name: value.decode("utf-8") for name, value in ours}
        assert len(added) == len(ours), what
        assert ALWAYS <= added.keys() <= ALWAYS | SOMETIMES, what
        assert sum(len(name) + len(value) for name, value in ours) <= 8192, what
        assert added["__dlq.errors.group"] == deployment.group, what
        found = added["koine.error.code"], added["koine.error.class"], added.get("koine.event.index")
        wanted = case["code"], case["class"], str(case["index"]) if "index" in case else None
        pointer = added.get("koine.error.pointer", "")
        is_there = pointer == case["pointer"] if "pointer" in case else f"{pointer}/".startswith(f"{case['within']}/")
        if found != wanted or not is_there:
            misjudged.append((what, found, pointer, wanted, case.get("pointer", case.get("within"))))
        # The one header that may repeat something of the body is the event's type.
        told = b"\n".join(value for name, value in ours if name != "koine.event.type")
        for secret in [*payload_values(record["value"]), record["key"], b"S3CRET"]:
            assert secret not in told, what
            assert secret not in log, what
    assert misjudged == []
    neighbours = Counter(record.source for record in stack.read(deployment.canonical))
    assert neighbours == Counter({place: case["of"] - 1 for place, (case, _) in sent.items() if case.get("of", 1) > 1})


def test_what_a_broker_refuses_is_a_dead_letter(stack, deploy):
    """Good bodies of all four entities, older than the canonical topics take: only the broker can say so, and the raw and the
    dead-letter topics take them."""
    names = {"bspk": ["shopper.created", "client.deleted", "cart.created", "metafield.updated"],
             "spree": ["order.completed", "order.paid.thin", "order.created.cart_state", "payment.created", "product.updated",
                       "price.created", "customer.created", "wishlist.created"],
             "composer": ["CUSTOMER_UPDATED", "SHOPPING_CART_UPDATED", "ORDER_RELEASED"],
             "bold": ["customer.saved", "order.saved", "order.deleted", "product.saved", "category.saved"]}
    old = 1_000_000_000_000
    limit = {"message.timestamp.type": "CreateTime", "message.timestamp.before.max.ms": str(365 * 24 * 3600 * 1000)}
    deployment = deploy({f"raw.{vendor}": (vendor, 2) for vendor in names}, **limit)
    sent = {}
    for topic, vendor in deployment.sources.items():
        # A record that is taken stands before and behind each that is not.
        values = [value for name in names[vendor] for value in [bodies(vendor)[name]] * 2]
        records = [{"value": value, "key": str(i).encode(), "partition": i % 4 // 2} | ({"timestamp": old + i} if i % 2 else {})
                   for i, value in enumerate(values)]
        sent |= {(topic, *place): record for place, record in zip(stack.produce(topic, records), records)}
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    refused = {place: record for place, record in sent.items() if "timestamp" in record}
    assert len(refused) == 20
    letters = {}
    for letter in stack.read(deployment.dead, decode=None):
        added = {name: value.decode() for name, value in letter.headers}
        found = added["koine.error.code"], added["koine.error.class"], added.get("koine.error.pointer", "")
        assert found == ("record.refused", "limit", "")
        place = added["__dlq.errors.topic"], int(added["__dlq.errors.partition"]), int(added["__dlq.errors.offset"])
        assert place not in letters, "twice"
        letters[place] = letter.key, letter.value, letter.timestamp
    assert letters == {place: (record["key"], record["value"], record["timestamp"]) for place, record in refused.items()}
    assert Counter(record.source for record in stack.read(deployment.canonical)) == Counter(sent.keys() - refused.keys())


# ---- crashes ----

class Load:
    """Small bodies of three vendors onto a deployment's raw topics, in even shares."""

    def __init__(self, stack, deployment):
        self.stack = stack
        self.bulks = {topic: Bulk(vendor) for topic, vendor in deployment.sources.items()}

    @property
    def made(self):
        return sum(bulk.made for bulk in self.bulks.values())

    def produce(self, count):
        share, rest = divmod(count, len(self.bulks))
        for i, (topic, bulk) in enumerate(self.bulks.items()):
            self.stack.produce(topic, bulk.take(share + (i < rest)))

    def feed(self, stop, limit):
        """Keeps koine busy in small portions until `stop` is set, or the limit reached."""
        end = self.made + limit
        while not stop.is_set() and self.made < end:
            self.produce(min(300, end - self.made))


def while_fed(load, limit, action):
    """Runs `action` while another thread feeds the raw topics."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        feeding = pool.submit(load.feed, stop, limit)
        try:
            return action(feeding)
        finally:
            stop.set()
            feeding.result(60)


def assert_delivered(stack, deployment, exactly_once=True):
    """Every raw record has its event: once and in order, or, at least once, not less than once."""
    records = stack.read(deployment.canonical, decode="fastavro")
    found = Counter(record.source for record in records)
    wanted = {(topic, partition, offset) for (topic, partition), end in stack.ends(list(deployment.sources)).items() for offset in range(end)}
    assert len(wanted) > 0
    assert sorted(wanted - found.keys())[:10] == [], "missing"
    assert sorted(found.keys() - wanted)[:10] == [], "never sent"
    if exactly_once:
        assert [place for place, count in found.items() if count > 1][:10] == [], "doubled"
        in_order(records)
    assert stack.read(deployment.dead, decode=None) == []
    return records


@pytest.mark.timeout(480)
def test_ten_kills_in_the_middle_lose_and_double_nothing(stack, deploy):
    total, kills = 100_000, 10
    deployment = deploy(BULK_RAW)
    load = Load(stack, deployment)
    cut = 0
    for _ in range(kills):
        load.produce(total // kills // 2)
        with deployment.process() as koine:
            def in_the_middle(feeding):
                wait_for(lambda: koine.alive() and (stack.open_transactions(deployment.canonical) or feeding.done()),
                         "koine at work", 60, 0.001)
                koine.kill()
            while_fed(load, total // kills // 2, in_the_middle)
        # What the dead koine had open stays open until a successor fences it, so this counts the kills that cut a transaction.
        cut += bool(stack.open_transactions(deployment.canonical))
    load.produce(total - load.made)
    with deployment.process() as koine:
        deployment.wait_consumed(120)
        koine.stop()
    assert load.made == sum(stack.ends(list(deployment.sources)).values()) == total
    assert_delivered(stack, deployment)
    assert cut > 0, "no kill hit an open transaction: the test has shown nothing"


def test_sigterm_drains_under_load(stack, deploy):
    """Stopped while busy, koine exits 0 in under 10 s (in stop()), leaves no transaction open, and its successor goes on."""
    deployment = deploy(BULK_RAW)
    load = Load(stack, deployment)
    load.produce(20_000)
    with deployment.process() as koine:
        def stop_when_busy(_):
            wait_for(lambda: koine.alive() and sum(stack.ends(deployment.canonical).values()) > 0, "koine at work", 60, 0.001)
            koine.stop()
        while_fed(load, 20_000, stop_when_busy)
    assert stack.open_transactions([*deployment.canonical, *deployment.dead]) == []
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    assert_delivered(stack, deployment)


def test_at_least_once_delivers_everything(stack, deploy):
    """With a kill in the middle: then records may repeat, each under its own event_id, and none may be missing."""
    deployment = deploy(BULK_RAW, delivery="at_least_once")
    load = Load(stack, deployment)
    load.produce(10_000)
    with deployment.process() as koine:
        def kill_when_busy(_):
            wait_for(lambda: koine.alive() and sum(stack.ends(deployment.canonical).values()) > 0, "koine at work", 60, 0.001)
            koine.kill()
        while_fed(load, 10_000, kill_when_busy)
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    records = assert_delivered(stack, deployment, exactly_once=False)
    ids = {}
    for record in records:
        ids.setdefault((*record.source, record.event["meta"]["source"]["index"]), set()).add(record.event["meta"]["event_id"])
    assert {webhook: some for webhook, some in ids.items() if len(some) > 1} == {}, "a double that readers cannot tell by its id"
    assert len(set().union(*ids.values())) == len(ids), "two webhooks with one id"


@pytest.mark.parametrize("held", [{1, 4, 6}, set(range(8))], ids=["some", "all"])
def test_offsets_that_a_transaction_holds_keep_their_partitions_waiting_and_no_other(stack, deploy, held):
    """Brokers do not tell an offset that an open transaction may change, as one that a killed process has left behind."""
    deployment = deploy({"raw.spree": ("spree", 8)})
    [topic] = deployment.sources
    others = set(range(8)) - held
    stack.produce(topic, [dict(record, partition=nth % 8) for nth, record in enumerate(Bulk("spree").take(80))])
    other = Producer({"bootstrap.servers": stack.brokers, "transactional.id": f"other-{uuid.uuid4()}", "transaction.timeout.ms": 300_000})
    member = Consumer({"bootstrap.servers": stack.brokers, "group.id": deployment.group})
    other.init_transactions(30)
    other.begin_transaction()
    # So far it is as if nine records of these partitions were done.
    other.send_offsets_to_transaction([TopicPartition(topic, partition, 9) for partition in held], member.consumer_group_metadata(), 30)
    # It is not ready while it can read nothing, so that is not waited for.
    koine = deployment.process().start()
    try:
        def done(partitions):
            committed = stack.committed(deployment.group, [topic])
            return all(committed[topic, partition] == 10 for partition in partitions)

        def waiting():
            return {int(labels["partition"]) for name, labels, value in koine.metrics()
                    if name == "koine_partition_paused" and labels["reason"] == "offset" and value}
        wait_for(lambda: koine.alive() and done(others), "the others are read", 60)
        wait_for(lambda: f"{topic} [{min(held)}]: an open transaction may change its committed offset" in koine.output(), "the log says why", 60)
        wait_for(lambda: waiting() == held, "a metric says which", 60)
        assert not any(record.source[1] in held for record in stack.read(deployment.canonical))
        other.commit_transaction(30)
        deployment.wait_consumed()
        wait_for(lambda: waiting() == set(), "none waits any more", 60)
        assert "Invalid argument" not in koine.output(), "what was asked again was asked rightly"
        koine.stop()
    finally:
        koine.kill()
    begun = sorted(record.source[1:3] for record in stack.read(deployment.canonical) if record.source[1] in held)
    assert begun == [(partition, 9) for partition in sorted(held)], "where the transaction says"
    member.close()


# ---- the world around ----

def test_a_member_without_partitions_is_ready(deploy):
    """It stands by. A rollout waits for it to be ready, and an alert tells of one that is not."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    deployment.instance = None
    with deployment.process() as one, deployment.process() as other:
        def reads(koine):
            return sum(value for name, _, value in koine.metrics() if name == "koine_consumer_assigned_partitions")
        wait_for(lambda: sorted([reads(one), reads(other)]) == [0, 1], "one has the partition", 30)
        one.stop()
        other.stop()



def test_waits_for_the_registry(stack, deploy):
    """A registry that is away at start-up: koine lives, is not ready, knocks again, and starts when it is there."""
    deployment = deploy({"raw.bspk": ("bspk", 2)})
    door = Door(int(re.search(r":(\d+)/", stack.registry)[1]))
    deployment.registry = re.sub(r":\d+/", f":{door.port}/", stack.registry)
    stack.produce(next(iter(deployment.sources)), Bulk("bspk").take(10))
    koine = deployment.process().start()
    try:
        wait_for(lambda: koine.alive() and koine.status("/livez") == 200, "koine alive", 30)
        wait_for(lambda: koine.alive() and door.knocks >= 3, "koine tries again", 60)
        assert koine.status("/livez") == 200
        assert koine.status("/readyz") == 503
        assert sum(stack.ends(deployment.canonical).values()) == 0
        door.is_open = True
        koine.wait_ready()
        deployment.wait_consumed()
        koine.stop()
    finally:
        koine.kill()
        door.close()
    assert_delivered(stack, deployment)


# ---- the same bytes in, the same bytes out ----

def translate(binary, vendor, directory, before=(), **extra):
    files = sorted((FIXTURES / "bodies" / vendor).glob("*.json"))
    done = subprocess.run([*before, binary, "translate", "--vendor", vendor, "--received-at", "2024-02-29T12:00:00Z", *files],
                          env=environment(**extra), cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("vendor", VENDORS)
def test_translate_depends_on_nothing_around_it(koine, tmp_path, vendor):
    """Clock, time zone, locale, working directory."""
    first = translate(koine, vendor, tmp_path, TZ="UTC", LC_ALL="C")
    assert len(first.splitlines()) == len(bodies(vendor))
    for days, extra in (("-3000d", {"TZ": "Asia/Kolkata", "LC_ALL": "tr_TR.UTF-8"}),
                        ("+400d", {"TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", "LANG": "C"})):
        elsewhere = tmp_path / extra["TZ"].replace("/", "-")
        elsewhere.mkdir()
        assert translate(koine, vendor, elsewhere, ["faketime", "-f", days], **extra) == first


def without_position(event):
    """An event without what the raw record's place and time decide."""
    event = copy.deepcopy(event)
    meta = event["meta"]
    for name in ("topic", "partition", "offset", "index"):
        del meta["source"][name]
    del meta["received_at"]
    if meta["event_id_basis"] == "POSITION":
        del meta["event_id"]
    for name in ("version", "occurred_at"):
        if meta[f"{name}_basis"] == "BROKER":
            del meta[name]
    return event


@pytest.mark.parametrize("vendor", VENDORS)
def test_translate_says_what_run_wrote(koine, spine, tmp_path, vendor):
    lines = [json.loads(line) for line in translate(koine, vendor, tmp_path).splitlines()]
    for name, line in zip(bodies(vendor), lines, strict=True):
        expected = expectations(vendor)[name]
        assert (name, line["outcome"]) == (name, expected["outcome"])
        if line["outcome"] == "ignored":
            assert (name, line["rule"]) == (name, expected["rule"])
        else:
            record = spine.by_name[vendor, name]
            assert (spine.deployment.prefix + line["topic"], line["key"].encode()) == (record.topic, record.key)
            assert without_position(line["event"]) == without_position(record.event)


def written(deployment, records):
    """What a deployment wrote, by where it came from: the order between raw partitions is free. The five bytes of the frame
    hold the schema's id, which belongs to the subject."""
    return {r.source: (r.topic.removeprefix(deployment.prefix), r.partition, r.timestamp, r.key, r.value[5:], r.headers) for r in records}


def refused(deployment, records):
    """The dead letters likewise, less what is the deployment's (its group) and the one header that is a clock's."""
    letters = {}
    for letter in records:
        headers = [(name, value) for name, value in letter.headers if name not in ("koine.failed.at", "__dlq.errors.group")]
        own = dict(headers)
        place = tuple(own[f"__dlq.errors.{part}"] for part in ("topic", "partition", "offset"))
        letters[place] = (letter.topic.removeprefix(f"dlq.{deployment.prefix}"), letter.partition, letter.timestamp,
                          letter.key, letter.value, headers)
    assert len(letters) == len(records)
    return letters


# Another time zone and locale, and more threads; the moment is another one anyway. (A clock that is years off is tried with
# `translate`: under faketime librdkafka waits for ever.)
ELSEWHERE = {"TZ": "Asia/Kolkata", "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "KOINE__WORKERS": "3"}


def test_the_world_around_changes_nothing(stack, deploy):
    """Good and malformed bodies through two koines that agree on nothing but the raw topics: the same keys, values, headers,
    timestamps and partitions."""
    here = deploy(RAW)
    for topic, vendor in here.sources.items():
        # One webhook each: what is told of a record is looked up by its place.
        broken = [case["value"] for case in malformed() if case["topic"] == f"raw.{vendor}" and "file" in case and "of" not in case]
        values = [*bodies(vendor).values(), *broken]
        stack.produce(topic, [{"value": value, "key": str(i).encode(), "timestamp": FIRST_TIMESTAMP + i, "partition": i % 2,
                               "headers": TRACE} for i, value in enumerate(values)])
    there = deploy(raw=here.sources)
    for deployment, process in ((here, here.process()), (there, there.process(**ELSEWHERE))):
        with process as koine:
            deployment.wait_consumed()
            koine.stop()
    events = [stack.read(deployment.canonical) for deployment in (here, there)]
    letters = [stack.read(deployment.dead, decode=None) for deployment in (here, there)]
    assert len(events[0]) == len(events[1]) > 50
    assert len(letters[0]) == len(letters[1]) > 150
    assert written(here, events[0]) == written(there, events[1])
    assert refused(here, letters[0]) == refused(there, letters[1])
    moments = [{dict(letter.headers)["koine.failed.at"] for letter in some} for some in letters]
    assert max(moments[0]) < min(moments[1]), "the moments were to differ"
