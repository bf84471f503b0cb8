"""docker-compose.yml without a container engine. compose-go, which is what `docker compose` reads such a file with, parses and
checks it; then what its services are made of runs as plain processes: the very commands, environments and configuration files,
with nothing changed but addresses and paths. What cannot run here is Grafana, and the images of others; of those only what is
handed to them is looked at."""
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import yaml

import support
from support import servers, wait_for

pytestmark = pytest.mark.timeout(300)

ROOT = servers.ROOT
FILE = ROOT / "docker-compose.yml"
ENDS = ("topics", "schemas")
OURS = ("schemas", "koine", "generator")


@pytest.fixture(scope="module")
def model():
    """What compose makes of the file: defaults filled in, variables and anchors resolved, paths absolute."""
    parser = servers.STACK / "go" / "bin" / "cmd"
    assert parser.is_file(), f"no {parser}: tests/run setup"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("KOINE_")}
    done = subprocess.run([parser, "-format", "json", FILE], env=bare, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), f"it is parsed with a warning: {done.stderr}"
    return json.loads(done.stdout)


# ---- what can be read off the file ----

def test_every_image_is_pinned_and_every_port_is_this_machines(model):
    for name, service in model["services"].items():
        repository, _, tag = service["image"].rpartition(":")
        assert repository and tag not in ("", "latest"), f"{name}: {service['image']}"
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", f"{name}: {port}"
    # The broker and the registry are those that all other tests run against.
    pom = (ROOT / "tests/stack/pom.xml").read_text()
    tag = {name: model["services"][name]["image"].rpartition(":")[2] for name in ("kafka", "topics", "registry")}
    assert f"<artifactId>kafka_2.13</artifactId><version>{tag['kafka']}</version>" in pom
    assert f"<version>{tag['registry']}</version>" in pom
    assert tag["topics"] == tag["kafka"]


def test_everything_that_runs_is_watched_and_started_in_order(model):
    services = model["services"]
    assert set(services) == {"kafka", "topics", "registry", "schemas", "koine", "generator", "prometheus", "grafana"}
    for name, service in services.items():
        check = service.get("healthcheck", {})
        if name in (*ENDS, "generator"):
            assert not check or check == {"disable": True}, name
        else:
            assert check["test"][0] == "CMD", f"{name}: no shell is asked, since not every image has one"
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ENDS else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {other}"
    after = lambda name: {name} | {far for near in services[name].get("depends_on", {}) for far in after(near)}
    assert after("generator") == {"generator", "koine", "topics", "schemas", "kafka", "registry"}


def test_ours_have_no_rights_and_nobody_has_a_password(model):
    for name in OURS:
        service = model["services"][name]
        assert service["image"] == "koine:local" and service["build"]["context"] == str(ROOT), name
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(volume["read_only"] for volume in service["volumes"]), name
    for name, service in model["services"].items():
        for variable in service.get("environment") or {}:
            assert not re.search("PASSWORD|SECRET|TOKEN|KEY", variable), f"{name}: {variable}"
    assert not re.search("password|secret|token", FILE.read_text().split("services:")[1].replace("GF_SECURITY", ""), re.I)
    grafana = model["services"]["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer" and grafana["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"


def test_what_is_mounted_is_there(model):
    for name, service in model["services"].items():
        for volume in service.get("volumes", []):
            assert Path(volume["source"]).exists(), f"{name}: {volume['source']}"
            assert volume["read_only"], f"{name}: {volume['target']}"


def test_grafana_finds_the_dashboard_and_its_source(model):
    """Grafana itself is not run: what it is handed fits together."""
    provisioning = ROOT / "deploy/compose/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus" and urllib.parse.urlsplit(source["url"]).netloc == "prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards/koine.yaml").read_text())["providers"]
    service = model["services"]["grafana"]
    mounted = {volume["target"]: Path(volume["source"]) for volume in service["volumes"]}
    folder = mounted[provider["options"]["path"]]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert json.loads((folder / home.name).read_text())["panels"]


# ---- the services as processes ----

class Broker(servers.Kafka):
    """The broker on compose's own properties, but for ports and the folder of its data."""

    def write_properties(self):
        controller = servers.free_port()
        text = (ROOT / "deploy/compose/kafka.properties").read_text()
        for old, new in {
            "1@kafka:9093": f"1@127.0.0.1:{controller}",
            "INSIDE://:9092": f"INSIDE://127.0.0.1:{self.port}",
            "CONTROLLER://:9093": f"CONTROLLER://127.0.0.1:{controller}",
            "INSIDE://kafka:9092": f"INSIDE://127.0.0.1:{self.port}",
            "OUTSIDE://:29092": f"OUTSIDE://127.0.0.1:{servers.free_port()}",
            "/tmp/kafka-logs": str(self.dir / "data"),
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.properties.write_text(text)


class World:
    """Every service that can run here, started as compose says."""

    def __init__(self, model, koine, directory):
        self.model, self.koine, self.directory = model["services"], koine, directory
        self.processes = {}
        self.broker = Broker(directory / "kafka").start()
        self.registry = servers.start_registry(directory / "registry")
        self.ports = {"koine": servers.free_port(), "prometheus": servers.free_port()}
        here = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.places = {
            "kafka:9092": self.broker.brokers,
            "registry:8080": f"127.0.0.1:{self.registry.port}",
            "koine:9464": here["koine"],
            "0.0.0.0:9464": here["koine"],
            "prometheus:9090": here["prometheus"],
        }

    def moved(self, name, text):
        """A text of a service with the addresses and the mounted files of here."""
        for old, new in self.places.items():
            text = text.replace(old, new)
        for volume in self.model[name].get("volumes", []):
            if volume["target"] in text and Path(volume["source"]).is_file():
                text = text.replace(volume["target"], str(self.copy(name, volume)))
        return text

    def copy(self, name, volume):
        target = self.directory / name / Path(volume["target"]).name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.write_text(self.moved(name, Path(volume["source"]).read_text()))
        return target

    def start(self, name, program, more=()):
        """The program as the service's command and environment say."""
        service = self.model[name]
        command = [*program, *(self.moved(name, part) for part in service["command"]), *more]
        given = {variable: self.moved(name, value) for variable, value in (service.get("environment") or {}).items()}
        (self.directory / name).mkdir(exist_ok=True)
        with open(self.directory / name / "log", "wb") as log:
            process = subprocess.Popen(command, env=support.environment(**given), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[name] = process
        return process

    def log(self, name):
        return (self.directory / name / "log").read_text(errors="replace")

    def run(self, name, program, seconds=120):
        """A service that ends, and has to end well."""
        assert self.start(name, program).wait(seconds) == 0, self.log(name)

    def is_healthy(self, name):
        """What the service's own check says; its program is the one that the image begins with."""
        assert self.processes[name].poll() is None, self.log(name)
        _, program, *arguments = self.model[name]["healthcheck"]["test"]
        assert program == "/koine"
        command = [self.koine, *(self.moved(name, part) for part in arguments)]
        done = subprocess.run(command, env=support.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    def ask(self, query):
        """What Prometheus answers: [(labels, value)]."""
        url = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def value(self, query):
        return sum(value for _, value in self.ask(query))

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)
        self.broker.stop()
        self.registry.stop()


@pytest.fixture(scope="module")
def world(model, koine, tmp_path_factory):
    world = World(model, koine, tmp_path_factory.mktemp("compose"))
    try:
        yield world
    finally:
        world.stop()


def test_compose_up_as_processes(world, koine):
    """In the order that compose starts them: topics, schemas, koine, the generator, Prometheus with the rules."""
    classpath = f"{servers.LIB}/*"
    tool = world.directory / "kafka-topics"
    tool.write_text(f'#!/bin/sh\nexec java -cp "{classpath}" org.apache.kafka.tools.TopicCommand "$@"\n')
    tool.chmod(0o755)
    script = world.model["topics"]
    script["environment"] = {**script["environment"], "KAFKA_TOPICS": str(tool)}
    world.run("topics", [])
    world.run("schemas", [koine])
    stack = support.Stack(world.broker.brokers, world.registry.url, servers.CLASSPATH)
    raw = [f"raw.{vendor}" for vendor in support.VENDORS]
    outputs = [*support.CANONICAL, *(f"dlq.{topic}" for topic in raw)]
    assert Counter(place.topic for place in stack.partitions([*raw, *outputs])) == {topic: 4 for topic in (*raw, *outputs)}

    world.start("koine", [koine])
    wait_for(lambda: world.is_healthy("koine"), "koine healthy", 60)
    generator = world.start("generator", [koine])
    prometheus = shutil.which("prometheus")
    assert prometheus, "no prometheus: tests/run setup"
    listen = f"--web.listen-address=127.0.0.1:{world.ports['prometheus']}"
    world.places["tsdb.path=/prometheus"] = f"tsdb.path={world.directory / 'tsdb'}"
    world.start("prometheus", [prometheus], [listen])

    def scraped():
        try:
            return world.value("sum(koine_records_consumed_total)") > 200
        except OSError:
            assert world.processes["prometheus"].poll() is None, world.log("prometheus")

    wait_for(scraped, "Prometheus has seen 200 webhooks", 120)
    assert world.ask("up") == [({"__name__": "up", "instance": world.places["koine:9464"], "job": "koine"}, 1.0)]
    # All four vendors, and all three outcomes.
    vendors = {labels["vendor"] for labels, value in world.ask("sum by (vendor) (koine_records_outcome_total)") if value > 0}
    assert vendors >= set(support.VENDORS)
    outcomes = {labels["outcome"] for labels, value in world.ask("sum by (outcome) (koine_records_outcome_total)") if value > 0}
    assert outcomes == {"event", "ignored", "dead_letter"}
    with urllib.request.urlopen(f"http://127.0.0.1:{world.ports['prometheus']}/api/v1/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules and all(rule["health"] in ("ok", "unknown") for rule in rules), [r for r in rules if r["health"] == "err"]

    # The generator ends when it is told to, and koine has an outcome for everything that it has written.
    generator.terminate()
    assert generator.wait(60) == 0, world.log("generator")
    written = int(re.search(r"(\d+) webhooks were written", world.log("generator"))[1])
    assert sum(end for end in stack.ends(raw).values()) == written
    wait_for(lambda: stack.consumed("koine", raw), "all consumed", 60)
    world.processes["koine"].terminate()
    assert world.processes["koine"].wait(60) == 0, world.log("koine")
    events = stack.read(list(support.CANONICAL), decode="fastavro")
    letters = stack.read([topic for topic in outputs if topic.startswith("dlq.")], decode=None)
    assert events and letters and len(events) + len(letters) < written
    # A lap of the samples is of other entities than the one before it.
    keys = {record.key for record in events}
    assert len(keys) > len(events) / 4
