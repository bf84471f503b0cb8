"""`koine run --only`: what an earlier build ignored is brought in, once, and byte for byte as a plain run writes it.

The plain run is another deployment on the same raw topics. The earlier build is stood in for by the offsets that it would
have committed.
"""
import itertools
import json
import re
import signal
import subprocess
from collections import Counter

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from support import at, bodies, environment, expectations, servers, wait_for

pytestmark = pytest.mark.timeout(240)

RAW = {"raw.bspk": ("bspk", 2), "raw.spree": ("spree", 3), "raw.composer": ("composer", 1), "raw.bold": ("bold", 2)}
# issue 3: "Spree's component events, BSPK metafields and Bold categories".
PENDING = {
    "spree": {"customer_return", "digital", "digital_link", "image", "line_item", "media", "newsletter_subscriber", "payment",
              "payment_session", "payment_setup_session", "price", "refund", "reimbursement", "return_authorization", "return_item",
              "shipment", "stock_item", "stock_movement", "store_credit", "variant", "wished_item"},
    "bspk": {"metafield"}, "bold": {"category"}, "composer": set(),
}
LINE = '{"id":"%s","name":"line_item.created","created_at":"2026-01-15T10:00:00Z","data":{"id":"%s"}}'
ORDER = '{"id":"%s","name":"order.completed","created_at":"2026-01-15T10:00:00Z","data":{"id":"%s"}}'


def run_only(deployment, *arguments, expect=0):
    """`koine run` with these words, until it has ended by itself."""
    path = deployment.write_config("only", servers.free_port())
    done = subprocess.run([deployment.binary, "run", "--config", path, *arguments], env=environment(), cwd=deployment.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def commit(stack, group, topics, ends=None):
    """What the translator of an earlier build would have committed."""
    consumer = Consumer({"bootstrap.servers": stack.brokers, "group.id": group})
    try:
        ends = ends or stack.ends(topics)
        consumer.commit(offsets=[TopicPartition(t, p, n) for (t, p), n in ends.items()], asynchronous=False)
    finally:
        consumer.close()
    return ends


def as_sent(record):
    return (record.topic.split("commerce.")[-1], record.partition, record.key, record.value, tuple(record.headers), record.timestamp)


def letter(record):
    """A dead letter, less what is this deployment's own, or the clock's."""
    own = ("__dlq.errors.group", "koine.failed.at")
    return (record.partition, record.key, record.value, tuple(h for h in record.headers if h[0] not in own), record.timestamp)


@pytest.fixture(scope="module")
def world(stack, deploy):
    """Every fixture body, lists, and broken ones of both kinds; once through a plain run."""
    plain = deploy(RAW)
    prefix = plain.prefix
    wanted = set()  # places whose records --only has to write
    for topic, (vendor, partitions) in RAW.items():
        names = list(bodies(vendor))
        places = stack.produce(prefix + topic, [
            {"value": body, "key": name.encode(), "timestamp": 1_700_000_000_000 + i, "partition": i % partitions,
             "headers": [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]}
            for i, (name, body) in enumerate(bodies(vendor).items())])
        for name, place in zip(names, places):
            expected = expectations(vendor)[name]
            if expected["outcome"] == "event" and name.split(".")[0] in PENDING[vendor]:
                wanted.add((prefix + topic, *place, 0))
    spree = prefix + "raw.spree"
    mixed = f"[{ORDER % ('a', 'or_a')},{LINE % ('b', 'li_b')},{LINE % ('c', '')},{LINE % ('d', 'li_d')}]"
    broken = [ORDER % ("e", ""), LINE % ("f", ""), "{", '{"id":"g","name":"line_item.lost","created_at":"2026-01-15T10:00:00Z","data":{"id":"x"}}']
    places = stack.produce(spree, [{"value": text.encode(), "key": b"k", "partition": 0} for text in [mixed, *broken]])
    wanted |= {(spree, *places[0], 1), (spree, *places[0], 3)}
    dead = {(spree, *places[0], "2"), (spree, *places[2], None)}
    with plain.process() as koine:
        plain.wait_consumed()
        koine.stop()
    return plain, wanted, dead


def test_it_writes_what_a_plain_run_writes_of_them(stack, deploy, world):
    plain, wanted, dead = world
    raw = list(plain.sources)
    deployment = deploy(raw=plain.sources)
    ends = commit(stack, deployment.group, raw)
    # What the translator of today has to do is none of this run's.
    later = stack.produce(raw[1], [{"value": (LINE % ("h", "li_h")).encode(), "partition": p} for p in range(3)])
    assert all(ends[raw[1], p] == offset for p, offset in later)
    words = ("--only", "component_pending", "--from", "earliest")
    counted = [json.loads(line) for line in run_only(deployment, *words, "--dry-run").stdout.splitlines()]
    assert stack.read(deployment.canonical) == stack.read(deployment.dead, decode=None) == []
    done = run_only(deployment, *words)
    assert f"done: {len(wanted)} events and {len(dead)} dead letters written" in done.stderr

    def place(record):
        return (*record.source, at(record.event, "meta.source.index"))
    records = stack.read(deployment.canonical)
    assert Counter(map(place, records)) == Counter(wanted)
    theirs = [record for record in stack.read(plain.canonical) if place(record) in wanted]
    assert sorted(map(as_sent, records)) == sorted(map(as_sent, theirs))
    letters = stack.read(deployment.dead, decode=None)

    def letter_place(record):
        headers = dict(record.headers)
        index = headers.get("koine.event.index")
        return (headers["__dlq.errors.topic"].decode(), int(headers["__dlq.errors.partition"]),
                int(headers["__dlq.errors.offset"]), index and index.decode())
    assert Counter(map(letter_place, letters)) == Counter(dead)
    assert {dict(r.headers)["__dlq.errors.group"].decode() for r in letters} == {deployment.group}
    theirs = [record for record in stack.read(plain.dead, decode=None) if letter_place(record) in dead]
    assert sorted(map(letter, letters)) == sorted(map(letter, theirs))
    # The rehearsal had it right.
    totals = Counter()
    for line in counted:
        totals[line["outcome"]] += line["count"]
    assert (totals["event"], totals["dead_letter"]) == (len(wanted), len(dead))
    by_type = Counter(at(record.event, "meta.source.event_type") for record in records)
    assert {line["event_type"]: line["count"] for line in counted if line["outcome"] == "event"}["line_item.created"] \
        == by_type["line_item.created"]

    # A second time there is nothing to do, whatever the translator has done since.
    before = stack.ends([*deployment.canonical, *deployment.dead])
    commit(stack, deployment.group, raw)
    for dry in ([], ["--dry-run"]):
        assert "nothing to do" in run_only(deployment, *words, *dry).stderr
    assert stack.ends([*deployment.canonical, *deployment.dead]) == before


def test_types_and_times_choose(stack, deploy, world):
    """`--until end` needs no translator's offsets; a time leaves out what is before it. Without transactions it ends as well."""
    plain, _, _ = world
    deployment = deploy(raw=plain.sources, delivery="at_least_once")
    names = [name for name in bodies("spree") if name.split(".")[0] == "image"]
    stamps = {name: 1_700_000_000_000 + i for i, name in enumerate(bodies("spree"))}
    last = max(stamps[name] for name in names)
    time = f"2023-11-14T22:13:20.{last - 1_700_000_000_000:03d}Z"
    # Records without a time of their own choosing are younger than any of the bodies.
    words = ("--only", "image.*,category.saved", "--from", time, "--until", "end")
    run_only(deployment, *words)
    found = {at(r.event, "meta.source.event_type") for r in stack.read(deployment.canonical)}
    assert found and found <= {name.split(".")[0] + "." + name.split(".")[1] for name in names if stamps[name] >= last}
    assert "nothing to do" in run_only(deployment, *words).stderr


def in_transactions(stack, topic, name, *counts):
    """Transactions of so many records each; the last one is aborted."""
    producer = Producer({"bootstrap.servers": stack.brokers, "transactional.id": name})
    producer.init_transactions(30)
    for nth, count in enumerate(counts, 1):
        producer.begin_transaction()
        for n in range(count):
            producer.produce(topic, (LINE % (f"{nth}-{n}", f"li_{nth}_{n}")).encode())
        producer.flush(30)
        (producer.commit_transaction if nth < len(counts) else producer.abort_transaction)(30)
    stack.settled([topic])


def test_a_topic_that_ends_with_a_marker_is_read_to_its_end(stack, deploy):
    """Raw records that were themselves written in transactions: the last offsets are Kafka's own, and one was aborted."""
    deployment = deploy({"raw.spree": ("spree", 1), "raw.empty": ("spree", 2)})
    topic = deployment.prefix + "raw.spree"
    in_transactions(stack, topic, deployment.prefix, 3, 3)
    assert stack.ends([topic])[topic, 0] == 8
    words = ("--only", "line_item.created", "--from", "earliest", "--until", "end")
    assert "done: 3 events" in run_only(deployment, *words).stderr
    assert len(stack.read(deployment.canonical)) == 3
    assert "nothing to do" in run_only(deployment, *words).stderr


def test_a_start_that_finds_nothing_but_markers_ends(stack, deploy):
    """As if it had been killed after the last record and before the end: what is left are a marker and an aborted transaction."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    topic = deployment.prefix + "raw.spree"
    in_transactions(stack, topic, deployment.prefix, 3, 3)
    words = ("--only", "line_item.created", "--from", "earliest", "--until", "end")
    group = re.search(r"group (\S+),", run_only(deployment, *words, "--dry-run").stderr)[1]
    commit(stack, f"{group}-until", [topic], {(topic, 0): 8})
    for left in (3, 4, 7):
        commit(stack, group, [topic], {(topic, 0): left})
        assert "done: 0 events" in run_only(deployment, *words).stderr
        assert stack.committed(group, [topic])[topic, 0] == 8
    assert "nothing to do" in run_only(deployment, *words).stderr


def test_a_kill_in_the_middle_loses_and_doubles_nothing(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 4)})
    topic = deployment.prefix + "raw.spree"
    count = 80_000
    stack.produce(topic, [{"value": ((ORDER if n % 2 else LINE) % (f"e{n}", f"x{n}")).encode(), "key": b"%d" % n} for n in range(count)])
    commit(stack, deployment.group, [topic])
    words = ("--only", "line_item.*", "--from", "earliest")
    path = deployment.write_config("killed", servers.free_port())
    cut = 0
    # Whether a kill hits an open transaction is chance: after these there are more, until one has.
    hows = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL]
    for how in itertools.chain(hows, itertools.takewhile(lambda _: not cut, [signal.SIGKILL] * 8)):
        # Two workers, between which the partitions move.
        process = subprocess.Popen([deployment.binary, "run", "--config", path, *words], env=environment(KOINE__WORKERS="2"),
                                   cwd=deployment.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = sum(stack.ends(deployment.canonical).values())

        def is_at_work():
            # The transaction that the last one left open is none of this one's: some hundreds have to come first.
            return sum(stack.ends(deployment.canonical).values()) > before + 600 and stack.open_transactions(deployment.canonical)
        try:
            wait_for(lambda: process.poll() is not None or is_at_work(), "at work", 60, 0.001)
            assert process.poll() is None, "it was done before it could be killed"
            process.send_signal(how)
            # Told to stop it stops, and says that it is not done.
            assert process.wait(15) == (1 if how == signal.SIGTERM else -how)
        finally:
            process.kill()
            process.wait(10)
        cut += bool(stack.open_transactions(deployment.canonical))
        # The translator of today goes on meanwhile; it is none of the run's.
        stack.produce(topic, [{"value": (LINE % ("later", "later")).encode(), "partition": 0}])
        commit(stack, deployment.group, [topic])
    assert cut > 0, "no kill hit an open transaction: the test has shown nothing"
    run_only(deployment, *words)
    found = Counter(at(record.event, "meta.source.event_id") for record in stack.read(deployment.canonical, decode="fastavro"))
    assert found == Counter(f"e{n}" for n in range(0, count, 2))
    assert "nothing to do" in run_only(deployment, *words).stderr


@pytest.mark.parametrize("first", [10, 12])
def test_an_end_that_retention_has_deleted_ends_the_run(stack, deploy, first):
    """What is gone stops the run as it stops the translator; once the loss is accepted, there is nothing to wait for."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    topic = deployment.prefix + "raw.spree"
    line = [{"value": (LINE % ("a", "li_a")).encode()}]
    stack.produce(topic, line * 10)
    words = ("--only", "line_item.created", "--from", "earliest", "--until", "end")
    group = re.search(r"group (\S+),", run_only(deployment, *words, "--dry-run").stderr)[1]
    # As if it had been killed as soon as it knew where to begin and to end.
    commit(stack, group, [topic], {(topic, 0): 2})
    commit(stack, f"{group}-until", [topic], {(topic, 0): 10})
    stack.produce(topic, line * 5)
    stack.admin.delete_records([TopicPartition(topic, 0, first)])[TopicPartition(topic, 0, first)].result(20)
    assert "done: 0 events" in run_only(deployment, *words, "--accept-loss").stderr
    assert "nothing to do" in run_only(deployment, *words).stderr
    assert stack.read(deployment.canonical) == []


def test_a_translator_that_runs_hides_where_the_earlier_build_ended(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 1)})
    topic = deployment.prefix + "raw.spree"
    words = ("--only", "component_pending", "--from", "earliest")
    assert "has committed nothing" in run_only(deployment, *words, expect=2).stderr
    stack.produce(topic, [{"value": (LINE % ("a", "li_a")).encode()}])
    with deployment.process() as koine:
        deployment.wait_consumed()
        assert "has 1 members" in run_only(deployment, *words, expect=2).stderr
        # Who says where to end means it; what the translator has written is written once more, under the same id.
        run_only(deployment, *words, "--until", "committed")
        koine.stop()
    records = stack.read(deployment.canonical)
    assert [at(r.event, "meta.source.event_id") for r in records] == ["a", "a"]
    assert len({at(r.event, "meta.event_id") for r in records}) == 1
