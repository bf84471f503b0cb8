"""Translation alone: CPU time of a record in one thread, without Kafka, of koine (this tree's library, benches/corpus.rs) and of the Rust peers."""
import json
import re
import subprocess

import corpus
from world import ROOT, WORK, say, support

VENDORS = ("spree", "composer", "bold", "bspk")
RECORDS = 20_000


def run(given):
    files = {vendor: corpus.kept(vendor, RECORDS, WORK / "corpus") for vendor in VENDORS}
    count = str(min(RECORDS, given.records))
    rows = []
    for number in range(given.rounds):
        say(f"round {number + 1}")
        rows += [row | {"round": number + 1} for row in peers(files["spree"], count)]
        for vendor, file in files.items():
            for extensions, name in (("full", f"koine, {vendor}"), ("off", f"koine, {vendor}, extensions: off")):
                if re.search(given.only, name):
                    rows.append({"name": name, "round": number + 1} | koine(vendor, file, count, extensions))
    return rows


def peers(file, count):
    """Their ways to translate Spree's orders, each once."""
    return list(map(json.loads, output([WORK / "release" / "memory", file, count, "1"])))


def koine(vendor, file, count, extensions):
    [line] = output([ROOT / "image" / "cargo", "bench", "--quiet", "--locked", "--jobs", "2", "--bench", "corpus", "--", vendor, file, count, extensions])
    return json.loads(line)


def output(command):
    return subprocess.run([str(word) for word in command], env=support.environment(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=True).stdout.splitlines()
