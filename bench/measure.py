"""One run of one contestant over a whole raw topic: from its start to the last record that it wrote, everything counted and a sample
checked. A run whose output is wrong is no figure: it ends the bench.
"""
import time

import checks
from world import PATIENCE_S, Process, cpu_seconds, say

MB, MILLION = 1e6, 1e6
# In which the broker deletes what the run before has left.
SETTLE_S = 2


def until_consumed(world, process, group, raw):
    deadline = time.monotonic() + PATIENCE_S
    while not world.stack.consumed(group, [raw.topic]):
        process.check()
        if time.monotonic() > deadline:
            raise SystemExit(f"{group} has not committed everything after {PATIENCE_S} s; {process.log}")
        time.sleep(0.1)


def run(world, contestant, raw):
    """The row of one run."""
    entry = contestant.enter(world, raw)
    time.sleep(SETTLE_S)
    broker = cpu_seconds(world.kafka.pid)
    with Process(entry.command, entry.environment, world.run / world.fresh("work")) as process:
        if contestant.ends:
            process.wait()
        else:
            until_consumed(world, process, entry.group, raw)
            process.stop()
    broker = cpu_seconds(world.kafka.pid) - broker
    row = {
        "name": contestant.name, "records": raw.count, "mean_bytes": raw.bytes / raw.count, "cpu": process.cpu / raw.count * MILLION,
        "cpu_per_gb": process.cpu / raw.bytes * 1e9, "broker_cpu": broker / raw.count * MILLION, "rss": process.peak_mib,
        "seconds": process.ended - process.begun,
    }
    if entry.topics:
        row |= written(world, contestant, raw, entry, process.begun)
    row |= {"rate": raw.count / row["seconds"], "mb_rate": raw.bytes / MB / row["seconds"]}
    say(f"  {contestant.name:54} {row['rate']:8.0f} records/s {row['cpu']:7.1f} CPU-s/M, broker {row['broker_cpu']:5.1f}, {row['rss']:4.0f} MiB")
    return row


def written(world, contestant, raw, entry, begun):
    """What is in the output topics, which are deleted then."""
    name = contestant.name
    output = world.output(entry.topics)
    if output.records != raw.count:
        raise SystemExit(f"{name}: {output.records} committed records of {raw.count}")
    if not world.stack.consumed(entry.group, [raw.topic]):
        raise SystemExit(f"{name}: the offsets are not committed to the end")
    if entry.dead and any(world.stack.ends(entry.dead).values()):
        raise SystemExit(f"{name}: dead letters")
    try:
        checked = contestant.check(world, raw, output)
    except checks.Wrong as wrong:
        raise SystemExit(f"{name}: {wrong}") from wrong
    times, count = output.times, output.records
    quarter = times[count // 4]
    row = {
        "seconds": times[-1] - begun, "first": times[0] - begun, "checked": checked, "out_bytes": output.bytes / count,
        "out_headers": output.header_bytes / count, "out_sent": world.on_disk(entry.topics) / count,
        # Of so short a run that all arrives at once, there is none.
        "steady": count * 3 / 4 / (times[-1] - quarter) if times[-1] > quarter else None,
    }
    world.delete(entry.topics + entry.dead)
    return row
