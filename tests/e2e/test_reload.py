"""A configuration that changes while koine runs: what can be changed is, what cannot is named, and a mistake changes nothing."""
import hmac
import json
import signal
from pathlib import Path

import pytest
import yaml

from support import Bulk, at, dlq_topic, wait_for
from test_breaker import SOON, Feed, assert_each_once, gauge, until_open

pytestmark = pytest.mark.timeout(240)


def order(nth, email="somebody@example.com"):
    return {"value": json.dumps({"id": f"e{nth}", "name": "order.paid", "created_at": "2026-01-15T10:00:00Z",
                                 "data": {"id": f"or_{nth}", "number": f"R{nth}", "email": email, "gift_wrap": "yes"}}).encode()}


def reloads(koine):
    return {labels["result"]: value for name, labels, value in koine.metrics() if name == "koine_config_reloads_total"}


def last_was_successful(koine):
    [value] = [value for name, _, value in koine.metrics() if name == "koine_config_last_reload_successful"]
    return value == 1


def workers(koine):
    """The threads that read: others, once the workers have started anew."""
    found = set()
    for task in Path(f"/proc/{koine.process.pid}/task").iterdir():
        try:
            name = (task / "comm").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if name.startswith("koine-worker-"):
            found.add(int(task.name))
    return found


def change(koine, settings):
    """Writes the file anew, as an editor or a ConfigMap does. `None`: without it."""
    path = Path(koine.config_file)
    whole = yaml.safe_load(path.read_text())
    for section, value in settings.items():
        whole[section] = whole.get(section, {}) | value if isinstance(value, dict) else value
        if isinstance(value, dict):
            whole[section] = {name: one for name, one in whole[section].items() if one is not None}
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump(whole))
    beside.replace(path)


def test_what_can_be_changed_is_and_what_cannot_is_named(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 2), "raw.more": ("spree", 1)})
    first, second = deployment.sources
    del deployment.sources[second]
    with deployment.process() as koine:
        stack.produce(first, [order(0)])
        stack.produce(second, [order(10)])
        deployment.wait_consumed()
        assert reloads(koine) == {"ok": 0, "failed": 0} and last_was_successful(koine)

        # Another source, another privacy, more lines: the file is noticed by itself.
        sources = [{"topics": [topic], "vendor": "spree", "extensions": "off"} for topic in (first, second)]
        change(koine, {"privacy": {"contact": "drop"}, "log": {"level": "trace", "format": "json"}, "sources": sources})
        wait_for(lambda: reloads(koine)["ok"] == 1, "it is read again", 30)
        wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready again", 60)
        deployment.sources[second] = "spree"
        stack.produce(first, [order(1)])
        deployment.wait_consumed()
        log = koine.output()
        assert "the workers start anew" in log and "privacy.contact" in log and "sources[1].topics[0]" in log
        [kept] = [line for line in log.splitlines() if "needs a restart" in line]
        assert "log.format" in kept and "{" not in kept, "it is named, and stays as it was"
        assert " TRACE " in log

        # A mistake changes nothing.
        good = Path(koine.config_file).read_text()
        Path(koine.config_file).write_text(good + "\nzebra: 1\n")
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["failed"] >= 1, "the mistake is counted", 30)
        assert not last_was_successful(koine)
        assert koine.status("/readyz") == 200
        assert any("zebra" in line and "unknown" in line for line in koine.output().splitlines())
        stack.produce(first, [order(2)])
        deployment.wait_consumed()
        assert not last_was_successful(koine), "as long as the mistake is there"

        # Nor does what was pinned at start.
        Path(koine.config_file).write_text(good)
        wait_for(lambda: reloads(koine)["ok"] >= 2, "the mended file is read", 30)
        assert last_was_successful(koine)
        done = reloads(koine)["failed"]
        change(koine, {"topics": {"order": "elsewhere"}})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["failed"] > done, "topics need a restart", 30)
        assert not last_was_successful(koine)
        Path(koine.config_file).write_text(good)
        wait_for(lambda: last_was_successful(koine), "the file is as it was", 30)
        wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready", 60)
        koine.stop()

    events = {at(record.event, "meta.source.event_id"): record.event for record in stack.read(deployment.canonical, decode="fastavro")}
    assert events.keys() == {"e0", "e1", "e2", "e10"}, "each once, and all of them"
    assert at(events["e0"], "order.email") == "somebody@example.com" and events["e0"]["extensions"]
    for late in ("e1", "e2", "e10"):
        assert at(events[late], "order.email") is None and not events[late]["extensions"], late


def without_their_topics(log):
    return [line for line in log.splitlines() if "cannot take effect" in line]


def test_a_source_without_its_dead_letter_topic_stops_nobody(stack, deploy):
    """Nothing is changed until the topics are there: neither the sources nor what else is in the file."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    [first] = deployment.sources
    late, dead = deployment.prefix + "raw.late", dlq_topic(deployment.prefix, deployment.prefix + "raw.late")
    stack.create({late: 1})
    with deployment.process() as koine:
        stack.produce(first, [order(0)])
        stack.produce(late, [order(10)])
        deployment.wait_consumed()
        then, good = workers(koine), Path(koine.config_file).read_text()
        assert len(then) == 1
        sources = [{"topics": [topic], "vendor": "spree"} for topic in (first, late)]
        change(koine, {"privacy": {"contact": "drop"}, "sources": sources})
        wait_for(lambda: reloads(koine)["failed"] >= 1, "it is told that it cannot be", 60)
        assert not last_was_successful(koine)
        assert all("ERROR" in line and f"missing: {dead}" in line for line in without_their_topics(koine.output()))
        # The same workers go on by the old settings.
        stack.produce(first, [order(1)])
        deployment.wait_consumed()
        assert koine.status("/readyz") == 200 and workers(koine) == then and reloads(koine)["ok"] == 0
        failed = reloads(koine)["failed"]
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["failed"] > failed, "it is tried again and still not there", 60)
        assert not last_was_successful(koine) and koine.status("/readyz") == 200

        # Somebody goes back to what was: that is in effect already.
        Path(koine.config_file).write_text(good)
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: last_was_successful(koine), "the file is as it was", 30)
        assert workers(koine) == then

        # And once more, with the topic after it.
        done, failed = reloads(koine)["ok"], reloads(koine)["failed"]
        change(koine, {"privacy": {"contact": "drop"}, "sources": sources})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["failed"] > failed, "it is missing again", 60)
        stack.create({dead: 1})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["ok"] > done, "it is in effect", 60)
        assert last_was_successful(koine)
        wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready again", 60)
        assert workers(koine).isdisjoint(then)
        deployment.sources[late] = "spree"
        stack.produce(first, [order(2)])
        deployment.wait_consumed()
        koine.stop()
    events = {at(record.event, "meta.source.event_id"): record.event for record in stack.read(deployment.canonical, decode="fastavro")}
    assert events.keys() == {"e0", "e1", "e2", "e10"}, "each once, and all of them"
    assert [at(events[name], "order.email") is None for name in ("e0", "e1", "e2", "e10")] == [False, False, True, True]


def test_a_source_whose_topics_come_by_themselves_is_read(stack, deploy):
    """Nobody has to tell koine."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    [first] = deployment.sources
    late = deployment.prefix + "raw.late"
    stack.create({late: 1})
    with deployment.process() as koine:
        stack.produce(late, [order(0)])
        change(koine, {"sources": [{"topics": [topic], "vendor": "spree"} for topic in (first, late)]})
        wait_for(lambda: reloads(koine)["failed"] >= 1, "it is told that it cannot be", 60)
        stack.create({dlq_topic(deployment.prefix, late): 1})
        wait_for(lambda: reloads(koine)["ok"] == 1, "it is tried again", 90)
        assert last_was_successful(koine) and reloads(koine)["failed"] == 1, "it was read once"
        deployment.sources[late] = "spree"
        deployment.wait_consumed()
        koine.stop()


def test_a_configuration_that_no_waiting_helps_ends_nothing(stack, deploy):
    """A compacted topic ends a koine that starts, and not one that runs."""
    deployment = deploy({"raw.spree": ("spree", 1)})
    [topic] = deployment.sources
    with deployment.process() as koine:
        stack.produce(topic, [order(0)])
        deployment.wait_consumed()
        then = workers(koine)
        stack.configure(deployment.canonical[0], "cleanup.policy", "compact")
        change(koine, {"privacy": {"contact": "drop"}})
        wait_for(lambda: reloads(koine)["failed"] >= 1, "it is told that it cannot be", 60)
        assert not last_was_successful(koine)
        stack.produce(topic, [order(1)])
        deployment.wait_consumed()
        assert koine.status("/readyz") == 200 and workers(koine) == then
        assert all("is compacted" in line for line in without_their_topics(koine.output()))
        stack.configure(deployment.canonical[0], "cleanup.policy", "delete")
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["ok"] == 1, "it is in effect", 60)
        wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready again", 60)
        assert last_was_successful(koine) and workers(koine).isdisjoint(then)
        stack.produce(topic, [order(2)])
        deployment.wait_consumed()
        koine.stop()
    events = {at(record.event, "meta.source.event_id"): record.event for record in stack.read(deployment.canonical, decode="fastavro")}
    assert [at(events[name], "order.email") is None for name in ("e0", "e1", "e2")] == [False, False, True]


def test_only_the_level_needs_no_pause(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 1)})
    # What is told at this level is the connection to the registry, again and again.
    deployment.more = {"registry": {"check_every": "100ms"}}
    [topic] = deployment.sources
    bulk = Bulk("spree")

    def asked(koine):
        return sum(value for name, _, value in koine.metrics() if name == "koine_schema_registry_requests_total")

    def assigned(koine):
        return [value for name, labels, value in koine.metrics() if name == "koine_rebalances_total" and labels["kind"] == "assign"]

    def debug(koine):
        return [line for line in koine.output().splitlines() if " DEBUG " in line]
    with deployment.process() as koine:
        stack.produce(topic, bulk.take(10))
        deployment.wait_consumed()
        before = asked(koine)
        wait_for(lambda: asked(koine) >= before + 20, "the registry is asked", 60)
        assert debug(koine) == []
        then, joined = workers(koine), assigned(koine)
        assert len(then) == 1

        change(koine, {"log": {"level": "debug"}})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["ok"] >= 1, "it is read again", 30)
        wait_for(lambda: debug(koine), "there are lines of this level", 60)
        stack.produce(topic, bulk.take(10))
        deployment.wait_consumed()
        assert (workers(koine), assigned(koine)) == (then, joined), "the same workers with the same partitions"
        assert "the workers start anew" not in koine.output()

        # And back: of what the registry is asked from now on nothing is told.
        done = reloads(koine)["ok"]
        change(koine, {"log": {"level": "info"}})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["ok"] > done, "it is read again", 30)
        # A line that was begun before may still be written.
        wait_for(lambda: asked(koine) >= before + 40, "the registry is asked", 60)
        told, before = len(debug(koine)), asked(koine)
        wait_for(lambda: asked(koine) >= before + 20, "the registry is asked", 60)
        assert len(debug(koine)) == told and workers(koine) == then
        koine.stop()


def test_another_privacy_key_gives_another_pseudonym(stack, deploy, tmp_path):
    deployment = deploy({"raw.spree": ("spree", 1)})
    [topic] = deployment.sources
    keys = [f"a key for pseudonyms, the {nth} one" for nth in ("first", "second", "third")]
    file = tmp_path / "privacy.key"
    file.write_text(keys[0] + "\n")
    deployment.more = {"privacy": {"contact": "hash", "key_file": str(file)}, "log": {"level": "trace"}}
    with deployment.process() as koine:
        def send(*numbers):
            stack.produce(topic, [order(number) for number in numbers])
            deployment.wait_consumed()

        def is_read_again(times):
            wait_for(lambda: reloads(koine)["ok"] >= times, "it is read again", 30)
            wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready again", 60)
        send(0, 1)
        # A secret in a file of its own is read with the configuration, which is the same.
        file.write_text(keys[1] + "\n")
        koine.process.send_signal(signal.SIGHUP)
        is_read_again(1)
        send(2, 3)
        # One that stands in the configuration is noticed with it.
        change(koine, {"privacy": {"key": keys[2], "key_file": None}})
        is_read_again(2)
        send(4, 5)
        log = koine.output()
        koine.stop()
    anew = [line for line in log.splitlines() if "the workers start anew" in line]
    assert len(anew) == 2 and all("privacy.key" in line for line in anew)
    assert " TRACE " in log and not any(key in koine.output() for key in keys)
    found = {at(record.event, "meta.source.event_id"): at(record.event, "order.email")
             for record in stack.read(deployment.canonical, decode="fastavro")}
    assert found.keys() == {f"e{number}" for number in range(6)}
    wanted = [hmac.new(key.encode(), b"somebody@example.com", "sha256").hexdigest() for key in keys]
    assert [found[f"e{number}"] for number in range(6)] == [one for one in wanted for _ in range(2)]
    assert len(set(wanted)) == 3


def test_the_breaker_follows_its_settings(stack, deploy):
    """Told to say it only, then to pause, then once more to say it only."""
    deployment = deploy({"raw.bad": ("spree", 1), "raw.good": ("spree", 1)})
    bad, good = (Feed(stack, deployment.prefix + name) for name in ("raw.bad", "raw.good"))
    # One that pauses waits for so long, or for a command.
    limits = {name.removeprefix("KOINE__BREAKER_LIMITS__").lower(): value for name, value in SOON.items()}
    deployment.more = {"breaker": "alert", "breaker_limits": {"records": 1_000_000, "window": "1h", "pause": "1h", "longest_pause": "1h"}}
    with deployment.process() as koine:
        def set_to(times, named, settings):
            change(koine, settings)
            wait_for(lambda: reloads(koine)["ok"] >= times, "it is read again", 30)
            wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready again", 60)
            last = [line for line in koine.output().splitlines() if "the workers start anew" in line][times - 1]
            assert all(name in last for name in named), last

        # So many are never judged together.
        bad.send(1000, good=False)
        deployment.wait_consumed()
        assert gauge(koine, "koine_breaker_state", bad.topic) == 0
        # With other limits it opens, and pauses nothing.
        set_to(1, ["breaker_limits.records", "breaker_limits.window"], {"breaker_limits": limits})
        until_open(koine, bad)
        bad.send(100, good=False)
        deployment.wait_consumed()
        assert gauge(koine, "koine_partition_paused", bad.topic, reason="breaker") == 0
        # Told to pause, it does.
        set_to(2, ["breaker"], {"breaker": "pause"})
        until_open(koine, bad)
        wait_for(lambda: gauge(koine, "koine_partition_paused", bad.topic, reason="breaker") == 1, "it pauses", 30)
        bad.send(50, good=False)
        good.send(500, good=True)
        wait_for(lambda: stack.consumed(deployment.group, [good.topic]), "the other source goes on", 60)
        assert not stack.consumed(deployment.group, [bad.topic])
        # Told not to, it reads what it left.
        set_to(3, ["breaker"], {"breaker": "alert"})
        deployment.wait_consumed()
        koine.stop()
    assert_each_once(stack, deployment, [bad, good])
