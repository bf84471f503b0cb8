#!/usr/bin/env python3
"""The README as a newcomer reads it: its first two commands, then every command of the tour, in order, as they stand there.

    tests/docs/tour.py                 in this tree, where the release binary is built
    tests/docs/tour.py --fresh         in a fresh clone of HEAD, with a build of its own: what a newcomer does, and how long it takes
    tests/docs/tour.py --koine FILE    FILE stands in for what `cargo run --release --` would build; for those who change the tour

Each ```sh block under "Try it" and "Ten minutes" is one bash script. What is exported holds for the blocks after it, as in one terminal.
A block marked <!-- runs until it is stopped --> has a terminal of its own and is stopped as Ctrl-C does. A ```text block marked
<!-- seen --> is what the block before it must have shown: the words of each line, in that order, in one line. Between two blocks it waits
until koine has nothing left to do, as a person would.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ("## Try it", "## Ten minutes")
BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
# What the tour's commands write where they are run.
MADE = ("demo.yaml", "order.json", "cart.json")
# Building anew is part of the first command.
PATIENCE = 1_800


def blocks(readme):
    """[(mark, language, text)] under the headings of the tour."""
    found = []
    for heading in HEADINGS:
        begin = readme.index(f"\n{heading}\n")
        end = readme.index("\n## ", begin + 1)
        found += [(it["mark"], it["language"], it["text"]) for it in BLOCK.finditer(readme[begin:end])]
    return found


class Tour:
    def __init__(self, folder, scratch, environment):
        self.folder, self.scratch, self.environment = folder, scratch, environment
        self.log = scratch / "log"
        self.running, self.config = None, None
        self.shown, self.posted = "", 0

    def walk(self, readme):
        found = blocks(readme)
        commands = [text for _, language, text in found if language == "sh"]
        assert sum("cargo run" in text for text in commands[:2]) == 2, "the first two commands are what a newcomer types"
        for mark, language, text in found:
            if language == "sh" and mark == "runs until it is stopped":
                self.leave_running(text)
            elif language == "sh":
                assert mark is None, mark
                self.run(text)
            elif language == "text":
                assert mark == "seen", "a text block of the tour is what one sees"
                self.compare(text)
        self.stop()

    def run(self, text):
        print(f"$ {text}", end="", flush=True)
        self.settle()
        # What was exported is written down behind the block, for the next.
        kept = self.scratch / "environment"
        script = f"set -euo pipefail\n{text}\nenv -0 > {kept}\n"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        print(done.stdout[-6_000:], flush=True)
        assert done.returncode == 0, f"exit status {done.returncode}"
        self.environment = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        kept.unlink()
        self.shown = done.stdout
        self.posted += text.count("http://127.0.0.1:8484/")

    def leave_running(self, text):
        """In a terminal of its own, until the next one is needed: only one of them runs at a time."""
        self.stop()
        print(f"$ {text}", end="", flush=True)
        with self.log.open("wb") as out:
            self.running = subprocess.Popen(["bash", "-c", f"exec {text}"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, start_new_session=True)
        self.wait(lambda: re.search(r"^webhooks +http", self.log.read_text(), re.M), "it says where webhooks are posted")
        self.config = self.folder / "demo.yaml" if "--write-config demo.yaml" in text else None
        if self.config:
            self.wait(self.config.is_file, "the configuration is written")
        else:
            # Its samples come out.
            self.wait(lambda: re.search(r"^event +koine\.", self.log.read_text(), re.M), "events are shown")
        print(self.log.read_text()[-2_000:], flush=True)

    def stop(self):
        if self.running:
            os.killpg(self.running.pid, signal.SIGINT)
            self.running.wait(60)
            self.running = None

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.running.poll() is None, f"it ended:\n{self.log.read_text()[-4_000:]}"
            assert time.monotonic() < deadline, f"{what}: not in time"
            time.sleep(0.1)

    def settle(self):
        """Until every webhook that was posted has its outcome."""
        if not (self.running and self.config):
            return
        address = re.search(r"listen: '([^']+)'", self.config.read_text())[1]

        def outcomes():
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                return sum(float(value) for value in re.findall(r"^koine_records_outcome_total\{.*\} (\S+)$", answer.read().decode(), re.M))
        self.wait(lambda: outcomes() >= self.posted, "the webhooks have their outcome")

    def compare(self, text):
        for line in text.splitlines():
            words = re.escape(line).split(r"\ ")
            pattern = ".*".join(words)
            assert any(re.search(pattern, shown) for shown in self.shown.splitlines()), f"not seen: {line}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fresh", action="store_true")
    arguments.add_argument("--koine", type=Path)
    chosen = arguments.parse_args()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KOINE_")}
    target = environment.get("CARGO_TARGET_DIR")
    with tempfile.TemporaryDirectory(prefix="koine-tour-") as scratch:
        folder, scratch = ROOT, Path(scratch)
        if chosen.fresh:
            folder = scratch / "koine"
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
            environment.pop("CARGO_TARGET_DIR", None)
        elif chosen.koine:
            stand_in(scratch / "bin", chosen.koine.resolve(), environment)
        elif target:
            # What the page calls target/release may be elsewhere.
            environment["PATH"] = f"{Path(target).resolve()}/release:{environment['PATH']}"
        there = [name for name in MADE if (folder / name).exists()]
        assert not there, f"{there} would be overwritten"
        begun = time.monotonic()
        tour = Tour(folder, scratch, environment)
        try:
            tour.walk((folder / "README.md").read_text())
        finally:
            tour.stop()
            for name in MADE:
                (folder / name).unlink(missing_ok=True)
        print(f"the tour, as README.md has it: {time.monotonic() - begun:.0f} s")


def stand_in(folder, koine, environment):
    """A `cargo` that runs this koine, and this koine under its name."""
    folder.mkdir()
    (folder / "cargo").write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "run --release --" ] || exit 2\nshift 3\nexec {koine} "$@"\n')
    (folder / "cargo").chmod(0o755)
    (folder / "koine").symlink_to(koine)
    environment["PATH"] = f"{folder}:{environment['PATH']}"


if __name__ == "__main__":
    main()
