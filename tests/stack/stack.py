#!/usr/bin/env python3
"""A real Kafka broker and a real schema registry on loopback, for the end-to-end tests.

    tests/stack/stack.py up|down|status     start both and write run/env.json; stop them by pid; say what runs
    tests/stack/stack.py java               compile the Java oracles of tests/stack/java

As a module: start_kafka() and start_registry() return objects with stop(), kill(), start() and restart() that keep their
port and, for the broker, its data. Everything lies under <target>/stack, where `tests/run setup` has put jars and registry.
Standard library only.
"""
import base64
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STACK = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "stack"
RUN = STACK / "run"
ENV_FILE = RUN / "env.json"
LIB = STACK / "lib"
CLASSES = STACK / "classes"
JAVA_SOURCES = Path(__file__).resolve().parent / "java"
CLASSPATH = f"{CLASSES}{os.pathsep}{LIB}/*"
START_SECONDS = 90
STOP_SECONDS = 20

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A machine with too much to do is no broker that has died: fenced, the only one there is would name no leaders.
broker.session.timeout.ms=60000
# The transaction of a killed worker ends soon after its timeout, not up to ten seconds later.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# Everybody may do everything, until a test says otherwise.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
# Test records carry timestamps of other years; retention by time would delete them under the tests.
log.retention.ms=-1
# Room for bodies beyond koine's own limit of 8 MiB.
message.max.bytes=16777216
"""


class StackError(RuntimeError):
    """The stack did not do what it must; the message says where the log is."""


def free_port():
    """A free port below the kernel's ephemeral range, so that no outgoing connection takes it while a server restarts. It is
    given out once in this process, and to no other that lives beside it: whoever got it may not listen yet."""
    claims = STACK / "ports"
    claims.mkdir(parents=True, exist_ok=True)
    with open(claims / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        taken = set()
        for claim in claims.glob("[0-9]*"):
            if Path(f"/proc/{claim.read_text()}").exists():
                taken.add(int(claim.name))
            else:
                claim.unlink()
        for _ in range(1000):
            port = random.randint(15000, 30000)
            if port in taken:
                continue
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            (claims / str(port)).write_text(str(os.getpid()))
            return port
    raise StackError("no free port")


def tail(path, lines=30):
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)


def is_ours(pid, mark):
    """Whether pid still is the process we started: its command line names `mark`. A zombie's is empty."""
    try:
        return mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop_pid(pid, mark):
    """TERM, wait, KILL. `mark` guards against a pid that meanwhile is somebody else's."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        if not is_ours(pid, mark):
            return
        os.kill(pid, sig)
        deadline = time.monotonic() + STOP_SECONDS
        while is_ours(pid, mark) and time.monotonic() < deadline:
            time.sleep(0.05)
    if is_ours(pid, mark):
        raise StackError(f"process {pid} survived SIGKILL")


class Server:
    """One JVM in a directory of its own: its log, its port and, for the broker, its data stay over a restart."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log = self.dir / "log"
        self.process = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    @property
    def mark(self):
        return f"-Dkoine.stack={self.dir}"

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    def start(self):
        self.launch()
        return self.wait()

    def launch(self):
        self.seen = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            # A session of its own: a Ctrl-C at the tests must not take the broker away under the koine that still drains.
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.dir, start_new_session=True)

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None:
                raise StackError(f"{self.dir.name} ended with {self.process.returncode}; {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                self.kill()
                raise StackError(f"{self.dir.name} not ready after {START_SECONDS} s; {self.log}:\n{tail(self.log)}")
            time.sleep(0.1)
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def restart(self):
        self.stop()
        return self.start()


class Kafka(Server):
    """A one-node KRaft broker."""

    def __init__(self, directory):
        super().__init__(directory)
        self.port = free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.properties = self.dir / "server.properties"
        self.write_properties()
        done = subprocess.run(["java", "-cp", f"{LIB}/*", "kafka.tools.StorageTool", "format",
                               "--cluster-id=" + self.cluster(), "--config", str(self.properties), *self.format_arguments()],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS)
        if done.returncode:
            raise StackError("formatting the broker's storage failed:\n" + done.stdout + done.stderr)

    def cluster(self):
        """The id of the cluster that it belongs to: its own."""
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    def write_properties(self):
        self.properties.write_text(SERVER_PROPERTIES.format(port=self.port, controller=free_port(), data=self.dir / "data"))

    def format_arguments(self):
        """What more is said when the storage is formatted: users whom the controller must know from the start."""
        return []

    def command(self):
        return ["java", "-Xms256m", "-Xmx1g", "-XX:+UseParallelGC", self.mark,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
                "-cp", f"{LIB}/*", "kafka.Kafka", str(self.properties)]

    def ready(self):
        with open(self.log, "rb") as log:
            log.seek(self.seen)
            if b"Kafka Server started" not in log.read():
                return False
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0


class Registry(Server):
    """Apicurio, in memory: a restart forgets the schemas."""

    def __init__(self, directory, port=None):
        super().__init__(directory)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def command(self):
        jars = sorted((STACK / "apicurio").glob("*-runner.jar"))
        if len(jars) != 1:
            raise StackError(f"expected one registry jar under {STACK / 'apicurio'}; run tests/run setup")
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", self.mark,
                "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}", "-jar", str(jars[0])]

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/subjects", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False


def start_kafka(directory=None):
    return Kafka(directory or RUN / f"kafka-{uuid.uuid4().hex[:8]}").start()


def start_registry(directory=None, port=None):
    return Registry(directory or RUN / f"registry-{uuid.uuid4().hex[:8]}", port).start()


def build_java():
    """Compiles the Java oracles when a source or the list of jars is newer than the classes; returns the class path."""
    sources = sorted(JAVA_SOURCES.glob("*.java"))
    stamp = CLASSES / ".built"
    if not stamp.exists() or stamp.stat().st_mtime < max(p.stat().st_mtime for p in [*sources, LIB]):
        CLASSES.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-Xlint:all", "-Werror", "--release", "17", "-proc:none", "-cp", f"{LIB}/*",
                        "-d", str(CLASSES), *map(str, sources)], check=True, stdin=subprocess.DEVNULL)
        stamp.touch()
    return CLASSPATH


def running(env):
    return {name: pid for name, pid in env["pids"].items() if is_ours(pid, f"-Dkoine.stack={RUN / name}")}


def load():
    return json.loads(ENV_FILE.read_text()) if ENV_FILE.exists() else None


def down():
    """Stops what `up` started. The directory of a run that ended is kept for its logs until the next `up`."""
    env = load()
    if env:
        for name, pid in env["pids"].items():
            stop_pid(pid, f"-Dkoine.stack={RUN / name}")
        ENV_FILE.unlink()


def up():
    down()
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    env = {"brokers": None, "registry": None, "pids": {}, "classpath": CLASSPATH}
    servers = [Kafka(RUN / "kafka"), Registry(RUN / "registry")]
    try:
        # The pids are on disk before anything is waited for: `down` stops even what never became ready.
        for server in servers:
            server.launch()
            env["pids"][server.dir.name] = server.pid
            ENV_FILE.write_text(json.dumps(env, indent=2) + "\n")
        for server in servers:
            server.wait()
    except BaseException:
        for server in servers:
            server.kill()
        ENV_FILE.unlink(missing_ok=True)
        raise
    env.update(brokers=servers[0].brokers, registry=servers[1].url)
    ENV_FILE.write_text(json.dumps(env, indent=2) + "\n")
    return env


def main(arguments):
    # A TERM while starting must reach the clean-up in up().
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    match arguments:
        case ["up"]:
            print(json.dumps(up(), indent=2))
        case ["down"]:
            down()
        case ["status"]:
            env = load()
            alive = running(env) if env else {}
            print(json.dumps({"running": alive, "brokers": env and env["brokers"], "registry": env and env["registry"]}, indent=2))
            return 0 if len(alive) == 2 else 1
        case ["java"]:
            print(build_java())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (StackError, subprocess.CalledProcessError) as error:
        sys.exit(f"stack.py: {error}")
