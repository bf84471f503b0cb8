"""`koine doctor` against a real broker and a real registry: each finding is provoked by a wrong setting, and vanishes when that
is cured. What one broker cannot show is in src/doctor/tests.rs.
"""
import http.server
import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
import yaml
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType,
                                   ResourceType)

from support import TESTS, Bulk, Deployment, Stack, environment, exactly, servers, wait_for

pytestmark = pytest.mark.timeout(240)

# One broker has one replica of everything, and never fewer in sync; a broker that says nothing of rights is before Kafka 2.3;
# and why a producer cannot begin otherwise is trouble that a test would have to wait for.
ELSEWHERE = {"topic.min_insync_one", "topic.not_in_sync", "transaction.state_topic", "transaction.unavailable", "brokers.rights_unknown"}
# What is always so on a broker of tests: alone, and with raw topics that are kept for ever.
ALWAYS = {"topic.one_replica", "group.offsets_retention"}


@dataclass
class Visit:
    code: int
    report: dict

    @property
    def found(self):
        """{(finding, place)} but what is always so."""
        return {(one["finding"], one["place"]) for one in self.report["findings"]} - {
            (one["finding"], one["place"]) for one in self.report["findings"] if one["finding"] in ALWAYS}

    @property
    def met_silence(self):
        return any(finding.startswith("brokers.rights") for finding, _ in self.found)

    def cure(self, finding, place):
        [cure] = [one["cure"] for one in self.report["findings"] if (one["finding"], one["place"]) == (finding, place)]
        return cure


def doctor(deployment, **changed):
    """With the deployment's configuration, `changed` in the sections it names."""
    path = deployment.write_config("doctor", servers.free_port())
    document = yaml.safe_load(path.read_text())
    for section, settings in changed.items():
        document[section] = {**document.get(section, {}), **settings} if isinstance(settings, dict) else settings
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    visit = visited(deployment, path)
    # Whoever gets no answer of a busy broker says that nobody has checked its rights, which is right: it is asked once more, and what it
    # says then counts.
    return visited(deployment, path) if visit.met_silence else visit


def visited(deployment, path):
    done = subprocess.run([deployment.binary, "doctor", "--config", path, "--format", "json"], env=environment(), cwd=deployment.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    severities = {one["severity"] for one in report["findings"]}
    assert done.returncode == (1 if "wrong" in severities else 0), done.stdout
    assert all(one["what"] and one["why"] and one["cure"] and not re.search(r"\{\w+\}", one["cure"]) for one in report["findings"])
    return Visit(done.returncode, report)


@pytest.fixture(scope="module")
def deployment(deploy):
    return deploy({"raw.bspk": ("bspk", 2)})


@pytest.fixture
def raw(deployment):
    [raw] = deployment.sources
    return raw


def test_a_healthy_deployment_has_warnings_at_most(deployment):
    visit = doctor(deployment)
    assert visit.code == 0 and visit.found == set(), visit.report
    assert {one["finding"] for one in visit.report["findings"]} == ALWAYS
    places = {one["place"] for one in visit.report["good"]}
    assert {f"{topic}-value" for topic in deployment.canonical} | set(deployment.sources) <= places


def test_lines_for_people(deployment):
    path = deployment.write_config("lines", servers.free_port())
    done = subprocess.run([deployment.binary, "doctor", "--config", path], env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0 and {line[0] for line in lines} == {"ok", "warning"}, done.stdout + done.stderr
    assert all(line[-1].startswith("cure: ") for line in lines if line[0] == "warning")
    path.write_text("kafka: {bootstrap_server: x}")
    done = subprocess.run([deployment.binary, "doctor", "--config", path], env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and "bootstrap_servers" in done.stderr


WRONG_SETTINGS = [
    ("order", "cleanup.policy", "compact", {"topic.compacted"}),
    ("dead", "cleanup.policy", "compact,delete", {"topic.compacted"}),
    ("raw", "cleanup.policy", "compact", {"source.compacted"}),
    ("dead", "retention.ms", "86400000", {"topic.dead_letter_retention"}),
    ("dead", "retention.bytes", "1000000", {"topic.dead_letter_retention"}),
    ("dead", "max.message.bytes", "1000000", {"topic.dead_letter_max_bytes"}),
    ("order", "max.message.bytes", "1000000", {"topic.canonical_max_bytes"}),
    ("order", "min.insync.replicas", "2", {"topic.min_insync_above_replicas"}),
    ("order", "message.timestamp.type", "LogAppendTime", {"topic.timestamps"}),
    ("dead", "message.timestamp.before.max.ms", "3600000", {"topic.timestamps"}),
]


@pytest.mark.parametrize("which, name, value, finding", WRONG_SETTINGS, ids=[f"{which} {name}" for which, name, _, _ in WRONG_SETTINGS])
def test_a_wrong_setting_of_a_topic(stack, deployment, raw, which, name, value, finding):
    topic = {"raw": raw, "order": deployment.canonical[2], "dead": deployment.dead[0]}[which]
    stack.configure(topic, name, value)
    try:
        visit = doctor(deployment)
        assert visit.found == {(word, topic) for word in finding}, visit.report
        [word] = finding
        # The cure is a command that sets what was changed.
        assert f"--entity-name {topic} --add-config {name}=" in visit.cure(word, topic)
    finally:
        stack.configure(topic, name, None)
    assert doctor(deployment).found == set()


def test_topics_that_are_not_there(deployment, raw):
    order = deployment.prefix + "nowhere"
    found = doctor(deployment, topics={"order": "nowhere"}).found
    assert found == {("topic.missing", order), ("registry.not_registered", f"{order}-value")}
    letters = f"other.{raw}"
    # Where it may make them, it says what it would make, and makes nothing.
    for _ in range(2):
        visit = doctor(deployment, topics={"order": "nowhere", "dead_letter_prefix": "other.", "create": True})
        assert visit.found == {("registry.not_registered", f"{order}-value")}
        made = {one["place"]: one["what"] for one in visit.report["good"] if "not there" in one["what"]}
        assert made == {topic: "not there; koine run makes it, with 2 partitions (topics.create)" for topic in (order, letters)}
    visit = doctor(deployment, topics={"dead_letter_prefix": "other."})
    assert visit.found == {("topic.missing", letters)} and f"--topic {letters} --partitions 2 " in visit.cure("topic.missing", letters)
    sources = [{"topics": [raw, f"{raw}.two", f"^{re.escape(raw)}\\.three\\..*"], "vendor": "bspk"}]
    assert doctor(deployment, sources=sources).found == {("source.missing", f"{raw}.two"), ("source.empty", sources[0]["topics"][2])}


def test_more_workers_than_partitions(deployment):
    visit = doctor(deployment, workers=3)
    assert visit.found == {("workers.idle", "workers")} and "`workers` to 2" in visit.cure("workers.idle", "workers")


def test_brokers_that_do_not_answer(deployment):
    nobody = f"127.0.0.1:{servers.free_port()}"
    assert doctor(deployment, kafka={"bootstrap_servers": nobody}).found == {("brokers.unreachable", "kafka.bootstrap_servers")}


def test_an_offset_that_is_gone(stack, deploy):
    deployment = deploy({"raw.bspk": ("bspk", 1)})
    [raw] = deployment.sources
    stack.produce(raw, Bulk("bspk").take(10))
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    stack.produce(raw, Bulk("bspk").take(10))
    assert doctor(deployment).found == set()
    [deleted] = stack.admin.delete_records([TopicPartition(raw, 0, 15)]).values()
    deleted.result(30)
    visit = doctor(deployment)
    assert visit.found == {("group.offset_gone", f"{raw} [0]")}
    assert any("5 are gone" in one["what"] for one in visit.report["findings"])
    with deployment.process() as koine:
        koine.kill()
    done = subprocess.run([deployment.binary, "run", "--help"], capture_output=True, text=True, timeout=30)
    assert "--accept-loss" in done.stdout


# ---- the registry ----

class Proxy:
    """Before the registry: forwards, and changes what `change` wants: it gets path, status, headers and body."""

    def __init__(self, target, change):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("content-length") or 0)
                request = urllib.request.Request(target + self.path.removeprefix("/api"), method=self.command, data=self.rfile.read(length) or None,
                                                 headers={"content-type": "application/vnd.schemaregistry.v1+json"})
                try:
                    with urllib.request.urlopen(request, timeout=20) as got:
                        status, body = got.status, got.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
                headers = {"Date": self.date_time_string()}
                status, body = change(self.path, status, headers, body)
                self.send_response_only(status)
                for name, value in {**headers, "content-type": "application/json", "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def behind(stack, deployment):
    """Asks the registry through a proxy that changes something."""
    def visit(change):
        proxy = Proxy(stack.registry, change)
        try:
            return doctor(deployment, registry={"url": proxy.url})
        finally:
            proxy.close()
    return visit


def test_the_registry_is_asked_through_a_proxy(behind):
    """What the others change is what they find."""
    assert behind(lambda path, status, headers, body: (status, body)).found == set()


def test_a_registry_that_does_not_answer(deployment):
    nobody = f"http://127.0.0.1:{servers.free_port()}"
    assert doctor(deployment, registry={"url": nobody}).found == {("registry.unreachable", "registry.url")}


def test_a_registry_that_denies(behind):
    assert behind(lambda *_: (401, b'{"error_code": 401, "message": "no"}')).found == {("registry.denied", "registry.url")}


def test_a_schema_that_is_not_registered(deployment):
    visit = doctor(deployment, topics={"prefix": deployment.prefix + "new."}, sources=[{"topics": list(deployment.sources)}])
    subjects = {place for word, place in visit.found if word == "registry.not_registered"}
    assert subjects == {f"{deployment.prefix}new.{topic.removeprefix(deployment.prefix)}-value" for topic in deployment.canonical}


def put_level(stack, subject, level):
    request = urllib.request.Request(f"{stack.registry}/config/{subject}", method="PUT", data=json.dumps({"compatibility": level}).encode(),
                                     headers={"content-type": "application/vnd.schemaregistry.v1+json"})
    urllib.request.urlopen(request, timeout=20).close()


def test_another_rule_of_a_subject(stack, deployment):
    subject = f"{deployment.canonical[1]}-value"
    put_level(stack, subject, "BACKWARD")
    visit = doctor(deployment)
    assert visit.found == {("registry.level", subject)}
    assert visit.cure("registry.level", subject).startswith("koine schemas register --config ")
    deployment.register()
    assert doctor(deployment).found == set()


def test_a_schema_in_another_spelling(stack, deploy, koine):
    """Apicurio compares texts."""
    deployment = deploy({"raw.bspk": ("bspk", 1)})
    subject = f"{deployment.canonical[3]}-value"
    urllib.request.urlopen(urllib.request.Request(f"{stack.registry}/subjects/{subject}", method="DELETE"), timeout=20).close()
    subprocess.run([koine, "schemas", "export", "--out", deployment.directory / "out"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    text = json.dumps(json.loads((deployment.directory / "out" / "commerce.product.v1.avsc").read_text()), indent=3)
    request = urllib.request.Request(f"{stack.registry}/subjects/{subject}/versions", method="POST",
                                     data=json.dumps({"schema": text, "schemaType": "AVRO"}).encode(),
                                     headers={"content-type": "application/vnd.schemaregistry.v1+json"})
    urllib.request.urlopen(request, timeout=20).close()
    put_level(stack, subject, "FULL_TRANSITIVE")
    visit = doctor(deployment)
    assert visit.code == 0 and visit.found == {("registry.no_lookup", subject)}, visit.report


def test_another_schema_under_the_id(behind):
    def change(path, status, headers, body):
        return (200, b'{"schema": "\\"string\\""}') if "/schemas/ids/" in path else (status, body)

    visit = behind(change)
    assert {word for word, _ in visit.found} == {"registry.id"} and len(visit.found) == 4


def test_clocks_that_differ(behind):
    def change(path, status, headers, body):
        headers["Date"] = "Sun, 06 Nov 1994 08:49:37 GMT"
        return status, body

    visit = behind(change)
    assert visit.code == 0 and visit.found == {("clock.skew", "registry.url")}


# ---- rights ----

class Guarded(servers.Kafka):
    """A broker that knows users, and allows them nothing but what is granted. Its other listener is for the test."""

    def write_properties(self):
        self.guarded = servers.free_port()
        super().write_properties()
        text = self.properties.read_text()
        for name in ("listeners", "advertised.listeners"):
            text = re.sub(rf"^{re.escape(name)}=.*", rf"\g<0>,SASL://127.0.0.1:{self.guarded}", text, flags=re.M)
        text = text.replace("CONTROLLER:PLAINTEXT", "CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT")
        text += "\n".join([
            "sasl.enabled.mechanisms=PLAIN",
            'listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_koine="secret";',
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            # Last counts: the stack's broker allows everybody what nobody has rules about.
            "allow.everyone.if.no.acl.found=false",
            # Shorter than koine's own.
            "transaction.max.timeout.ms=20000", ""])
        self.properties.write_text(text)


@pytest.fixture(scope="module")
def guarded(stack, deploy, tmp_path_factory):
    """A koine at a broker that allows it nothing yet."""
    broker = Guarded(tmp_path_factory.mktemp("guarded") / "kafka").start()
    try:
        elsewhere = deploy({"raw.bspk": ("bspk", 2)})
        there = Stack(broker.brokers, stack.registry, stack.classpath)
        there.create({raw: 2 for raw in elsewhere.sources})
        elsewhere.stack = there
        elsewhere.create_outputs()
        elsewhere.kafka = {"bootstrap_servers": f"127.0.0.1:{broker.guarded}", "properties": {
            "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "koine", "sasl.password": "secret"}}
        yield elsewhere
    finally:
        broker.stop()


def examine(guarded, timeout="20s"):
    return doctor(guarded, kafka=guarded.kafka, transaction={"timeout": timeout})


def until(guarded, found):
    """The controller has a right before the broker knows of it."""
    seen = []

    def there():
        seen.append(examine(guarded))
        return seen[-1].found == found

    try:
        wait_for(there, f"{found} found", 30, 0.5)
    except AssertionError:
        raise AssertionError(f"{found} is due, there is {seen[-1].report['findings']}") from None
    return seen[-1]


def right(kind, name, operation, pattern=ResourcePatternType.LITERAL):
    return AclBinding(kind, name, pattern, "User:koine", "*", operation, AclPermissionType.ALLOW)


def rights(guarded):
    """What koine needs, by what is found where it lacks."""
    [raw], outputs, group = guarded.sources, [*guarded.canonical, *guarded.dead], guarded.group
    topics = [raw, *outputs]
    needed = {("acl.read", raw): right(ResourceType.TOPIC, raw, AclOperation.READ),
              ("acl.group", group): right(ResourceType.GROUP, group, AclOperation.READ),
              ("acl.transactional_id", f"{group}-…"): right(ResourceType.TRANSACTIONAL_ID, f"{group}-", AclOperation.WRITE,
                                                          ResourcePatternType.PREFIXED),
              ("brokers.settings_unknown", "kafka.bootstrap_servers"): right(ResourceType.BROKER, "kafka-cluster", AclOperation.DESCRIBE_CONFIGS)}
    needed |= {("acl.write", topic): right(ResourceType.TOPIC, topic, AclOperation.WRITE) for topic in outputs}
    return needed | {("topic.settings_unknown", topic): right(ResourceType.TOPIC, topic, AclOperation.DESCRIBE_CONFIGS) for topic in topics}


def withdraw_all(guarded):
    every = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, "User:koine", None, AclOperation.ANY, AclPermissionType.ANY)
    guarded.stack.withdraw(every)


def test_each_right_that_lacks_is_named(guarded):
    """First nothing is allowed, then all, then all but one."""
    needed = rights(guarded)
    [raw] = guarded.sources
    # Whichever test was here before.
    withdraw_all(guarded)
    words = {("acl.read", raw), ("acl.group", guarded.group), *(("acl.write", topic) for topic in [*guarded.canonical])}
    wait_for(lambda: words <= examine(guarded).found, f"{words} found", 30, 0.5)
    nothing = examine(guarded)
    assert nothing.code == 1
    assert not any(word in ("topic.missing", "source.missing") for word, _ in nothing.found), "who may not see it does not know"
    guarded.stack.grant(list(needed.values()))
    until(guarded, set())
    # One of each kind.
    for finding in {word: (word, place) for word, place in needed}.values():
        guarded.stack.withdraw(exactly(needed[finding]))
        visit = until(guarded, {finding})
        if finding[0].startswith("acl."):
            assert "--allow-principal User:koine" in visit.cure(*finding)
        guarded.stack.grant([needed[finding]])
    until(guarded, set())


def of_the_chart(deployment, folder, template, **strimzi):
    """What helm/koine makes for this koine beside a Strimzi cluster."""
    document = yaml.safe_load(deployment.write_config("chart", servers.free_port()).read_text())
    config = {section: document[section] for section in ("registry", "sources", "topics", "delivery")}
    config["kafka"] = {"bootstrap_servers": document["kafka"]["bootstrap_servers"], "group": deployment.group}
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump({"config": config, "strimzi": {"cluster": "x", **strimzi}}))
    command = [servers.STACK / "helm/helm4", "template", "x", TESTS.parent / "helm/koine", "--values", values, "--show-only", f"templates/{template}"]
    done = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_the_charts_user(guarded, folder):
    """The rules of its KafkaUser."""
    [user] = of_the_chart(guarded, folder, "kafkauser.yaml", user={"enabled": True, "name": "koine"})
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactionalId": ResourceType.TRANSACTIONAL_ID, "cluster": ResourceType.BROKER}
    patterns = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}
    operations = {"Read": AclOperation.READ, "Write": AclOperation.WRITE, "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS}
    return {right(kinds[resource["type"]], resource.get("name", "kafka-cluster"), operations[operation], patterns[resource.get("patternType", "literal")])
            for rule in user["spec"]["authorization"]["acls"]
            for resource in [rule["resource"]] for operation in rule["operations"]}


def test_the_charts_topics_leave_nothing_to_be_found(stack, koine, unique, tmp_path):
    """All of them, with names that are none of Kubernetes' too; no one else has made any."""
    raw = {f"{unique}raw.bspk": "bspk", f"{unique}raw.Big_Shop": "spree"}
    deployment = Deployment(stack, koine, tmp_path, unique, raw, f"{unique}koine")
    deployment.register()
    topics = {"enabled": True, "raw": True, "partitions": 2, "replicas": 1, "minInsyncReplicas": 1}
    made = {topic["spec"]["topicName"]: topic["spec"] for topic in of_the_chart(deployment, tmp_path, "kafkatopics.yaml", topics=topics)}
    assert sorted(made) == sorted([*raw, *deployment.canonical, *deployment.dead])
    for name, spec in made.items():
        stack.create({name: spec["partitions"]}, **{setting: str(value) for setting, value in spec["config"].items()})
    assert doctor(deployment).found == set()
    # It would be, were one of them otherwise.
    stack.configure(deployment.dead[0], "retention.ms", "1000")
    wait_for(lambda: doctor(deployment).found == {("topic.dead_letter_retention", deployment.dead[0])}, "a retention that is too short is found", 30, 0.5)


def test_the_charts_user_has_these_rights_and_koine_needs_no_more(guarded, tmp_path):
    """Of each of them the test above shows that it is missed."""
    rules = of_the_charts_user(guarded, tmp_path)
    assert rules == set(rights(guarded).values())
    withdraw_all(guarded)
    guarded.stack.grant(list(rules))
    until(guarded, set())
    properties = {f"KOINE__KAFKA__PROPERTIES__{name.replace('.', '_').upper()}": value for name, value in guarded.kafka["properties"].items()}
    [raw] = guarded.sources
    guarded.stack.produce(raw, Bulk("bspk").take(100))
    with guarded.process(KOINE__KAFKA__BOOTSTRAP_SERVERS=guarded.kafka["bootstrap_servers"], KOINE__TRANSACTION__TIMEOUT="20s", **properties) as koine:
        guarded.wait_consumed()
        assert koine.total("consumed") == 100
        koine.stop()


def test_a_transaction_longer_than_the_broker_allows(guarded):
    guarded.stack.grant(list(rights(guarded).values()))
    until(guarded, set())
    visit = examine(guarded, timeout="30s")
    assert visit.found == {("transaction.timeout", "transaction.timeout")}
    assert "20000ms" in visit.cure("transaction.timeout", "transaction.timeout")
    assert examine(guarded, timeout="20s").found == set()


def test_every_finding_is_provoked():
    """But those that are said to be provoked elsewhere."""
    table = (TESTS.parent / "docs" / "doctor.md").read_text()
    all_of_them = set(re.findall(r"^\| `([a-z_.]+)` \|", table, flags=re.M))
    # Not where they are only listed.
    here = re.sub(r"^(?:ELSEWHERE|ALWAYS) = \{.*\}$", "", open(__file__).read(), flags=re.M)
    assert all(len(re.findall(rf"^{table} = ", here, re.M)) == 0 for table in ("ELSEWHERE", "ALWAYS"))
    assert {word for word in all_of_them if f'"{word}"' in here} == all_of_them - ELSEWHERE - ALWAYS and ELSEWHERE | ALWAYS < all_of_them
    # What is always so has the healthy deployment above.
    elsewhere = (TESTS.parent / "src/doctor/tests.rs").read_text()
    assert {word for word in ELSEWHERE if f'"{word}"' not in elsewhere} == set()
