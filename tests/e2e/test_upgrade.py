"""A rolling upgrade and its rollback: two builds in one group, under load, with exactly-once and two schema versions on a topic.

What "the old build" is: the build of an earlier tag takes longer to make than all of these tests to run. So, unless KOINE_OLD_BIN names one,
it is the binary under test with two texts exchanged in it: the build's name, and one sentence in the doc of each schema, which makes it
another schema to the registry and the same bytes on the wire. That shows what an upgrade asks of the group, the transactions, the registry
and the readers. It does not show that the code of two releases gets along: there is nothing between two koines but Kafka's group protocol, the
transactional ids and the schemas, and that every schema ever released reads every other is held by avro/history (tests/run unit, java).
"""
import os
import re
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from support import Bulk, environment, wait_for

pytestmark = pytest.mark.timeout(300)
ENOUGH = 1_000
SENTENCE, OTHER = b"One event on the topic of ", b"Any event on the topic of "


def build_of(binary):
    done = subprocess.run([binary, "--version"], env=environment(), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()[1]


@pytest.fixture(scope="module")
def old(koine, tmp_path_factory):
    if given := os.environ.get("KOINE_OLD_BIN"):
        return Path(given).resolve()
    now = build_of(koine).encode()
    # The last bytes stay: the compiler may have them in its instructions.
    before = re.sub(rb"\+[0-9a-f]{10}", b"+0123456789", now)
    image = koine.read_bytes()
    assert len(before) == len(now) and now in image and SENTENCE in image
    path = tmp_path_factory.mktemp("old") / "koine"
    path.write_bytes(image.replace(now, before).replace(SENTENCE, OTHER))
    path.chmod(0o755)
    assert build_of(path) == before.decode()
    return path


class Load:
    """Feeds raw topics until it is stopped."""

    def __init__(self, stack, topics):
        self.stack, self.topics = stack, topics
        self.bulk = {vendor: Bulk(vendor) for vendor in topics.values()}
        self.places, self.failure, self.done = [], None, threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)

    def feed(self):
        try:
            while not self.done.wait(0.05):
                for topic, vendor in self.topics.items():
                    self.places += [(topic, *place) for place in self.stack.produce(topic, self.bulk[vendor].take(40))]
        except BaseException as failure:
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(60)
        assert self.failure is None, self.failure


def test_a_rolling_upgrade_and_its_rollback(stack, koine, old, deploy, tmp_path):
    made = deploy({"raw.spree": ("spree", 4), "raw.bold": ("bold", 4)})
    # `deploy` has registered the new schemas already; begin as one does: with the old ones.
    before = replace(made, binary=old, directory=tmp_path / "old", instance=None, started=0, prefix=made.prefix + "up.", group=made.group + ".up")
    after = replace(before, binary=koine, directory=tmp_path / "new")
    before.directory.mkdir()
    after.directory.mkdir()
    before.create_outputs(canonical=3)
    before.register()
    subjects = [f"{topic}-value" for topic in before.canonical]
    versions = lambda: {subject: stack.client.get_versions(subject) for subject in subjects}
    assert all(len(found) == 1 for found in versions().values())

    running = []

    def start(deployment):
        process = deployment.process()
        process.start()
        running.append(process)
        process.wait_ready()
        return process

    def progress(process, why):
        """It has got partitions, and something through them."""
        wait_for(lambda: process.alive() and process.total("outcome", outcome="event") > 0, why, 60)

    try:
        with Load(stack, made.sources) as load:
            first, second = start(before), start(before)
            progress(first, "the old build works")

            # The new schemas first, while the old build runs: both directions are compatible.
            config = after.write_config("check", 0)
            checked = subprocess.run([koine, "schemas", "check", "--config", config], env=environment(), capture_output=True, text=True, timeout=60)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            after.register()
            assert all(len(found) == 2 for found in versions().values())

            # One by one, the new before the old.
            third = start(after)
            first.stop()
            progress(third, "old and new side by side")
            fourth = start(after)
            second.stop()
            progress(fourth, "the new build alone")

            # And back. The old build finds its own schemas, though they are no longer the latest.
            fifth = start(before)
            third.stop()
            progress(fifth, "the old build is back beside the new one")
            sixth = start(before)
            fourth.stop()
            progress(sixth, "the old build alone")
            # However quick all of that was, or slow the machine.
            wait_for(lambda: load.failure or len(load.places) > ENOUGH, "enough has been sent", 120)
        wait_for(lambda: stack.consumed(before.group, list(before.sources)), "everything consumed", 90, 0.1)
        fifth.stop()
        sixth.stop()
    finally:
        for process in running:
            process.kill()

    # Each webhook once, whoever it was that wrote it; none refused.
    records = stack.read(before.canonical)
    assert stack.read(before.dead, decode=None) == []
    times = Counter(record.source for record in records)
    assert len(load.places) > ENOUGH
    assert times == Counter(load.places)

    # Both builds wrote, each with its own schema; two decoders have read them all.
    by_build = {}
    for record in records:
        build = dict(record.headers)["koine.build"].decode()
        by_build.setdefault(build, set()).add((record.topic, int.from_bytes(record.value[1:5], "big")))
    assert set(by_build) == {build_of(old), build_of(koine)}
    ids = {build: dict(found) for build, found in by_build.items()}
    assert all(len(found) == len(ids[build]) for build, found in by_build.items()), "one id a topic and build"
    topic = before.canonical[3]
    assert ids[build_of(old)][topic] != ids[build_of(koine)][topic]

    # The webhooks of one raw partition stand in each canonical partition in their order, over all six processes.
    last = {}
    for record in sorted(records, key=lambda record: (record.topic, record.partition, record.offset)):
        raw, partition, offset = record.source
        lane = (record.topic, record.partition, raw, partition)
        assert last.get(lane, -1) < offset, lane
        last[lane] = offset
