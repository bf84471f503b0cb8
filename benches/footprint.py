#!/usr/bin/env python3
"""How soon koine is there and how much it takes: from the start of the process to the first canonical record, and resident
memory at rest and under steady load. docs/image.md has the figures. No test: what is measured depends on the machine.

    benches/footprint.py PROGRAM      a stack has to run (tests/run up), with the Python of it: target/stack/venv/bin/python
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))
import support  # noqa: E402
from support import servers  # noqa: E402

STARTS = 21
RATES = (20, 1_000, 5_000)
SECONDS = 30


def first_record(program):
    """Seconds from the start of `koine demo`, which brings its own broker and registry, to the first canonical record that its own
    reader has read back and decoded."""
    begun = time.monotonic()
    demo = subprocess.Popen([program, "demo", "--rate", "100"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, env=support.environment())
    try:
        for line in demo.stdout:
            if line.startswith(b"event "):
                return time.monotonic() - begun
    finally:
        demo.kill()
        demo.wait()
    raise SystemExit("koine demo has ended")


def resident(pid):
    """(now, the most so far) in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return tuple(int(status.split(f"{name}:")[1].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def under_load(program, env, directory):
    """A koine on a real broker: at rest, then at each rate."""
    stack = support.Stack(env["brokers"], env["registry"], env["classpath"])
    prefix = f"footprint{time.time_ns()}."
    raw = {f"{prefix}raw.{vendor}": vendor for vendor in support.VENDORS}
    stack.create({topic: 4 for topic in raw})
    deployment = support.Deployment(stack, program, directory, prefix, raw, prefix + "koine")
    deployment.create_outputs(canonical=4, dead=4)
    deployment.register()
    with deployment.process() as koine:
        time.sleep(5)
        print(f"at rest, joined and ready: {resident(koine.process.pid)[0]:.0f} MiB")
        for rate in RATES:
            done = subprocess.run([program, "generate", "--config", koine.config_file, "--rate", str(rate), "--count", str(rate * SECONDS)],
                                  stdin=subprocess.DEVNULL, env=support.environment(), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            deployment.wait_consumed()
            now, most = resident(koine.process.pid)
            print(f"after {SECONDS} s of {rate} webhooks a second: {now:.0f} MiB, at most {most:.0f} MiB so far")
        koine.stop()


def main(program):
    env = json.loads(servers.ENV_FILE.read_text())
    took = sorted(first_record(program) for _ in range(STARTS))
    print(f"to the first canonical record, {STARTS} starts: median {statistics.median(took) * 1000:.0f} ms, "
          f"fastest {took[0] * 1000:.0f}, slowest {took[-1] * 1000:.0f}")
    with tempfile.TemporaryDirectory() as directory:
        under_load(program, env, Path(directory))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve())
