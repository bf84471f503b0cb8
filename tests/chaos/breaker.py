#!/usr/bin/env python3
"""The breaker under load: what a source that it leaves alone costs the others, and that a few bad records never open it.

    tests/chaos/breaker.py open     one source whose webhooks are all refused, three whose webhooks are all good: how fast the
                                    good ones come through beside nothing, and beside a backlog that an open breaker holds back
    tests/chaos/breaker.py rare     1,000,000 good records, of every thousand of a source one bad: the breaker stays closed

The broker and the registry are its own. Figures are printed and judged by nobody; the exit status is 0 only if the breakers
opened where they had to and nowhere else, and if the independent reader and `koine audit` find nothing missing and nothing
doubled.

In `open` rounds with and without take turns in one process (without, with, with, without, …), so that a machine that slows
down slows both. The good records of a round become readable at one moment, when their transaction is committed, and the round
ends when the last of their offsets is. The breaker's rules are the defaults. In `rare` it judges the last second, not the last 30.
"""
import argparse
import statistics
import subprocess
import sys
import time

from chaos import RAW, RAW_PARTITIONS, audit, deploy, ground, table
from load import Burst, Feeder, Rare
from reader import judge
from support import environment, wait_for

BAD = {"raw.bad": "spree"}
CLOSED = {0}
# While it is to open, and when it has: a backlog that would take a while if it were read.
BAD_PER_SECOND, BACKLOG, BACKLOG_PER_SECOND = 1_000, 6_000, 20_000
ONE_IN = 1_000


def states(koine, topics):
    """Of the breakers of these topics' partitions."""
    return [value for name, have, value in koine.metrics() if name == "koine_breaker_state" and have["topic"] in topics]


class Rounds:
    """A koine that is at work, and a bad source that is there or not."""

    def __init__(self, deployment, koine, brokers):
        self.deployment, self.stack, self.koine = deployment, deployment.stack, koine
        sources = deployment.sources
        self.bad = [topic for topic in sources if topic.endswith(tuple(BAD))]
        self.good = {topic: vendor for topic, vendor in sources.items() if topic not in self.bad}
        self.burst = Burst(brokers, self.good, RAW_PARTITIONS, lambda vendor: Rare(vendor, 0))
        self.flood = Feeder(brokers, {topic: sources[topic] for topic in self.bad}, lambda vendor: Rare(vendor, 1))
        self.flood.start()
        self.is_open = False
        self.bursts = 0
        self.opened_after = []

    def open(self):
        """Bad ones until every partition's breaker is open; then more of them, which wait."""
        self.flood.per_second = BAD_PER_SECOND
        self.flood.goal = sys.maxsize
        begun = time.monotonic()

        def is_open():
            self.koine.alive()
            assert not self.flood.failed, self.flood.failed[:3]
            return states(self.koine, self.bad) == [2.0] * RAW_PARTITIONS
        wait_for(is_open, "all its breakers are open", 180)
        self.opened_after.append(time.monotonic() - begun)
        self.flood.per_second = BACKLOG_PER_SECOND
        self.flood.goal = self.flood.made + BACKLOG
        wait_for(lambda: self.flood.made >= self.flood.goal, "a backlog", 60)
        assert self.flood.producer.flush(60) == 0
        self.is_open = True

    def close(self):
        """By command. What has waited is read: bad as it is, it is too short to open it again."""
        config = ["--config", self.koine.config_file]
        subprocess.run([self.deployment.binary, "breaker", "resume", *config], env=environment(), stdin=subprocess.DEVNULL,
                       capture_output=True, check=True, timeout=60)
        wait_for(lambda: self.stack.consumed(self.deployment.group, self.bad), "what has waited is read", 120)
        wait_for(lambda: set(states(self.koine, self.bad)) == CLOSED, "closed", 30)
        self.is_open = False

    def round(self, records, is_open):
        """Good webhooks a second."""
        if is_open != self.is_open:
            self.open() if is_open else self.close()
        self.burst.fill(records)
        self.bursts += 1
        begun = time.monotonic()
        self.burst.release()

        def is_through():
            committed = self.stack.committed(self.deployment.group, list(self.good))
            return all(committed[place] >= end for place, end in self.burst.ends.items())
        wait_for(is_through, "the good ones are through", 600, 0.01)
        took = time.monotonic() - begun
        assert set(states(self.koine, self.good)) == CLOSED
        if is_open:
            assert 0.0 not in states(self.koine, self.bad)
            committed, ends = self.stack.committed(self.deployment.group, self.bad), self.stack.ends(self.bad)
            assert all(committed[place] < end for place, end in ends.items()), "a backlog that is read does not wait"
        return records / took


def judged(here, deployment, written, markers=0):
    """What the reader and `koine audit` say; rows for the report. `markers`: offsets that raw topics have beside records."""
    verdict = judge(deployment.stack, deployment)
    gaps = [what for what in verdict.missing if what[1] == "no raw record"]
    assert (verdict.records, len(gaps)) == (written, markers), f"{verdict.records} of {written} raw records, {len(gaps)} gaps"
    verdict.missing = [what for what in verdict.missing if what[1] != "no raw record"]
    is_content, audited = audit(deployment)
    faults = verdict.faults(exactly_once=True)
    for name, found in faults.items():
        print(f"{name}: {found[:10] if isinstance(found, list) else found}")
    here.is_good = not faults and is_content
    return [
        ("raw records", verdict.records),
        ("events", verdict.events),
        ("dead letters", verdict.dead_letters),
        ("**missing**", len(verdict.missing)),
        ("**doubled**", len(verdict.doubled)),
        ("`koine audit`", audited),
    ]


def run_open(arguments, here):
    deployment = deploy(RAW | BAD, "exactly_once", here.kafka, here.registry, here.directory)
    rates = {False: [], True: []}
    with deployment.process() as koine:
        rounds = Rounds(deployment, koine, here.kafka.brokers)
        try:
            rounds.round(arguments.records, False)  # to warm up
            for nth in range(2 * arguments.rounds):
                is_open = nth % 4 in (1, 2)
                rates[is_open].append(rounds.round(arguments.records, is_open))
                print(f"{'open  ' if is_open else 'closed'}  {rates[is_open][-1]:9,.0f} a second", flush=True)
            if rounds.is_open:
                rounds.close()
            koine.stop()
        finally:
            rounds.flood.stop()
    without, beside = (statistics.median(rates[is_open]) for is_open in (False, True))

    def all_of(numbers, form):
        return ", ".join(form.format(number) for number in numbers)
    written = rounds.burst.made + rounds.flood.made
    table([
        ("rounds of each", arguments.rounds),
        ("good webhooks a round", arguments.records),
        ("bad ones that wait meanwhile", BACKLOG),
        ("openings", len(rounds.opened_after)),
        ("seconds of bad ones until all six partitions' breakers were open", all_of(rounds.opened_after, "{:.1f}")),
        ("good ones a second, nothing beside them", all_of(rates[False], "{:,.0f}")),
        ("good ones a second, the other source's breakers open", all_of(rates[True], "{:,.0f}")),
        ("medians", f"{without:,.0f} and {beside:,.0f}"),
        ("**ratio of the medians**", f"{beside / without:.3f}"),
        *judged(here, deployment, written, rounds.bursts * len(rounds.burst.lanes)),
    ])


def run_rare(arguments, here):
    deployment = deploy(RAW, "exactly_once", here.kafka, here.registry, here.directory)
    feeder = Feeder(here.kafka.brokers, deployment.sources, lambda vendor: Rare(vendor, ONE_IN))
    with deployment.process(KOINE__BREAKER_LIMITS__WINDOW="1s") as koine:
        begun = time.monotonic()
        feeder.start()
        try:
            feeder.finish(arguments.records)
            deployment.wait_consumed(1800)
            took = time.monotonic() - begun
            last = states(koine, deployment.sources)
            consumed = koine.total("consumed")
            letters = sum(value for name, have, value in koine.metrics()
                          if name == "koine_dead_letters_total" and have["error_code"] == "field.missing")
            koine.stop()
        finally:
            feeder.stop()
    opened = koine.output().count("its breaker is open")
    sent = sum(rare.bulk.made // ONE_IN for _, rare in feeder.raws)
    assert letters == sent, f"{sent} bad ones were sent, {letters} are refused for it"
    rows = judged(here, deployment, arguments.records)
    here.is_good = here.is_good and opened == 0 and set(last) == CLOSED
    table([
        ("seconds", round(took)),
        ("koine's own count: records consumed", consumed),
        ("koine's own count: dead letters `field.missing`", int(letters)),
        ("**breakers that opened**", opened),
        *rows,
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    runs = parser.add_subparsers(required=True)
    one = runs.add_parser("open", help="what an open breaker costs the other sources")
    one.add_argument("--rounds", type=int, default=6, help="of each kind")
    one.add_argument("--records", type=int, default=200_000, help="good ones a round")
    one.set_defaults(run=run_open)
    one = runs.add_parser("rare", help="one bad record in a thousand")
    one.add_argument("--records", type=int, default=1_000_000)
    one.set_defaults(run=run_rare)
    arguments = parser.parse_args()
    with ground(arguments.keep) as here:
        arguments.run(arguments, here)
    return 0 if here.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
