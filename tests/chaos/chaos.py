#!/usr/bin/env python3
"""Nothing lost, nothing twice: three koines under load while they are killed, stopped, frozen and their broker restarted.

    tests/chaos/chaos.py            the bounded run of tests/run: 100,000 records, 10 SIGKILLs, 5 forced rebalances, 2 broker restarts
    tests/chaos/chaos.py --full     1,000,000 records, 100 SIGKILLs, 50 forced rebalances, 10 broker restarts

The broker and the registry are its own. What happens when is drawn from --seed. Then everything is read and counted, the
figures are printed, and the exit status is 0 only if they are right: with exactly_once nothing missing and nothing doubled,
with at_least_once nothing missing and every double with the event id of the first.

A forced rebalance is a process that leaves (SIGTERM) and another that joins, or one that is frozen (SIGSTOP) for longer than
session.timeout.ms, sometimes for longer than the transaction's timeout, so that it wakes up a zombie.
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "e2e"))
import support  # noqa: E402  (lies beside, not installed)
from support import SESSION_TIMEOUT_MS, servers  # noqa: E402
from broker import Broker  # noqa: E402
from load import Feeder  # noqa: E402
from reader import judge  # noqa: E402

RAW = {"raw.bspk": "bspk", "raw.spree": "spree", "raw.bold": "bold"}
RAW_PARTITIONS, CANONICAL_PARTITIONS, DEAD_PARTITIONS = 6, 4, 4
TRANSACTION_TIMEOUT_S = 10
# The third has no name of its own: what it leaves open when it is killed ends by the broker's timeout only.
NAMES = ("chaos-0", "chaos-1", None)
# Counters of koine that are added up over all the processes' lives, and what a figure of the report is.
COUNTERS = {
    ("koine_transactions_total", "result"): "transactions",
    ("koine_rebuilds_total", "reason"): "clients made anew",
    ("koine_rebalances_total", "kind"): "rebalances seen",
}
# Of a process whose run stands still: what is asked of its metrics.
TOLD = r"koine_(build|rebuilds|rebalances|transactions|partition|breaker|brokers|consumer|ledger|producer|schema_registry_state)_"


class Slot:
    """One of the places for a process: who lives in it changes."""

    def __init__(self, deployment, name):
        self.deployment, self.name = deployment, name
        self.process = None
        self.counted = Counter()
        self.longest_stop = 0.0

    def start(self):
        self.deployment.instance = self.name
        extra = {"KOINE__TRANSACTION__TIMEOUT": f"{TRANSACTION_TIMEOUT_S}s"}
        if self.name is None:
            # librdkafka's statistics share the queue with the records: consumers have lost their wake-up to them.
            extra["KOINE__KAFKA__PROPERTIES__STATISTICS_INTERVAL_MS"] = "100"
        self.process = self.deployment.process(**extra).start()

    def note(self):
        """Adds up the process's counters, right before it ends. One that does not listen yet has counted nothing."""
        if self.process.status("/metrics") != 200:
            return
        for name, labels, value in self.process.metrics():
            for (counter, label), told in COUNTERS.items():
                if name == counter and value:
                    self.counted[told, labels[label]] += int(value)

    def is_at_work(self):
        return self.process.status("/metrics") == 200 and self.process.total("consumed") > 0

    def kill(self):
        self.note()
        self.process.alive()
        self.process.kill()

    def stop(self):
        """SIGTERM. How long it takes is a figure and no verdict: the machine may be busy with other things."""
        self.note()
        self.process.alive()
        begun = time.monotonic()
        self.process.process.send_signal(signal.SIGTERM)
        code = self.process.process.wait(60)
        assert code == 0, f"koine ended with {code} after SIGTERM:\n{self.process.output()[-4000:]}"
        self.longest_stop = max(self.longest_stop, time.monotonic() - begun)


class Chaos:
    def __init__(self, arguments, kafka, deployment, feeder):
        self.total, self.feeder, self.kafka = arguments.records, feeder, kafka
        self.deployment = deployment
        self.draw = random.Random(arguments.seed)
        self.slots = [Slot(deployment, name) for name in NAMES]
        leave = arguments.rebalances // 2
        freeze = arguments.rebalances - leave
        crash = arguments.broker_crashes
        self.plan = (["kill"] * arguments.kills + ["leave"] * leave + ["freeze"] * freeze + ["broker_crash"] * crash
                     + ["broker_restart"] * arguments.broker_restarts)
        self.draw.shuffle(self.plan)
        self.done = Counter()

    def run(self):
        for slot in self.slots:
            slot.start()
        for slot in self.slots:
            slot.process.wait_ready()
        begun = time.monotonic()
        for nth, action in enumerate(self.plan, 1):
            self.feeder.goal = self.total * nth // (len(self.plan) + 1)
            self.pause(0, 1.5)
            getattr(self, action)(self.draw.choice(self.slots))
            self.done[action] += 1
            for slot in self.slots:
                slot.process.alive()
            print(f"{time.monotonic() - begun:7.1f} s  {nth}/{len(self.plan)} {action}  {self.feeder.made} written", flush=True)
        self.feeder.finish(self.total)
        self.wait_consumed(300)
        took = time.monotonic() - begun
        for slot in self.slots:
            slot.stop()
        return took

    def wait_consumed(self, seconds):
        """A run that stands still says where, and what each process had to say: of a run elsewhere, this is all there is."""
        try:
            support.wait_for(lambda: all(slot.process.alive() for slot in self.slots) and self.is_consumed(), "everything consumed", seconds, 0.1)
        except AssertionError:
            self.tell()
            raise

    def is_consumed(self):
        return self.deployment.stack.consumed(self.deployment.group, list(self.deployment.sources))

    def tell(self):
        stack, raw = self.deployment.stack, list(self.deployment.sources)
        committed = stack.committed(self.deployment.group, raw)
        for place, end in stack.ends(raw).items():
            if committed[place] != end:
                print(f"{place}: {committed[place]} committed of {end}")
        print("open transactions:", stack.open_transactions([*raw, *self.deployment.canonical, *self.deployment.dead]),
              "forgotten by the broker:", self.kafka.forgot())
        for slot in self.slots:
            process = slot.process
            print(f"---- {process.directory.name} ({slot.name}): status {process.process.poll()}, readyz {process.get('/readyz')}")
            print("".join(f"{line}\n" for line in process.get("/metrics")[1].splitlines() if re.match(TOLD, line)), end="")
            print("".join(process.output().splitlines(keepends=True)[-40:]), flush=True)

    def pause(self, least, most):
        time.sleep(self.draw.uniform(least, most))

    def kill(self, slot):
        """At a random moment; every other one once the process has committed something, so that not all hit the start."""
        if self.draw.random() < 0.5:
            deadline = time.monotonic() + 15
            while not slot.is_at_work() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.pause(0, 0.3)
        slot.kill()
        self.pause(0, 1)
        slot.start()

    def leave(self, slot):
        slot.stop()
        self.pause(0, 1)
        slot.start()

    def freeze(self, slot):
        """The shortest is longer than the session, one in three longer than twice the transaction's timeout."""
        least = 2 * TRANSACTION_TIMEOUT_S + 1 if self.draw.random() < 1 / 3 else SESSION_TIMEOUT_MS / 1000 + 1
        slot.process.process.send_signal(signal.SIGSTOP)
        self.pause(least, least + 3)
        slot.process.process.send_signal(signal.SIGCONT)

    def broker_restart(self, _):
        self.kafka.stop()
        self.pause(0, 3)
        self.kafka.start()

    def broker_crash(self, _):
        self.kafka.kill()
        self.pause(0, 3)
        self.kafka.start()


def audit(deployment):
    """What `koine audit` says to the same topics: (whether it is content, its words)."""
    config = deployment.write_config("audit", servers.free_port())
    done = subprocess.run([deployment.binary, "audit", "--config", config], env=support.environment(), cwd=deployment.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    (deployment.directory / "audit.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0, f"exit status {done.returncode}"


def report(arguments, chaos, verdict, audited, took):
    counted = sum((slot.counted for slot in chaos.slots), Counter())
    rows = [
        ("delivery", arguments.delivery),
        ("seed", arguments.seed),
        ("raw records", verdict.records),
        ("webhooks in them", verdict.webhooks),
        ("SIGKILLs", chaos.done["kill"]),
        ("forced rebalances", f"{chaos.done['leave'] + chaos.done['freeze']} ({chaos.done['leave']} left and joined, {chaos.done['freeze']} frozen)"),
        ("broker restarts", chaos.done["broker_restart"]),
        ("SIGKILLs of the broker", chaos.done["broker_crash"]),
        ("seconds", round(took)),
        ("longest from SIGTERM to exit", f"{max(slot.longest_stop for slot in chaos.slots):.1f} s"),
        ("events", verdict.events),
        ("dead letters", verdict.dead_letters),
        ("ignored", verdict.ignored),
        ("written and void", f"{verdict.aborted} (in transactions that were aborted; no committed reader sees them)"),
        ("**missing**", len(verdict.missing)),
        ("**doubled**", len(verdict.doubled)),
        ("doubled with another `meta.event_id`", len(verdict.doubled_with_another_id)),
        ("out of order", len(verdict.out_of_order)),
        ("never sent", len(verdict.never_sent)),
        ("one `meta.event_id` for two webhooks", verdict.ids_of_two),
        ("dead letters whose key or value changed", len(verdict.changed)),
    ]
    rows.append(("`koine audit`", audited))
    for told in COUNTERS.values():
        numbers = ", ".join(f"{name} {count}" for (what, name), count in sorted(counted.items()) if what == told)
        rows.append((f"koine's own count: {told}", numbers or "0"))
    table(rows)


def table(rows):
    print("\n| figure | value |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {f'{value:,}' if isinstance(value, int) else value} |")
    print(flush=True)


def deploy(raw, delivery, kafka, registry, directory):
    """A koine on that broker and registry, with its topics; `raw` is {topic: vendor}."""
    stack = support.Stack(kafka.brokers, registry.url, servers.CLASSPATH)
    # That the broker goes away is no news here.
    stack.admin = AdminClient({"bootstrap.servers": kafka.brokers, "log_level": 2})
    prefix = "chaos."
    sources = {prefix + name: vendor for name, vendor in raw.items()}
    stack.create({topic: RAW_PARTITIONS for topic in sources})
    binary = Path(os.environ.get("KOINE_BIN") or servers.STACK.parent / "image" / "koine").resolve()
    assert binary.is_file(), f"no {binary}: image/build"
    deployment = support.Deployment(stack, binary, directory, prefix, sources, prefix + "koine", delivery)
    deployment.create_outputs(CANONICAL_PARTITIONS, DEAD_PARTITIONS)
    deployment.register()
    return deployment


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the large numbers, for what is not given")
    parser.add_argument("--records", type=int)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--rebalances", type=int)
    parser.add_argument("--broker-restarts", type=int)
    parser.add_argument("--broker-crashes", type=int, default=0, help="SIGKILLs of the broker, beside its restarts")
    parser.add_argument("--delivery", choices=("exactly_once", "at_least_once"), default="exactly_once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    parsed = parser.parse_args(arguments)
    usual = {"records": (100_000, 1_000_000), "kills": (10, 100), "rebalances": (5, 50), "broker_restarts": (2, 10)}
    for name, numbers in usual.items():
        if getattr(parsed, name) is None:
            setattr(parsed, name, numbers[parsed.full])
    return parsed


@dataclass
class Ground:
    """A broker and a registry of one's own, and where they and koine leave their logs."""
    kafka: Broker
    registry: servers.Registry
    directory: Path
    is_good: bool = False


@contextmanager
def ground(keep):
    """Starts them, and stops them whatever happens; then says whether it was good, which whoever uses it has to tell."""
    # An interrupted tests/run sends TERM: what was started must be stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = servers.STACK / f"chaos-{uuid.uuid4().hex[:8]}"
    here = Ground(Broker(run / "kafka"), servers.Registry(run / "registry"), run)
    try:
        for server in (here.kafka, here.registry):
            server.launch()
        for server in (here.kafka, here.registry):
            server.wait()
        yield here
    finally:
        here.kafka.end()
        here.registry.kill()
        if here.is_good and not keep:
            shutil.rmtree(run, ignore_errors=True)
        else:
            print(f"logs and data: {run}", file=sys.stderr)
    print("GOOD" if here.is_good else "BAD")


def main():
    arguments = parse(sys.argv[1:])
    feeder = chaos = None
    with ground(arguments.keep) as here:
        try:
            deployment = deploy(RAW, arguments.delivery, here.kafka, here.registry, here.directory)
            feeder = Feeder(here.kafka.brokers, deployment.sources)
            feeder.start()
            chaos = Chaos(arguments, here.kafka, deployment, feeder)
            took = chaos.run()
            verdict = judge(deployment.stack, deployment)
            is_content, audited = audit(deployment)
            report(arguments, chaos, verdict, audited, took)
            faults = verdict.faults(arguments.delivery == "exactly_once")
            for name, found in faults.items():
                print(f"{name}: {found[:10] if isinstance(found, list) else found}")
            assert verdict.records == arguments.records, f"{verdict.records} of {arguments.records} raw records were written"
            assert chaos.done.total() == len(chaos.plan)
            assert here.kafka.forgot() == 0, "the broker forgot to end transactions: the run says nothing of koine"
            if arguments.delivery == "exactly_once" and arguments.kills:
                assert verdict.aborted > 0, "no kill cut a transaction: the run has shown nothing"
            here.is_good = not faults and is_content
        finally:
            if feeder:
                feeder.stop()
            for slot in chaos.slots if chaos else []:
                if slot.process:
                    slot.process.kill()
    return 0 if here.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
