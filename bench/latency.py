"""How long a webhook is on its way at a moderate, even load: from its arrival in the raw topic, by the broker's clock, to the moment a
read_committed consumer has what became of it; and the same beside a partition that is slow, for it has a backlog of large webhooks. And how soon a
contestant is there, and what it takes while nothing comes.
"""
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace

from confluent_kafka import TopicPartition

import checks
from contestants import DELIVERIES, Koine, copier
from world import ARRIVAL, BENCH, PARTITIONS, Output, Process, Raw, cpu_seconds, memory_mib, say, support

RATE = 2000
# Of the first seconds only the records count, not their times.
WARM_UP_S = 5
FOR_EVER = 2**62
# What waits for a contestant's first record is in its topic before it starts.
WAITING = 1000
# A partition that is slow: each of its webhooks takes as long as some twenty orders, and more of them wait than can be done meanwhile. They are
# another vendor's, so that what comes of them can be told by its key.
SLOW = {"vendor": "bspk", "partitions": 1, "cart_bytes": 100_000}
SLOW_S, SLOW_RATE = 20, 1500


def run(world, given):
    seconds, starts, rest = (10, 2, 2) if given.quick else (60, 7, 20)
    rows = []
    taking_part = [one for one in contestants(given.koine) if re.search(given.only, one.name)]
    if not given.quick:
        # A broker that has just started compiles its own code for minutes; that is what a first round would show.
        say("a round that does not count")
        for one in taking_part:
            loaded(world, one, seconds)
    for number in range(given.rounds):
        say(f"round {number + 1}")
        for one in taking_part:
            rows.append(loaded(world, one, seconds) | {"kind": "load", "round": number + 1})
        for one in (one for one in taking_part if isinstance(one, Koine)):
            rows.append(loaded(world, beside_a_slow_partition(world, one, seconds), min(seconds, SLOW_S)) | {"kind": "slow", "round": number + 1})
    for number in range(starts):
        for one in taking_part:
            rows.append(first(world, one) | {"kind": "start", "round": number + 1})
    # Nobody asks what a copier takes at rest.
    return rows + [idle(world, one, rest) | {"kind": "idle", "round": 1} for one in taking_part if isinstance(one, Koine)]


def contestants(koine):
    made = []
    for delivery, short in DELIVERIES.items():
        made += [
            Koine(f"koine, {short}", koine, delivery),
            copier("base", "same", delivery, "pass-through"),
            copier("base", "same", delivery, "pass-through, linger 5 ms", BENCH_LINGER_MS="5"),
        ]
    return made


def beside_a_slow_partition(world, koine, seconds):
    slow = world.raw(count=SLOW_RATE * min(seconds, SLOW_S), **SLOW)
    return replace(koine, name=f"{koine.name}, beside a slow partition", beside=slow)


def assigned(world, topics):
    """A reader that has seen that there is nothing yet, and waits."""
    reader = world.reader()
    places = [TopicPartition(topic, partition, 0) for topic in topics for partition in range(PARTITIONS)]
    reader.assign(places)
    left = len(places)
    while left:
        message = reader.poll(20)
        if message is None or not message.error():
            raise SystemExit(f"{topics} are not empty")
        left -= 1
    return reader


def loaded(world, one, seconds):
    slow = getattr(one, "beside", None)
    raw = Raw(world.fresh("raw.load"), "spree", RATE * seconds, 0)
    world.create({raw.topic: PARTITIONS}, **ARRIVAL)
    # Without ARRIVAL: what comes out has the time at which the raw record arrived.
    entry = one.enter(world, raw, arrival=False, count=FOR_EVER)
    reader = assigned(world, entry.topics)
    with Process(entry.command, entry.environment, world.run / world.fresh("work")) as process:
        command = [sys.executable, BENCH / "feeder.py", world.kafka.brokers, raw.topic, str(RATE), str(seconds)]
        feeder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            found, delays = received(reader, process, raw.count, b"" if slow is None else raw.vendor.encode() + b":")
            fed = json.loads(feeder.communicate(timeout=60)[0])
        finally:
            feeder.kill()
            feeder.wait()
            reader.close()
        if slow and world.stack.consumed(entry.group, [slow.topic]):
            raise SystemExit(f"{one.name}: nothing of what was to be slow is left")
        process.stop()
    try:
        checked = one.check(world, raw, found)
    except checks.Wrong as wrong:
        raise SystemExit(f"{one.name}: {wrong}") from wrong
    world.delete([raw.topic, *entry.topics, *entry.dead])
    centiles = statistics.quantiles(delays, n=1000)
    row = {"name": one.name, "p50": centiles[499], "p99": centiles[989], "p999": centiles[998], "most": max(delays), "records": raw.count,
           "checked": checked, "rate": fed["sent"] / fed["seconds"], "behind": fed["behind"] * 1000, "cpu": process.cpu / raw.count * 1e6,
           "rss": process.peak_mib}
    say(f"  {one.name:40} p50 {row['p50']:6.1f} ms, p99 {row['p99']:6.1f} ms at {row['rate']:.0f} records/s")
    return row


def received(reader, process, count, prefix):
    """A sample of `count` records whose keys begin so, and how many milliseconds each was on its way."""
    found, delays, since, quiet_since = Output(), [], None, time.monotonic()
    while found.records < count:
        message = reader.poll(0.1)
        now = time.time() * 1000
        if message is None or message.error():
            process.check()
            if time.monotonic() - quiet_since > 60:
                raise SystemExit(f"{found.records} of {count} records, and no more comes; {process.log}")
            continue
        quiet_since = time.monotonic()
        if not message.key().startswith(prefix):
            continue
        arrived = message.timestamp()[1]
        since = since or arrived
        found.records += 1
        if found.records % (count // 100) == 1:
            found.sample.append((message.topic(), message.key(), message.value()))
        if arrived - since >= WARM_UP_S * 1000:
            delays.append(now - arrived)
    return found, delays


def first(world, one):
    """Seconds from the start of the process to the first record that a waiting reader has."""
    raw = world.raw("spree", WAITING)
    entry = one.enter(world, raw, arrival=False, count=FOR_EVER)
    reader = assigned(world, entry.topics)
    with Process(entry.command, entry.environment, world.run / world.fresh("work")) as process:
        while (message := reader.poll(0.05)) is None or message.error():
            process.check()
        seconds = time.time() - process.begun
        reader.close()
        process.stop()
    world.delete(entry.topics + entry.dead)
    say(f"  {one.name:40} {seconds:.3f} s to the first record")
    return {"name": one.name, "first": seconds}


def idle(world, koine, rest):
    raw = Raw(world.fresh("raw.idle"), "spree", 0, 0)
    world.create({raw.topic: PARTITIONS})
    entry = koine.enter(world, raw)
    with Process(entry.command, entry.environment, world.run / world.fresh("work")) as process:
        support.wait_for(lambda: is_ready(entry.port), f"{koine.name} is ready", 60)
        time.sleep(rest)
        before = cpu_seconds(process.pid)
        time.sleep(rest)
        row = {"name": koine.name, "rss": memory_mib(process.pid, "VmRSS"), "cpu_percent": (cpu_seconds(process.pid) - before) / rest * 100}
        process.stop()
    say(f"  {koine.name:40} idle: {row['rss']:.1f} MiB, {row['cpu_percent']:.1f} % of a core")
    return row


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
