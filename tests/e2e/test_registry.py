"""A registry that is away, in every way there is: no record is a dead letter for it, none is lost, and nobody restarts.

KOINE_TEST_OUTAGE: seconds of outage in all (40 if not set; 300 is the full run). Each fault gets its share. `pytest -s` shows
the figures of docs/registry.md.
"""
import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections import Counter

import pytest

from support import Bulk, FaultyRegistry, environment, wait_for

pytestmark = pytest.mark.timeout(600)

OUTAGE = float(os.environ.get("KOINE_TEST_OUTAGE") or 40)
FAULTS = [500, 429, 401, 504, "hang", "reset"]
# Three situations; each goes through all faults.
SHARE = OUTAGE / 3 / len(FAULTS)
RAW = {"raw.bspk": ("bspk", 2), "raw.spree": ("spree", 2)}
# Fast enough that a share of the outage sees several questions.
SECTION = {"timeout": "1s", "check_every": "200ms", "longest_pause": "1s"}
REASONS = {500: "unavailable", 429: "throttled", 401: "denied", 504: "unavailable", "hang": "timeout", "reset": "unreachable"}


@pytest.fixture
def world(stack, deploy):
    """A deployment whose registry is behind the proxy, with its bundle beside it."""
    deployment = deploy(RAW)
    proxy = FaultyRegistry(stack.registry)
    deployment.registry = proxy.url
    deployment.more = {"registry": dict(SECTION)}
    yield deployment, proxy
    proxy.close()


def bundle(deployment):
    """Written while the registry is there; from now on the configuration names it."""
    out = deployment.directory / "bundle.json"
    done = command(deployment, "schemas", "bundle", "--out", out)
    assert done.returncode == 0, done.stderr
    deployment.more["registry"]["bundle"] = str(out)
    return out


def command(deployment, *arguments):
    path = deployment.write_config("command", 0, deployment.registry)
    return subprocess.run([deployment.binary, *arguments, "--config", path], env=environment(), cwd=deployment.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def state(koine):
    return next(labels["state"] for name, labels, value in koine.metrics() if name == "koine_schema_registry_state" and value == 1)


def counters(koine, name, label):
    counted = Counter()
    for have, labels, value in koine.metrics():
        if have == name and value:
            counted[labels[label]] += value
    return counted


class Load:
    """Records, a few at a time, for as long as it runs."""

    def __init__(self, stack, deployment):
        self.stack, self.sources, self.sent = stack, deployment.sources, 0
        self.bulks = {vendor: Bulk(vendor) for vendor in deployment.sources.values()}
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopped.wait(0.1):
            self.send(20)

    def send(self, count):
        for topic, vendor in self.sources.items():
            self.stack.produce(topic, self.bulks[vendor].take(count))
            self.sent += count

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(60)


def all_delivered(stack, deployment, sent):
    """Every raw record once, none dead, and each under the id that the real registry has for its schema."""
    deployment.wait_consumed()
    records = stack.read(deployment.canonical, decode="fastavro")
    assert len(records) == sent and max(Counter(record.source for record in records).values()) == 1
    assert stack.read(deployment.dead, decode=None) == []
    for topic in {record.topic for record in records}:
        right = stack.client.get_latest_version(topic + "-value").schema_id
        assert {int.from_bytes(record.value[1:5], "big") for record in records if record.topic == topic} == {right}
    print(f"{sent} records in, {len(records)} events out, 0 dead letters, every id right")


def go_through_the_faults(proxy, koine, each=lambda fault: None):
    """One fault after the other; koine is asked of by its metrics, and stays the process it was."""
    pid, outage = koine.process.pid, time.monotonic()
    for fault in FAULTS:
        begun = time.monotonic()
        before, asked = counters(koine, "koine_schema_registry_retries_total", "reason").get(REASONS[fault], 0), proxy.seen[fault]
        proxy.fault = fault
        each(fault)
        # In full, and long enough that koine has met it, however slow this machine is.
        wait_for(lambda: koine.alive() and proxy.seen[fault] > asked
                 and counters(koine, "koine_schema_registry_retries_total", "reason").get(REASONS[fault], 0) > before,
                 f"koine has met {fault}", 90)
        time.sleep(max(0, SHARE - (time.monotonic() - begun)))
        assert koine.alive() and koine.status("/livez") == 200
    proxy.fault = None
    assert koine.process.pid == pid
    print(f"\naway for {time.monotonic() - outage:.0f} s; asked in vain: "
          f"{counters(koine, 'koine_schema_registry_retries_total', 'reason')}")


def test_during_load(stack, world):
    """The ids are known, so the outage is no business of any record; the metric tells of it, and of its end."""
    deployment, proxy = world
    with deployment.process() as koine, Load(stack, deployment) as load:
        assert state(koine) == "pinned"

        def flows_on(fault):
            wait_for(lambda: state(koine) == "away", "the outage on the metric", 60)
            assert koine.status("/readyz") == 200
            done = koine.total("outcome", outcome="event")
            wait_for(lambda: koine.alive() and koine.total("outcome", outcome="event") > done, f"records during {fault}", 60)

        go_through_the_faults(proxy, koine, flows_on)
        wait_for(lambda: state(koine) == "pinned", "the registry is back", 90)
        codes = counters(koine, "koine_schema_registry_requests_total", "code")
        assert codes.keys() >= {"200", "500", "429", "401", "504", "timeout", "unreachable"}
        load.stopped.set()
        load.thread.join(60)
        all_delivered(stack, deployment, load.sent)
        koine.stop()


def test_from_a_cold_start(stack, world):
    """Without a bundle there is nothing to start from: koine lives, waits, and starts by itself when the registry is back."""
    deployment, proxy = world
    load = Load(stack, deployment)
    load.send(50)
    proxy.fault = FAULTS[0]
    koine = deployment.process().start()
    try:
        wait_for(lambda: koine.alive() and koine.status("/livez") == 200, "koine alive", 60)

        def waits(fault):
            wait_for(lambda: koine.alive() and proxy.seen[fault], "koine asks", 60)
            assert state(koine) == "waiting"
            assert koine.status("/readyz") == 503

        go_through_the_faults(proxy, koine, waits)
        koine.wait_ready(90)
        assert state(koine) == "pinned"
        all_delivered(stack, deployment, load.sent)
        koine.stop()
    finally:
        koine.kill()


def test_at_a_scale_out(stack, world):
    """A second process that starts during the outage works from the bundle, and the registry confirms it afterwards."""
    deployment, proxy = world
    bundle(deployment)
    deployment.more["kafka"] = {"instance": None}
    with deployment.process() as first, Load(stack, deployment) as load:
        assert state(first) == "pinned"
        proxy.fault = FAULTS[-1]
        with deployment.process() as second:
            assert state(second) == "bundle"
            wait_for(lambda: second.total("outcome", outcome="event") > 0, "the second takes part", 90)

            def flows_on(fault):
                done = second.total("outcome", outcome="event")
                wait_for(lambda: second.alive() and second.total("outcome", outcome="event") > done, f"records during {fault}", 60)
                assert state(second) == "bundle"

            go_through_the_faults(proxy, second, flows_on)
            for koine in (first, second):
                wait_for(lambda: koine.alive() and state(koine) == "pinned", "the registry is back", 90)
            load.stopped.set()
            load.thread.join(60)
            all_delivered(stack, deployment, load.sent)
            second.stop()
        first.stop()


def test_cold_start_from_the_bundle(stack, world):
    """With the registry away from the very beginning, and never there: ready all the same, and every id right."""
    deployment, proxy = world
    bundle(deployment)
    proxy.fault = "hang"
    load = Load(stack, deployment)
    load.send(50)
    with deployment.process() as koine:
        assert state(koine) == "bundle"
        all_delivered(stack, deployment, load.sent)
        koine.stop()


# ---- another schema under a pinned id ----

ANOTHER = json.dumps({"type": "record", "name": "Another", "fields": [{"name": "x", "type": "long"}]})


def another_schema(method, path, body):
    """The id of an order stands for something else."""
    return (200, json.dumps({"schema": ANOTHER})) if "/schemas/ids/" in path else None


def another_id(method, path, body):
    """The registry was filled anew: the same schemas, other ids."""
    if method == "POST" and path.rsplit("/", 1)[-1].endswith("-value"):
        return 200, json.dumps({"subject": "x", "version": 1, "id": 987654321, "schema": "…"})
    return None


def forgotten(method, path, body):
    """The registry's store is empty."""
    return 404, json.dumps({"error_code": 40403, "message": "Schema not found"})


def test_a_registry_that_has_forgotten_denies_nothing(stack, world):
    """Ids that were confirmed once stay in use while the store is restored; the metric says that readers cannot read."""
    deployment, proxy = world
    load = Load(stack, deployment)
    with deployment.process() as koine:
        proxy.fault = forgotten
        wait_for(lambda: koine.alive() and state(koine) == "missing", "the loss on the metric", 60)
        load.send(20)
        deployment.wait_consumed()
        proxy.fault = None
        wait_for(lambda: koine.alive() and state(koine) == "pinned", "the store is restored", 60)
        all_delivered(stack, deployment, load.sent)
        koine.stop()


def ended(koine, seconds=60):
    """The exit status of a koine that ends by itself."""
    wait_for(lambda: koine.process.poll() is not None, "koine has ended", seconds)
    return koine.process.returncode


@pytest.mark.parametrize("answer, says", [(another_schema, "stands for another schema"), (another_id, "has the id 987654321")])
def test_another_schema_under_a_pinned_id_ends_it(stack, world, answer, says):
    deployment, proxy = world
    with deployment.process() as koine:
        Load(stack, deployment).send(20)
        deployment.wait_consumed()
        proxy.fault = answer
        assert ended(koine) == 2
        assert says in koine.output() and "-value" in koine.output() and "nothing more is written" in koine.output()
        assert stack.open_transactions(deployment.canonical) == []
        # What comes now is nobody's until the registry is right again; then it is delivered, and nothing is missing.
        Load(stack, deployment).send(20)
    proxy.fault = None
    with deployment.process() as koine:
        all_delivered(stack, deployment, 80)
        koine.stop()


@pytest.mark.parametrize("answer, says", [
    (another_schema, "stands for another schema"), (another_id, "has the id 987654321"), (forgotten, "koine schemas register")])
def test_a_bundle_that_the_registry_denies_does_not_start(stack, world, answer, says):
    deployment, proxy = world
    bundle(deployment)
    proxy.fault = answer
    Load(stack, deployment).send(20)
    koine = deployment.process().start()
    try:
        assert ended(koine) == 2
        assert says in koine.output() and "registry.bundle" in koine.output()
    finally:
        koine.kill()
    assert sum(stack.ends(deployment.canonical).values()) == 0


def test_a_bundle_that_the_registry_denies_when_it_is_back_ends_it(stack, world):
    deployment, proxy = world
    bundle(deployment)
    proxy.fault = 504
    with deployment.process() as koine:
        Load(stack, deployment).send(20)
        deployment.wait_consumed()
        proxy.fault = another_schema
        assert ended(koine) == 2
        assert "stands for another schema" in koine.output()


@pytest.mark.parametrize("change, says", [
    (lambda text: text.replace('"id":', '"id":1', 1), "digest"),
    (lambda text: re.sub(r'"digest": "sha256:.{8}', '"digest": "sha256:00000000', text), "digest"),
    (lambda text: text[:len(text) // 2], "no JSON"),
])
def test_a_bundle_that_was_changed_does_not_start(world, change, says):
    deployment, proxy = world
    file = bundle(deployment)
    file.write_text(change(file.read_text()))
    proxy.fault = 504
    koine = deployment.process().start()
    try:
        assert ended(koine) == 2
        assert says in koine.output() and "registry.bundle" in koine.output()
    finally:
        koine.kill()


def test_another_builds_bundle_does_not_start(world):
    """Its digest is right; its schemas are not this build's."""
    deployment, proxy = world
    file = bundle(deployment)
    written = json.loads(file.read_text())
    written["schemas"][0]["schema"] = ANOTHER
    written["digest"] = digest(written["schemas"])
    file.write_text(json.dumps(written))
    proxy.fault = 504
    koine = deployment.process().start()
    try:
        assert ended(koine) == 2
        assert "another build" in koine.output()
    finally:
        koine.kill()


def digest(schemas):
    """As docs/registry.md says it is made."""
    sha = hashlib.sha256()
    for schema in schemas:
        for part in (schema["subject"], str(schema["id"]), schema["schema"]):
            sha.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return "sha256:" + sha.hexdigest()
