"""`koine audit` against a real broker: a run that is right is told right, and what a test breaks is named with its place.

koine's own outputs are not touched. A test that breaks something copies an output topic, less or more or otherwise, and has
the audit look at the copy.
"""
import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer, TopicPartition

from support import Bulk, bodies, environment, expectations, servers, wait_for

pytestmark = pytest.mark.timeout(300)

RAW = {"raw.spree": ("spree", 2), "raw.bold": ("bold", 2)}
PRODUCTS = 400
LETTERS = 9


def first(vendor, outcome):
    """A body of a fixture that ends so."""
    name = next(name for name, expected in sorted(expectations(vendor).items()) if expected["outcome"] == outcome)
    return bodies(vendor)[name]


@dataclass
class Audit:
    code: int
    report: dict
    told: str
    peak_kib: int

    def found(self, what):
        """[(raw offset or None, [(topic, partition, offset) of the records])]."""
        return [(finding["raw"] and finding["raw"]["offset"], [(at["topic"], at["partition"], at["offset"]) for at in finding["there"]])
                for finding in self.report["findings"] if finding["what"] == what]

    @property
    def words(self):
        return sorted({finding["what"] for finding in self.report["findings"]})


def audit(deployment, **changed):
    """Runs it with the deployment's configuration, `changed` in the sections it names."""
    path = deployment.write_config("audit", servers.free_port())
    document = yaml.safe_load(path.read_text())
    for section, settings in changed.items():
        document[section] = {**document[section], **settings} if isinstance(settings, dict) else settings
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    command = [deployment.binary, "audit", "--config", path, "--format", "json"]
    out, err = deployment.directory / "audit.out", deployment.directory / "audit.err"
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        process = subprocess.Popen(command, env=environment(), cwd=deployment.directory, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        peak = 0
        # What the system says at the end counts the process that started it, too.
        while process.poll() is None:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(0.01)
    code, told = process.returncode, out.read_text() + err.read_text()
    assert code in (0, 1), told
    report = json.loads(out.read_text())
    assert code == (1 if report["wrong"] else 0)
    for raw in [*report["raw"], report["total"]]:
        parts = raw["events"] + raw["ignored"] + raw["dead_letters"] + raw["missing"] + raw["gone"]
        assert raw["webhooks"] == parts, raw
    return Audit(code, report, told, peak)


@dataclass
class World:
    """A koine that has run, and what it has written."""
    stack: object
    deployment: object
    events: list
    letters: list
    copies: int = 0

    @property
    def product(self):
        return self.deployment.canonical[3]

    def copy(self, records, topics):
        """Writes records to other topics, {old: new}, each to the same partition; what is None is left out."""
        self.stack.create({new: len(self.stack.partitions([old])) for old, new in topics.items()})
        producer = Producer({"bootstrap.servers": self.stack.brokers, "enable.idempotence": True})
        failed = []
        for record in filter(None, records):
            producer.produce(topics[record.topic], key=record.key, value=record.value, headers=record.headers, partition=record.partition,
                             timestamp=record.timestamp, on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.poll(0)
        assert producer.flush(60) == 0 and not failed, failed

    def products(self, change, **changed):
        """Audits with a copy of the product topic; `change` gets its records by partition, in their order, and may change the lists."""
        self.copies += 1
        name = f"copied{self.copies}.product"
        copy = self.deployment.prefix + name
        lists = {}
        for record in self.events:
            if record.topic == self.product:
                lists.setdefault(record.partition, []).append(record)
        change(lists)
        self.copy([record for records in lists.values() for record in records], {self.product: copy})
        return copy, audit(self.deployment, topics={"product": name}, **changed)

    def dead_letters(self, change):
        self.copies += 1
        prefix = f"copied{self.copies}.{self.deployment.prefix}"
        topics = {f"dlq.{self.deployment.prefix}{raw}": f"{prefix}{raw}" for raw in self.deployment.sources}
        letters = list(self.letters)
        change(letters)
        self.copy(letters, topics)
        return topics, audit(self.deployment, topics={"dead_letter_prefix": prefix})


def with_header(record, name, value):
    headers = [(n, value if n == name else v) for n, v in record.headers]
    return type(record)(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers, record.event)


def with_content(record, other):
    """The other's content, at this one's place."""
    return type(record)(record.topic, record.partition, record.offset, other.timestamp, other.key, other.value, other.headers, other.event)


@pytest.fixture(scope="module")
def world(stack, deploy):
    deployment = deploy(RAW)
    for raw, vendor in deployment.sources.items():
        good = Bulk(vendor).take(PRODUCTS)
        bad = [{"key": b"bad", "value": b'{"broken' + b"!" * n} for n in range(LETTERS - 1)] + [{"key": b"bad", "value": None}]
        parts = [json.loads(record["value"]) for record in Bulk(vendor).take(2)]
        array = json.dumps([parts[0], {"none": "of them"}, parts[1]]).encode()
        records = [*good[:100], *bad, {"key": b"array", "value": array}, *good[100:]]
        if vendor == "spree":
            records.insert(50, {"key": b"ignored", "value": first("spree", "ignored")})
        stack.produce(raw, records)
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    return World(stack, deployment, stack.read(deployment.canonical), stack.read(deployment.dead, decode=None))


def test_what_is_right_is_told_right(world):
    """Units, events, ignored and dead letters; each element of an array is a unit."""
    done = audit(world.deployment)
    assert done.code == 0 and done.report["findings"] == [], done.told
    total = done.report["total"]
    assert total["records"] == 2 * (PRODUCTS + LETTERS + 1) + 1
    assert (total["events"], total["dead_letters"], total["ignored"]) == (2 * (PRODUCTS + 2), 2 * (LETTERS + 1), 1)
    assert (total["events"], total["dead_letters"]) == (len(world.events), len(world.letters))
    assert {name: total[name] for name in ("missing", "doubled", "wrong", "orphans", "another_build", "gone", "repeated", "healed")} == {
        name: 0 for name in ("missing", "doubled", "wrong", "orphans", "another_build", "gone", "repeated", "healed")}
    assert [(raw["topic"], raw["partition"]) for raw in done.report["raw"]] == [
        (raw, partition) for raw in sorted(world.deployment.sources) for partition in (0, 1)]
    assert sum(output["records"] for output in done.report["outputs"]) == len(world.events) + len(world.letters)


def test_a_table_for_people(world):
    path = world.deployment.write_config("table", servers.free_port())
    done = subprocess.run([world.deployment.binary, "audit", "--config", path], env=environment(), cwd=world.deployment.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 missing, 0 doubled: nothing is wrong" in done.stdout
    assert done.stderr == "", "no progress where there is no terminal"


def test_an_untouched_copy_is_right(world):
    _, done = world.products(lambda lists: None)
    assert done.code == 0, done.told


def test_a_record_that_is_not_there_is_missing(world):
    gone = []
    _, done = world.products(lambda lists: gone.append(lists[1].pop(7)))
    [record] = gone
    assert done.code == 1 and done.words == ["missing"], done.told
    [finding] = done.report["findings"]
    raw, partition, offset = record.source
    assert finding["raw"] == {"topic": raw, "partition": partition, "offset": offset, "index": record.event["meta"]["source"]["index"]}
    assert record.event["meta"]["event_id"] in finding["due"] and record.key.decode() in finding["due"]
    rows = {(row["topic"], row["partition"]): row["missing"] for row in done.report["raw"]}
    assert rows == {place: int(place == (raw, partition)) for place in rows}


def test_the_last_record_may_be_missing_too(world):
    gone = []
    _, done = world.products(lambda lists: gone.append(lists[2].pop()))
    assert done.found("missing") == [(gone[0].source[2], [])] and done.report["wrong"] == 1, done.told


def test_a_record_that_is_there_twice_is_doubled(world):
    twice = []

    def change(lists):
        twice.extend([lists[0][3], len(lists[0])])
        lists[0].append(lists[0][3])

    copy, done = world.products(change)
    record, at = twice
    assert done.code == 1 and done.words == ["doubled"], done.told
    assert done.found("doubled") == [(record.source[2], [(copy, 0, 3), (copy, 0, at)])]
    assert done.report["total"]["doubled"] == 1


def test_at_least_once_may_repeat(world):
    copy, done = world.products(lambda lists: lists[0].append(lists[0][3]), delivery="at_least_once")
    assert done.code == 0 and done.words == ["repeated"], done.told
    assert (done.report["total"]["repeated"], done.report["total"]["doubled"]) == (1, 0)


def same_lane(records):
    """Places of two records next to each other from one raw partition, and not of one array."""
    return next(nth for nth in range(5, len(records)) if records[nth].source[:2] == records[nth + 1].source[:2]
                and records[nth].source[2] < records[nth + 1].source[2])


def test_exchanged_records_are_out_of_order(world):
    swapped = []

    def change(lists):
        nth = same_lane(lists[1])
        one, two = lists[1][nth:nth + 2]
        lists[1][nth:nth + 2] = [two, one]
        swapped.extend([nth, one, two])

    copy, done = world.products(change)
    nth, one, two = swapped
    assert done.code == 1 and done.words == ["out_of_order"], done.told
    assert done.found("out_of_order") == [(one.source[2], [(copy, 1, nth + 1)])]
    [finding] = done.report["findings"]
    assert f"raw offset {two.source[2]}, at {nth}" in finding["why"]


def test_exchanged_values_are_other_bytes(world):
    """Key and headers say one thing, the value another: the value says whose it is."""
    swapped = []

    def change(lists):
        one, two = lists[1][5], lists[1][9]
        swapped.extend([one, two])
        both = [type(a)(a.topic, a.partition, a.offset, a.timestamp, b.key, a.value, a.headers, a.event) for a, b in ((one, two), (two, one))]
        lists[1][5], lists[1][9] = both

    copy, done = world.products(change)
    assert done.code == 1 and done.words == ["other_bytes"], done.told
    assert sorted(done.found("other_bytes")) == sorted((record.source[2], [(copy, 1, at)]) for record, at in zip(swapped, (5, 9)))
    assert all("another key" in finding["why"] for finding in done.report["findings"])


def test_what_is_no_record_of_koines_is_named(world):
    def change(lists):
        junk = with_content(lists[0][0], lists[0][0])
        junk.value = b"{}"
        lists[0].append(junk)

    copy, done = world.products(change)
    assert done.code == 1 and done.words == ["unreadable"], done.told
    assert [at[:2] for _, [at] in done.found("unreadable")] == [(copy, 0)]


def test_another_builds_records_are_counted_apart(world):
    """One that differs; one that only has another build's name; and one that build did not write, amid its own."""
    there = []

    def change(lists):
        other = [with_header(record, "koine.build", b"0.0.1+0123456789ab") for record in lists[0]]
        there.append(with_header(other[4], "ce_type", b"koine.product.unknown"))
        other[4] = there[0]
        lists[0] = other

    copy, done = world.products(change)
    assert done.code == 0 and done.words == ["another_build"], done.told
    assert done.found("another_build") == [(there[0].source[2], [(copy, 0, 4)])]
    assert done.report["total"]["another_build"] == 1
    _, done = world.products(lambda lists: lists.update({0: [with_header(lists[0][0], "ce_type", b"x"), *lists[0][1:]]}))
    assert done.code == 1 and done.words == ["other_bytes"], "the same by this build is wrong"


def test_dead_letters_are_audited_too(world):
    gone = []
    topics, done = world.dead_letters(lambda letters: gone.append(letters.pop(4)))
    headers = dict(gone[0].headers)
    assert done.code == 1 and done.found("missing") == [(int(headers["__dlq.errors.offset"]), [])], done.told
    [finding] = done.report["findings"]
    assert headers["koine.error.code"].decode() in finding["due"]
    topics, done = world.dead_letters(lambda letters: letters.append(letters[0]))
    assert done.code == 1 and done.words == ["doubled"], done.told
    topics, done = world.dead_letters(lambda letters: letters.append(with_header(letters[0], "__dlq.errors.offset", b"1000000")))
    assert done.code == 1 and done.words == ["orphan"], done.told
    topics, done = world.dead_letters(lambda letters: letters.__setitem__(0, with_header(letters[0], "koine.error.code", b"json.depth")))
    assert done.code == 1 and done.words == ["other_bytes"], done.told


def test_sealed_dead_letters_are_audited(stack, deploy):
    """Nobody here can open them, and no two seals of a value are alike: what they say of themselves has to do, and does."""
    deployment = deploy({"raw.spree": ("spree", 2)})
    done = subprocess.run([deployment.binary, "dlq", "keygen", "--out", deployment.directory / "key"], capture_output=True, text=True,
                          timeout=20, check=True)
    deployment.more = {"dlq": {"seal": {"public_key": done.stdout.strip()}}}
    bad = [{"key": b"bad", "value": b'{"broken' + b"!" * n} for n in range(10)] + [{"value": None}, {"value": b""}]
    stack.produce(next(iter(deployment.sources)), [*Bulk("spree").take(50), *bad])
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    letters = stack.read(deployment.dead, decode=None)
    assert sum("koine.seal" in dict(letter.headers) and b"broken" not in letter.value for letter in letters) == 10
    done = audit(deployment)
    assert done.code == 0 and done.report["findings"] == [], done.told
    assert (done.report["total"]["events"], done.report["total"]["dead_letters"]) == (50, len(bad))
    sealed = World(stack, deployment, [], letters)
    at = next(nth for nth, letter in enumerate(letters) if letter.value)
    offset = int(dict(letters[at].headers)["__dlq.errors.offset"])
    _, done = sealed.dead_letters(lambda letters: letters.pop(at))
    assert done.code == 1 and done.found("missing") == [(offset, [])], done.told
    _, done = sealed.dead_letters(lambda letters: letters.append(letters[at]))
    assert done.code == 1 and done.words == ["doubled"], done.told
    _, done = sealed.dead_letters(lambda letters: letters.__setitem__(at, with_header(letters[at], "koine.error.code", b"json.depth")))
    assert done.code == 1 and done.words == ["other_bytes"], done.told


def test_a_renewed_dead_letter_is_no_double(world):
    _, done = world.dead_letters(lambda letters: letters.append(with_header(letters[0], "koine.redrive.count", b"1")))
    assert done.code == 0 and done.report["findings"] == [], done.told


def test_an_event_that_was_a_dead_letter_first_is_healed(world):
    """As `koine dlq redrive` leaves it: the event, and the dead letter it was."""
    event = next(record for record in world.events if record.topic == world.product)
    raw, partition, offset = event.source

    def change(letters):
        old = next(letter for letter in letters if dict(letter.headers)["__dlq.errors.topic"] == raw.encode())
        for name, value in (("topic", raw), ("partition", partition), ("offset", offset)):
            old = with_header(old, f"__dlq.errors.{name}", str(value).encode())
        letters.append(with_header(old, "koine.error.code", b"event.unknown"))

    _, done = world.dead_letters(change)
    assert done.code == 0 and done.report["findings"] == [], done.told
    assert done.report["total"]["healed"] == 1
    assert (done.report["total"]["events"], done.report["total"]["dead_letters"]) == (len(world.events), len(world.letters))


def test_what_retention_deleted_is_not_judged(world):
    """Of the outputs: no longer to be seen. Of the raw topic: nobody can say what was due."""
    stack, deployment = world.stack, world.deployment
    name = "copied.deleted"
    world.copy([record for record in world.events if record.topic == world.product], {world.product: deployment.prefix + name})
    place = TopicPartition(deployment.prefix + name, 0, 11)
    [deleted] = stack.admin.delete_records([place]).values()
    assert deleted.result(30).low_watermark == 11
    done = audit(deployment, topics={"product": name})
    assert done.code == 0 and done.report["findings"] == [], done.told
    assert (done.report["total"]["gone"], done.report["total"]["missing"]) == (11, 0)


def test_what_is_not_committed_is_not_due(stack, deploy):
    deployment = deploy({"raw.bspk": ("bspk", 1)})
    [raw] = deployment.sources
    bulk = Bulk("bspk")
    stack.produce(raw, bulk.take(20))
    done = audit(deployment)
    assert done.code == 0 and done.report["total"]["webhooks"] == 0, done.told
    assert [row["not_due"] for row in done.report["raw"]] == [20]
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    stack.produce(raw, bulk.take(5))
    done = audit(deployment)
    assert done.code == 0 and done.report["total"]["events"] == 20, done.told
    assert [row["not_due"] for row in done.report["raw"]] == [5]
    # The raw side's retention.
    [deleted] = stack.admin.delete_records([TopicPartition(raw, 0, 8)]).values()
    deleted.result(30)
    done = audit(deployment)
    assert done.code == 0 and done.report["total"]["events"] == 12, done.told
    assert sum(output["raw_gone"] for output in done.report["outputs"]) == 8


def test_it_is_right_while_koine_runs(stack, deploy):
    """Transactions come and go while it reads; what the group has committed is there."""
    deployment = deploy({"raw.bspk": ("bspk", 2), "raw.bold": ("bold", 2)})
    bulks = {raw: Bulk(vendor) for raw, vendor in deployment.sources.items()}
    with deployment.process() as koine:
        judged = []
        for _ in range(4):
            for raw, bulk in bulks.items():
                stack.produce(raw, bulk.take(1500))
            done = audit(deployment)
            assert done.code == 0 and done.report["findings"] == [], done.told
            judged.append(done.report["total"]["webhooks"])
        deployment.wait_consumed()
        koine.stop()
    assert judged == sorted(judged)
    assert audit(deployment).report["total"]["events"] == 4 * 2 * 1500


# The records it is measured on take some 400 MiB. docs/audit.md tells the bound.
MANY = 200_000
PEAK_KIB = 112 * 1024


def test_memory_does_not_grow_with_the_topics(stack, deploy):
    deployment = deploy({"raw.bspk": ("bspk", 4)})
    [raw] = deployment.sources
    bulk = Bulk("bspk")
    for _ in range(10):
        stack.produce(raw, bulk.take(MANY // 10))
    with deployment.process() as koine:
        deployment.wait_consumed(240)
        koine.stop()
    done = audit(deployment)
    assert done.code == 0 and done.report["total"]["events"] == MANY, done.told[-2000:]
    assert done.peak_kib < PEAK_KIB
    # Everything is wrong: each webhook is looked at again.
    done = audit(deployment, topics={"cart": "nowhere"})
    assert done.code == 1 and done.report["total"]["missing"] == MANY
    assert len(done.report["findings"]) + done.report["unlisted"] == MANY
    assert done.peak_kib < PEAK_KIB
