"""The breaker on a real broker: a partition from which nothing but refused webhooks come is left alone, at its place, until that
is mended; one bad event type among good ones never does that."""
import json
import subprocess
from collections import Counter

import pytest

from support import at, environment, wait_for

pytestmark = pytest.mark.timeout(240)

EVENT = '{"id":"%s","name":"%s","created_at":"2026-01-15T10:00:00Z","data":{"id":"%s"}}'
# Soon, and only by command; or tried again at once.
SOON = {"KOINE__BREAKER_LIMITS__RECORDS": "200", "KOINE__BREAKER_LIMITS__WINDOW": "1s"}
BY_COMMAND = SOON | {"KOINE__BREAKER_LIMITS__PAUSE": "1h", "KOINE__BREAKER_LIMITS__LONGEST_PAUSE": "1h"}
BY_ITSELF = SOON | {"KOINE__BREAKER_LIMITS__PAUSE": "200ms", "KOINE__BREAKER_LIMITS__LONGEST_PAUSE": "400ms"}


class Feed:
    """Orders onto a topic, each with an id of its own; a bad one names no order."""

    def __init__(self, stack, topic):
        self.stack, self.topic, self.sent = stack, topic, {True: [], False: []}

    def send(self, count, good, partition=0):
        """`good`: whether they are, or of each whether it is, by its number."""
        first = len(self.sent[True]) + len(self.sent[False])
        records = []
        for number in range(first, first + count):
            name, is_good = f"{self.topic}-{number}", good(number) if callable(good) else good
            self.sent[is_good].append(name)
            records.append({"value": (EVENT % (name, "order.completed", name if is_good else "")).encode(), "key": name.encode(),
                            "partition": partition})
        self.stack.produce(self.topic, records)


def gauge(koine, name, topic, **labels):
    """The one sample of a partition's gauge."""
    [value] = samples(koine, name, topic, **labels)
    return value


def samples(koine, name, topic, **labels):
    wanted = {"topic": topic, "partition": "0"} | labels
    return [value for metric, have, value in koine.metrics() if metric == name and wanted.items() <= have.items()]


def breaker(koine, *arguments):
    done = subprocess.run([koine.command[0], "breaker", *arguments, "--config", koine.command[-1]], env=environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def until_open(koine, feed):
    """Bad ones, a few at a time, so that few are left when it opens."""
    def is_open():
        koine.alive()
        feed.send(20, good=False)
        # None while the partition is not this process's: a broker that is silent for long ends its session.
        return samples(koine, "koine_breaker_state", feed.topic) == [2]
    wait_for(is_open, "the breaker opens", 60, 0.02)


def assert_each_once(stack, deployment, feeds):
    events = Counter(at(r.event, "meta.source.event_id") for r in stack.read(deployment.canonical, decode="fastavro"))
    assert events == Counter(name for feed in feeds for name in feed.sent[True])
    letters = Counter(r.key.decode() for r in stack.read(deployment.dead, decode=None))
    assert letters == Counter(name for feed in feeds for name in feed.sent[False])


@pytest.fixture
def two(stack, deploy):
    deployment = deploy({"raw.bad": ("spree", 1), "raw.good": ("spree", 2)})
    bad, good = (Feed(stack, deployment.prefix + name) for name in ("raw.bad", "raw.good"))
    return deployment, bad, good


def test_all_bad_opens_and_a_command_closes(stack, two):
    deployment, bad, good = two
    with deployment.process(**BY_COMMAND) as koine:
        assert breaker(koine, "list") == (0, "", "")
        until_open(koine, bad)
        assert gauge(koine, "koine_partition_paused", bad.topic, reason="breaker") == 1
        # Others go on, and it stands still.
        bad.send(50, good=False)
        good.send(3000, good=True, partition=0)
        wait_for(lambda: stack.consumed(deployment.group, [good.topic]), "the other source goes on", 60)
        assert gauge(koine, "koine_breaker_state", good.topic) == 0
        at_rest = stack.committed(deployment.group, [bad.topic])[bad.topic, 0]
        assert at_rest < len(bad.sent[False])
        assert len(stack.read(deployment.dead, decode=None)) == at_rest, "nothing beyond what is committed was read"
        code, out, err = breaker(koine, "list")
        [shown] = map(json.loads, out.splitlines())
        assert code == 1 and "1 breakers are not closed" in err
        assert (shown["topic"], shown["state"], shown["paused"], shown["code"]) == (bad.topic, "open", True, "field.missing")
        [line] = [line for line in koine.output().splitlines() if "its breaker is open" in line]
        assert "ERROR" in line and "field.missing" in line and shown["fingerprint"] in line
        assert stack.committed(deployment.group, [bad.topic])[bad.topic, 0] == at_rest
        # What was wrong is mended.
        assert breaker(koine, "resume", "--topic", good.topic)[0] == 1
        bad.send(500, good=True)
        assert breaker(koine, "resume", "--topic", bad.topic, "--partition", "0")[0] == 0
        deployment.wait_consumed()
        wait_for(lambda: gauge(koine, "koine_breaker_state", bad.topic) == 0, "closed", 10)
        assert gauge(koine, "koine_partition_paused", bad.topic, reason="breaker") == 0
        koine.stop()
    assert_each_once(stack, deployment, [bad, good])


def test_it_closes_by_itself_when_records_go_through_again(stack, two):
    deployment, bad, good = two
    with deployment.process(**BY_ITSELF) as koine:
        until_open(koine, bad)
        # Whatever was left when it opened, and these, are tried one by one.
        bad.send(3, good=False)
        wait_for(lambda: stack.consumed(deployment.group, [bad.topic]), "all bad ones tried", 120)
        assert koine.output().count("the breaker tries a record") >= 1
        bad.send(500, good=True)
        deployment.wait_consumed()
        wait_for(lambda: gauge(koine, "koine_breaker_state", bad.topic) == 0, "closed", 10)
        koine.stop()
    assert_each_once(stack, deployment, [bad, good])


def test_whoever_comes_next_begins_where_it_stood(stack, two):
    deployment, bad, good = two
    with deployment.process(**BY_COMMAND) as koine:
        until_open(koine, bad)
        bad.send(50, good=False)
        koine.stop()
    at_rest = stack.committed(deployment.group, [bad.topic])[bad.topic, 0]
    assert at_rest < len(bad.sent[False])
    bad.send(500, good=True)
    with deployment.process(**BY_COMMAND) as koine:
        deployment.wait_consumed()
        koine.stop()
    assert_each_once(stack, deployment, [bad, good])


def test_a_rebalance_loses_and_doubles_nothing(stack, two):
    """Whoever has the partition: it stands still, or it is read on from where it stood."""
    deployment, bad, good = two
    with deployment.process(**BY_COMMAND) as first:
        until_open(first, bad)
        at_rest = stack.committed(deployment.group, [bad.topic])[bad.topic, 0]

        def has(koine):
            return any(have.get("topic") == bad.topic for name, have, _ in koine.metrics() if name == "koine_breaker_state")
        with deployment.process(KOINE__KAFKA__INSTANCE="other", **BY_COMMAND) as second:
            wait_for(lambda: any(name == "koine_consumer_assigned_partitions" and value for name, _, value in second.metrics()),
                     "the second one has partitions", 60)
            good.send(500, good=True, partition=0)
            good.send(500, good=True, partition=1)
            wait_for(lambda: stack.consumed(deployment.group, [good.topic]), "the good ones go on", 60)
            wait_for(lambda: has(first) != has(second), "one of them has it", 30)
            if has(first):
                assert gauge(first, "koine_breaker_state", bad.topic) == 2
                assert stack.committed(deployment.group, [bad.topic])[bad.topic, 0] == at_rest
            second.stop()
        wait_for(lambda: has(first), "the first one has it again", 60)
        bad.send(500, good=True)
        breaker(first, "resume")
        deployment.wait_consumed()
        first.stop()
    assert_each_once(stack, deployment, [bad, good])


def test_alert_says_and_does_not_pause(stack, two):
    deployment, bad, good = two
    with deployment.process(KOINE__BREAKER="alert", **BY_COMMAND) as koine:
        until_open(koine, bad)
        assert gauge(koine, "koine_partition_paused", bad.topic, reason="breaker") == 0
        bad.send(500, good=False)
        deployment.wait_consumed()
        koine.stop()
    assert_each_once(stack, deployment, [bad, good])


def test_one_bad_event_type_among_ten_never_opens(stack, deploy):
    """Neither mixed nor in runs; and an event type that nobody knows does not count, be there nothing else."""
    deployment = deploy({"raw.mixed": ("spree", 2), "raw.unknown": ("spree", 1)})
    mixed, unknown = (deployment.prefix + name for name in ("raw.mixed", "raw.unknown"))
    types = [f"{family}.{action}" for family in ("order", "product", "customer", "line_item", "variant")
             for action in ("created", "updated")]
    bad = "variant.created"
    count = 20_000

    def body(n):
        name = types[n % 10] if n < count // 2 else types[n // 500 % 10]
        return name, (EVENT % (f"e{n}", name, "" if name == bad else f"x{n}")).encode()
    bodies = [body(n) for n in range(count)]
    with deployment.process(KOINE__BREAKER_LIMITS__RECORDS="1000", KOINE__BREAKER_LIMITS__WINDOW="500ms") as koine:
        for start in range(0, count, 1000):
            stack.produce(mixed, [{"value": value, "partition": n % 2} for n, (_, value) in enumerate(bodies[start:start + 1000])])
            stack.produce(unknown, [{"value": (EVENT % (f"u{n}", "order.teleported", "x")).encode()} for n in range(start, start + 500)])
        deployment.wait_consumed()
        states = {value for name, _, value in koine.metrics() if name == "koine_breaker_state"}
        letters = sum(value for name, have, value in koine.metrics()
                      if name == "koine_dead_letters_total" and have["error_code"] == "field.missing")
        koine.stop()
        assert "breaker" not in koine.output()
    assert states == {0}
    wanted = Counter(name for name, _ in bodies)
    assert letters == wanted[bad] > 0
    found = Counter(at(r.event, "meta.source.event_type") for r in stack.read(deployment.canonical, decode="fastavro"))
    assert found == Counter({name: n for name, n in wanted.items() if name != bad})


def test_one_bad_record_in_a_thousand_never_opens(stack, deploy):
    """As often as it can be judged, whatever else is small. The whole size: tests/chaos/breaker.py rare."""
    deployment = deploy({"raw.rare": ("spree", 2)})
    rare = Feed(stack, deployment.prefix + "raw.rare")
    count = 50_000
    with deployment.process(KOINE__BREAKER_LIMITS__RECORDS="1000", KOINE__BREAKER_LIMITS__WINDOW="100ms") as koine:
        for nth in range(5):
            rare.send(count // 5, good=lambda number: number % 1000 != 500, partition=nth % 2)
        deployment.wait_consumed()
        states = {value for name, _, value in koine.metrics() if name == "koine_breaker_state"}
        koine.stop()
        assert "breaker" not in koine.output()
    assert states == {0} and len(rare.sent[False]) == count // 1000
    assert_each_once(stack, deployment, [rare])
