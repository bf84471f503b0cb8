"""A configuration that changes while koine runs: what can be changed is, what cannot is named, and a mistake changes nothing."""
import json
import signal
from pathlib import Path

import pytest
import yaml

from support import at, wait_for

pytestmark = pytest.mark.timeout(240)


def order(nth):
    return {"value": json.dumps({"id": f"e{nth}", "name": "order.paid", "created_at": "2026-01-15T10:00:00Z",
                                 "data": {"id": f"or_{nth}", "number": f"R{nth}", "email": "somebody@example.com", "gift_wrap": "yes"}}).encode()}


def reloads(koine):
    return {labels["result"]: value for name, labels, value in koine.metrics() if name == "koine_config_reloads_total"}


def change(koine, settings):
    """Writes the file anew, as an editor or a ConfigMap does."""
    path = Path(koine.config_file)
    whole = yaml.safe_load(path.read_text())
    for section, value in settings.items():
        whole[section] = whole.get(section, {}) | value if isinstance(value, dict) else value
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
        assert reloads(koine) == {"ok": 0, "failed": 0}

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
        assert koine.status("/readyz") == 200
        assert any("zebra" in line and "unknown" in line for line in koine.output().splitlines())
        stack.produce(first, [order(2)])
        deployment.wait_consumed()

        # Nor does what was pinned at start.
        Path(koine.config_file).write_text(good)
        wait_for(lambda: reloads(koine)["ok"] >= 2, "the mended file is read", 30)
        done = reloads(koine)["failed"]
        change(koine, {"topics": {"order": "elsewhere"}})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["failed"] > done, "topics need a restart", 30)
        Path(koine.config_file).write_text(good)
        wait_for(lambda: koine.alive() and koine.status("/readyz") == 200, "ready", 60)
        koine.stop()

    events = {at(record.event, "meta.source.event_id"): record.event for record in stack.read(deployment.canonical, decode="fastavro")}
    assert events.keys() == {"e0", "e1", "e2", "e10"}, "each once, and all of them"
    assert at(events["e0"], "order.email") == "somebody@example.com" and events["e0"]["extensions"]
    for late in ("e1", "e2", "e10"):
        assert at(events[late], "order.email") is None and not events[late]["extensions"], late


def test_only_the_level_needs_no_pause(deploy):
    with deploy({"raw.spree": ("spree", 1)}).process() as koine:
        change(koine, {"log": {"level": "debug"}})
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(koine)["ok"] >= 1, "it is read again", 30)
        assert "the workers start anew" not in koine.output()
        koine.stop()
