"""Every way in, to a real broker whose listeners ask who is there and to a real registry behind nginx: the right credentials
get records through, wrong ones get one error that names the setting, secrets that change are followed, and none is shown.
"""
import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml
from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

import support
from security import PASSWORD, Authority, Issuer, Nginx, SecureKafka
from support import Bulk, environment, servers, wait_for

pytestmark = pytest.mark.timeout(300)

WAITS_FOR_NOBODY = 90


class World:
    def __init__(self, directory, registry):
        self.directory = directory
        self.authority = Authority(directory / "ca")
        self.stranger = Authority(directory / "stranger", "somebody-else")
        self.issuer = Issuer(directory)
        self.kafka = SecureKafka(directory / "kafka", self.authority, f"{self.issuer.base}/jwks").start()
        self.nginx = Nginx(directory / "nginx", self.authority, registry, self.issuer)
        self.stack = support.Stack(self.kafka.brokers, registry, servers.CLASSPATH)
        self.client = self.authority.issue("koine")
        self.impostor = self.stranger.issue("koine")

    def stop(self):
        self.nginx.stop()
        self.kafka.stop()
        self.issuer.close()


@pytest.fixture(scope="module")
def world(stack, tmp_path_factory):
    world = World(tmp_path_factory.mktemp("security"), stack.registry)
    yield world
    world.stop()


@pytest.fixture
def deployment(world, koine, tmp_path, unique):
    raw = f"{unique}raw.bspk"
    world.stack.create({raw: 1})
    made = support.Deployment(world.stack, koine, tmp_path, unique, {raw: "bspk"}, f"{unique}koine")
    made.create_outputs(canonical=1, dead=1)
    made.register()
    return made


def kafka_section(world, way, directory, password=PASSWORD, ca=None, client=None):
    """The section of a way in; the password always comes from a file."""
    secret = directory / "secret"
    secret.write_text(password + "\n")
    ca, (cert, key) = str(ca or world.authority.cert), client or world.client
    sasl = {"sasl.username": "koine", "sasl.password_file": str(secret), "ssl.ca.location": ca, "security.protocol": "SASL_SSL"}
    oauth = {"token_url": f"{world.issuer.base}/token", "client_id": world.issuer.CLIENT, "client_secret_file": str(secret),
             "scope": "kafka"}
    sections = {
        "scram": {"properties": sasl | {"sasl.mechanism": "SCRAM-SHA-512"}},
        "saslplain": {"properties": sasl | {"sasl.mechanism": "PLAIN"}},
        "mtls": {"properties": {"security.protocol": "SSL", "ssl.ca.location": ca, "ssl.certificate.location": str(cert),
                                "ssl.key.location": str(key)}},
        "oauth": {"oauth": oauth, "properties": {"ssl.ca.location": ca}},
    }
    return {"bootstrap_servers": world.kafka.address(way), "instance": None, **sections[way]}


def registry_section(world, way, directory, password=PASSWORD, ca=None, client=None):
    secret = directory / "registry-secret"
    secret.write_text(password + "\n")
    cert, key = client or world.client
    sections = {
        "basic": {"username": "koine", "password_file": str(secret)},
        "bearer": {"bearer_token_file": str(secret)},
        "oidc": {"oauth": {"token_url": f"{world.issuer.base}/token", "client_id": world.issuer.CLIENT, "client_secret_file": str(secret)}},
        "mtls": {"cert_file": str(cert), "key_file": str(key)},
    }
    return {"url": world.nginx.url(way), "ca_file": str(ca or world.authority.cert), "check_every": "300ms", "longest_pause": "1s",
            **sections[way]}


def shown(koine):
    """Everything a koine has said, its pages among it."""
    pages = [koine.get(path)[1] for path in ("/metrics", "/version", "/readyz", "/livez")]
    return koine.output() + "".join(pages)


def assert_hides(text, world):
    basic = [base64.b64encode(f"{user}:{password}".encode()).decode()
             for user in ("koine", world.issuer.CLIENT) for password in (PASSWORD, urllib.parse.quote_plus(PASSWORD))]
    for secret in (PASSWORD, "wrong-secret", *basic, *world.issuer.given):
        assert secret not in text


def works(world, deployment, count=20):
    """koine runs with this configuration, delivers, shows no secret however much it tells, and stops."""
    deployment.stack.produce(next(iter(deployment.sources)), Bulk("bspk").take(count))
    deployment.more = support.merged({"kafka": {"properties": {"debug": "security"}}}, deployment.more)
    with deployment.process(KOINE__LOG__LEVEL="debug,hyper=trace,hyper_util=trace,reqwest=trace") as koine:
        deployment.wait_consumed()
        text = shown(koine)
        koine.stop()
    assert_hides(text + koine.output(), world)
    assert len(deployment.stack.read(deployment.canonical, decode="fastavro")) == count
    assert deployment.stack.read(deployment.dead, decode=None) == []


# ---- Kafka ----

@pytest.mark.parametrize("way", ["scram", "saslplain", "mtls", "oauth"])
def test_every_way_to_the_brokers(world, deployment, way):
    deployment.more = {"kafka": kafka_section(world, way, deployment.directory)}
    works(world, deployment)


WRONG = {
    "scram-password": ("scram", {"password": "wrong-secret"}, "sasl.password"),
    "plain-password": ("saslplain", {"password": "wrong-secret"}, "sasl.password"),
    "oauth-secret": ("oauth", {"password": "wrong-secret"}, "kafka.oauth.client_id and client_secret"),
    "scram-authority": ("scram", {"ca": "stranger"}, "ssl.ca.location"),
    "mtls-authority": ("mtls", {"ca": "stranger"}, "ssl.ca.location"),
    "mtls-certificate": ("mtls", {"client": "impostor"}, "ssl.certificate.location"),
}


@pytest.fixture(scope="module")
def refused(world, koine, tmp_path_factory):
    """All wrong starts side by side, since each takes its time to believe it: {name: process}."""
    made = support.Deployment(world.stack, koine, tmp_path_factory.mktemp("refused"), "refused.", {"refused.raw.bspk": "bspk"}, "refused")
    made.register()
    started = {}
    try:
        for name, (way, wrong, _) in WRONG.items():
            given = {"ca": world.stranger.cert} if "ca" in wrong else {"client": world.impostor} if "client" in wrong else wrong
            made.more = {"kafka": kafka_section(world, way, tmp_path_factory.mktemp(name), **given)}
            started[name] = made.process().start()
        yield started
    finally:
        for process in started.values():
            process.kill()


@pytest.mark.parametrize("name", WRONG)
def test_wrong_credentials_at_start_end_it_with_one_error_that_names_the_setting(world, refused, name):
    koine = refused[name]
    wait_for(lambda: koine.process.poll() is not None, "koine has ended", WAITS_FOR_NOBODY)
    assert koine.process.returncode == 2, koine.output()
    last = koine.output().strip().splitlines()[-1]
    assert last.startswith("koine: ") and WRONG[name][2] in last, koine.output()
    assert len(koine.output().splitlines()) < 25, koine.output()
    assert_hides(koine.output(), world)


ONLY = ("run", "--only", "metafield.*", "--from", "earliest", "--until", "end")


def test_wrong_credentials_end_the_other_commands_too(world, deployment, tmp_path_factory):
    """Side by side, as those that start a translator."""
    started = []
    for command, name in ((ONLY, "scram-password"), (ONLY, "oauth-secret"), (("audit",), "scram-password"), (("dlq", "list"), "scram-password")):
        way, wrong, setting = WRONG[name]
        deployment.more = {"kafka": kafka_section(world, way, tmp_path_factory.mktemp(name), **wrong)}
        path = deployment.write_config(f"wrong-{len(started)}", servers.free_port())
        started.append((command, setting, subprocess.Popen(
            [deployment.binary, *command, "--config", path], env=environment(), cwd=deployment.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
    try:
        for command, setting, process in started:
            said = process.communicate(timeout=WAITS_FOR_NOBODY)[0]
            last = said.strip().splitlines()[-1]
            assert process.returncode == 2 and last.startswith("koine: ") and setting in last, (command, process.returncode, said)
            assert_hides(said, world)
    finally:
        for _, _, process in started:
            process.kill()
            process.wait(10)


def test_a_run_with_only_logs_in_with_a_token(world, deployment):
    """Its clients that nobody polls too: those that ask where to begin and end, and those that count."""
    deployment.more = {"kafka": kafka_section(world, "oauth", deployment.directory)}
    raw = next(iter(deployment.sources))
    sent = [body for name, body in support.bodies("bspk").items()
            if name.startswith("metafield.") and support.expectations("bspk")[name]["outcome"] == "event"]
    deployment.stack.produce(raw, [{"value": body} for body in sent] + Bulk("bspk").take(5))
    path = deployment.write_config("only", servers.free_port())

    def only(*more):
        done = subprocess.run([deployment.binary, *ONLY, *more, "--config", path], env=environment(), cwd=deployment.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        assert_hides(done.stdout + done.stderr, world)
        return done
    assert sum(json.loads(line)["count"] for line in only("--dry-run").stdout.splitlines()) == len(sent) > 0
    assert f"done: {len(sent)} events and 0 dead letters written" in only().stderr
    assert len(deployment.stack.read(deployment.canonical, decode="fastavro")) == len(sent)
    assert "nothing to do" in only().stderr


def test_an_issuer_that_is_away_is_waited_for(world, deployment):
    deployment.more = {"kafka": kafka_section(world, "oauth", deployment.directory)}
    asked = len(world.issuer.asked)
    world.issuer.is_away = True
    deployment.stack.produce(next(iter(deployment.sources)), Bulk("bspk").take(5))
    koine = deployment.process().start()
    try:
        wait_for(lambda: koine.alive() and len(world.issuer.asked) >= asked + 3, "koine asks again", 60)
        assert koine.status("/readyz") == 503
        world.issuer.is_away = False
        koine.wait_ready(90)
        deployment.wait_consumed()
        koine.stop()
    finally:
        world.issuer.is_away = False
        koine.kill()


def test_tokens_are_renewed_before_they_are_over(world, deployment):
    """Tokens live twelve seconds, and the broker ends connections that do not show a new one in time."""
    deployment.more = {"kafka": kafka_section(world, "oauth", deployment.directory)}
    bulk, raw = Bulk("bspk"), next(iter(deployment.sources))
    life, world.issuer.life = world.issuer.life, 12
    try:
        with deployment.process() as koine:
            given = len(world.issuer.given)
            for _ in range(3):
                deployment.stack.produce(raw, bulk.take(10))
                deployment.wait_consumed()
                wait_for(lambda: koine.alive() and len(world.issuer.given) > given, "the next token", 60)
                given = len(world.issuer.given)
            # Once more with a token that the client did not have when it was made.
            deployment.stack.produce(raw, bulk.take(10))
            deployment.wait_consumed()
            assert_hides(shown(koine), world)
            koine.stop()
    finally:
        world.issuer.life = life
    assert len(deployment.stack.read(deployment.canonical, decode="fastavro")) == 40


def test_a_password_that_is_rotated_is_followed(world, deployment):
    """The file first, then the broker: no restart, nothing lost, nothing twice."""
    other = "rotated-" + PASSWORD
    deployment.more = {"kafka": kafka_section(world, "scram", deployment.directory)}
    bulk, raw = Bulk("bspk"), next(iter(deployment.sources))
    with deployment.process() as koine:
        deployment.stack.produce(raw, bulk.take(10))
        deployment.wait_consumed()
        try:
            scram(world, other)
            (deployment.directory / "secret").write_text(other)
            wait_for(lambda: koine.alive() and rebuilt(koine) >= 1, "clients made anew", 60)
            deployment.stack.produce(raw, bulk.take(10))
            deployment.wait_consumed()
            assert koine.alive() and other not in shown(koine)
            koine.stop()
        finally:
            scram(world, PASSWORD)
    assert len(deployment.stack.read(deployment.canonical, decode="fastavro")) == 20


def scram(world, password):
    """Sets the broker's idea of koine's password."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion("koine", info, password.encode())
    for done in world.stack.admin.alter_user_scram_credentials([change]).values():
        done.result(30)


def rebuilt(koine):
    return sum(value for name, labels, value in koine.metrics()
               if name == "koine_rebuilds_total" and labels["reason"] == "credentials")


def test_a_certificate_that_is_renewed_is_followed(world, deployment):
    cert, key = (deployment.directory / name for name in ("client.pem", "client.key"))
    for source, target in zip(world.client, (cert, key)):
        shutil.copy(source, target)
    deployment.more = {"kafka": kafka_section(world, "mtls", deployment.directory, client=(cert, key))}
    bulk, raw = Bulk("bspk"), next(iter(deployment.sources))
    with deployment.process() as koine:
        deployment.stack.produce(raw, bulk.take(10))
        deployment.wait_consumed()
        for source, target in zip(world.authority.issue("koine", "koine-renewed"), (cert, key)):
            beside = target.with_suffix(".new")
            shutil.copy(source, beside)
            os.replace(beside, target)
        wait_for(lambda: koine.alive() and rebuilt(koine) >= 1, "clients made anew", 60)
        deployment.stack.produce(raw, bulk.take(10))
        deployment.wait_consumed()
        koine.stop()
    assert len(deployment.stack.read(deployment.canonical, decode="fastavro")) == 20


# ---- the registry ----

@pytest.mark.parametrize("way", ["basic", "bearer", "oidc", "mtls"])
def test_every_way_to_the_registry(world, deployment, way):
    deployment.more = {"registry": registry_section(world, way, deployment.directory)}
    deployment.registry = world.nginx.url(way)
    before = len(world.nginx.requests())
    works(world, deployment)
    assert len(world.nginx.requests()) > before, "asked elsewhere"


def test_without_credentials_nobody_gets_in(world):
    """The doors are shut at all: else the tests before prove nothing."""
    context = ssl.create_default_context(cafile=world.authority.cert)
    for way, status in (("basic", 401), ("bearer", 401), ("oidc", 401), ("mtls", 400)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(world.nginx.url(way) + "/subjects", timeout=10, context=context)
        assert refused.value.code == status
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(world.nginx.url("basic") + "/subjects", timeout=10)


@pytest.mark.parametrize("way, wrong, names", [
    ("basic", {"password": "wrong-secret"}, "registry.password"),
    ("bearer", {"password": "wrong-secret"}, "registry.bearer_token"),
    ("oidc", {"password": "wrong-secret"}, "registry.oauth.client_id and client_secret"),
    ("basic", {"ca": "stranger"}, "registry.ca_file"),
    ("mtls", {"client": "impostor"}, "registry.cert_file and registry.key_file"),
], ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else None)
def test_wrong_credentials_for_the_registry_are_said_and_waited_for(world, deployment, way, wrong, names):
    """Rights are granted and tokens issued while koine waits; mending the file is all that is needed."""
    section = registry_section(world, way, deployment.directory)
    if "password" in wrong:
        file = deployment.directory / "registry-secret"
        wrong_text, right_text = b"wrong-secret\n", f"{PASSWORD}\n".encode()
    elif "ca" in wrong:
        file = deployment.directory / "ca.pem"
        section["ca_file"] = str(file)
        wrong_text, right_text = world.stranger.cert.read_bytes(), world.authority.cert.read_bytes()
    else:
        file, key = deployment.directory / "client.pem", deployment.directory / "client.key"
        section |= {"cert_file": str(file), "key_file": str(key)}
        wrong_text, right_text = world.impostor[0].read_bytes(), world.client[0].read_bytes()
        key.write_bytes(world.impostor[1].read_bytes())
    file.write_bytes(wrong_text)
    deployment.more = {"registry": section}
    deployment.registry = world.nginx.url(way)
    deployment.stack.produce(next(iter(deployment.sources)), Bulk("bspk").take(5))
    koine = deployment.process().start()
    try:
        warned = lambda: [line for line in koine.output().splitlines() if "asking again" in line]
        wait_for(lambda: koine.alive() and len(warned()) >= 2, "koine says so", 60)
        assert names in warned()[0], koine.output()
        assert koine.status("/readyz") == 503 and koine.status("/livez") == 200
        if "client" in wrong:
            key.write_bytes(world.client[1].read_bytes())
        file.write_bytes(right_text)
        koine.wait_ready(60)
        deployment.wait_consumed()
        assert_hides(shown(koine), world)
        koine.stop()
    finally:
        koine.kill()


def test_a_token_that_the_registry_does_not_take_any_more_is_replaced(world, deployment):
    """Revoked long before its time: the next question gets a 401, a new token, and its answer; nobody notices."""
    deployment.more = {"registry": registry_section(world, "oidc", deployment.directory)}
    deployment.registry = world.nginx.url("oidc")
    with deployment.process() as koine:
        given = len(world.issuer.given)
        world.issuer.revoked.update(world.issuer.given)
        wait_for(lambda: koine.alive() and len(world.issuer.given) > given, "another token", 60)
        before = len(world.nginx.requests())
        wait_for(lambda: koine.alive() and len(world.nginx.requests()) > before + 8, "questions with it", 60)
        retries = sum(value for name, labels, value in koine.metrics() if name == "koine_schema_registry_retries_total")
        assert retries == 0 and len(world.issuer.given) == given + 1, koine.output()
        koine.stop()


# ---- what is shown ----

def test_check_masks_every_secret(world, deployment):
    canaries = [f"canary-{number}" for number in range(5)]
    written = {
        "kafka": {"bootstrap_servers": "localhost:1", "properties": {
            "sasl.mechanism": "PLAIN", "security.protocol": "SASL_SSL", "sasl.username": "me", "sasl.password": canaries[0],
            "ssl.key.password": canaries[1], "ssl.keystore.password": canaries[2]}},
        "registry": {"url": "http://localhost:1", "oauth": {
            "token_url": "http://localhost:1", "client_id": "me", "client_secret": canaries[3]}},
    }
    file = deployment.directory / "canary.yaml"
    file.write_text(yaml.safe_dump(written))
    shows = lambda: subprocess.run([deployment.binary, "run", "--check", "--config", file], env=environment(), text=True,
                                   capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    done = shows()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("***") >= 4 and "client_id: me" in done.stdout
    assert not re.search("canary", done.stdout + done.stderr)
    # And when something is wrong with it.
    written["registry"] |= {"username": "me", "password": canaries[4]}
    written["kafka"]["oauth"] = {"token_url": "http://localhost:1", "client_secret": canaries[3]}
    file.write_text(yaml.safe_dump(written))
    done = shows()
    assert done.returncode == 2
    assert "registry.oauth" in done.stderr and "kafka.oauth" in done.stderr
    assert not re.search("canary", done.stdout + done.stderr)
