#!/usr/bin/env python3
"""koine and its peers on one machine: throughput, latency, scaling and memory (translation alone), as docs/performance.md describes them.
Started by bench/run, which builds and installs what is missing.
"""
import argparse
import json
import os
import re
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import contestants
import latency
import measure
import memory
import report
import scaling
from world import WORK, World, machine, say
from support import servers

MODES = ("throughput", "latency", "scaling", "memory")
# It asks for no Kafka.
ALONE = "memory"


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="koine and its peers on one machine; docs/performance.md says what is measured.")
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"of {', '.join(MODES)}; without any and without --write: throughput")
    parser.add_argument("--only", metavar="REGEX", default="", help="only the contestants whose name has this in it")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (3)")
    parser.add_argument("--records", type=int, help="records of a run of throughput and scaling (240000)")
    parser.add_argument("--quick", action="store_true", help="small numbers: shows that everything works and measures nothing")
    parser.add_argument("--json", type=Path, default=WORK / "results.json", metavar="FILE", help="where the figures are kept (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="renew the tables of a page from the figures that are kept")
    parser.add_argument("--koine", type=Path, default=os.environ.get("KOINE_BIN") or servers.STACK.parent / "image" / "koine", metavar="PATH",
                        help="the program (KOINE_BIN, or target/image/koine)")
    parser.add_argument("--redpanda-connect", type=Path, metavar="PATH", help="this program takes part, too")
    given = parser.parse_args()
    if unknown := set(given.modes) - set(MODES):
        parser.error(f"no mode {', '.join(sorted(unknown))}; there are {', '.join(MODES)}")
    if not given.modes and not given.write:
        given.modes = ["throughput"]
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.records = given.records or (20_000 if given.quick else 240_000)
    given.koine = given.koine.resolve()
    return given


def throughput(world, given):
    """Every contestant once a round, so that what disturbs the machine disturbs all alike."""
    all_of_them = contestants.throughput(given.koine, given.redpanda_connect)
    chosen = [one for one in all_of_them if re.search(given.only, one.name)]
    # All raw topics first: to fill one is work that would disturb whoever comes next.
    raws = [world.raw(one.vendor, int(given.records * one.share)) for one in chosen]
    rows = []
    for number in range(given.rounds):
        say(f"round {number + 1}")
        for one, raw in zip(chosen, raws):
            rows.append(measure.run(world, one, raw) | {"round": number + 1, "vendor": one.vendor})
    return rows


def keep(path, name, section):
    """A section takes the place of the one of that name; the file is whole at any moment."""
    kept = report.kept(path) | {name: section}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(kept, file, indent=1)
    os.replace(file.name, path)


def measured(mode, world, given):
    """The rows of a mode."""
    match mode:
        case "throughput":
            return throughput(world, given)
        case "latency":
            return latency.run(world, given)
        case "scaling":
            return scaling.run(world, given)
        case "memory":
            return memory.run(given)


def main():
    given = arguments()
    if given.modes and not given.koine.is_file():
        sys.exit(f"no {given.koine}: image/build")
    with World() if set(given.modes) - {ALONE} else nullcontext() as world:
        for mode in given.modes:
            say(mode)
            about = machine(given.koine) | {"rounds": given.rounds, "quick": given.quick}
            rows = measured(mode, world, given)
            section = {"machine": about, "summary": report.summary(rows), "rows": rows}
            keep(given.json, mode, section)
            print(report.tables({mode: section}))
    if given.write:
        report.write(given.write, report.kept(given.json))


if __name__ == "__main__":
    main()
