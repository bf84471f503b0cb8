"""The chart, rendered by both Helms over all sets of values: what Kubernetes and the operators would take, what the restricted Pod
Security Standard asks, and what the real koine makes of the files and variables that its pods would have. No cluster."""

import json
import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support import (CHART, HELMS, KOINE, ROOT, SETS, Pod, helm, is_selected, leaves, objects_of, of_kind, one, pods, refusals, rendered,
                     template, values_file, workload)

import chart

everywhere = pytest.mark.parametrize("name", HELMS)
in_all = pytest.mark.parametrize("values", SETS)
SECRETS = [setting.key for setting in chart.settings() if setting.is_secret]


# --- what is made, and what is named ---

def test_values_schema_and_readme_are_todays():
    chart.main(bless=False)


def test_chart_readme_and_reference_name_the_same_settings():
    """Not by way of what made them."""
    reference = re.findall(r"^\| `([a-z_.\[\]]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    text = (CHART / "values.yaml").read_text()
    block = text.split("\nconfig:\n")[1].split("# --- the end")[0]
    # Uncommented, the whole block is YAML: keys without a value, and one element of the list.
    plain = re.sub(r"^( *)# (?=( *)(- )?[a-z_]+:$)", r"\1", block, flags=re.M)
    plain = plain.replace("sources: []", "sources:")
    named = leaves(yaml.safe_load(plain))
    sections = {key for key in reference if any(other.startswith((f"{key}.", f"{key}[]")) for other in reference)}
    assert named == [key for key in reference if key not in sections]
    table = re.findall(r"^\| `config\.([a-zA-Z_.\[\]]+)` \|", (CHART / "README.md").read_text(), re.M)
    assert table == reference
    page = (ROOT / "README.md").read_text().split("| section | settings |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [re.findall(r"`([a-z_.\[\]]+)`", cell) for row in page.splitlines() for cell in row.strip("|").split(" | ")]
    front = [f"{section[0]}.{name}" if section else name for section, names in zip(rows[::2], rows[1::2], strict=True) for name in names]
    assert sorted(front) == sorted(key for key in reference if key not in sections)


def test_the_schema_knows_each_value_and_nothing_else():
    schema = json.loads((CHART / "values.schema.json").read_text())

    def names(part, path=""):
        part = schema["definitions"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        part = part.get("items", part) if part.get("type") == "array" and "properties" in part.get("items", {}) else part
        if "properties" not in part or path in ("files", "variables", "extraEnv", "autoscaling.keda.authenticationRef"):
            return [path]
        return [name for key, value in part["properties"].items() for name in names(value, f"{path}.{key}" if path else key)]

    def secretless(path):
        return path.removesuffix("_file") if path in [f"config.{key}_file" for key in SECRETS] else path

    known = {secretless(name).replace("config.sources.", "config.sources[].") for name in names(schema)} - {"global"}
    values = [value.path for value in chart.values()]
    inner = {path for path in values if any(other.startswith((f"{path}.", f"{path}[]")) for other in values)}
    # Free maps have examples in them.
    free = {"resources.requests.cpu": "resources.requests", "resources.requests.memory": "resources.requests",
            "resources.limits.memory": "resources.limits", "dashboard.labels.grafana_dashboard": "dashboard.labels"}
    assert {free.get(path, path) for path in values if path not in inner} == known


def test_the_sets_have_every_setting():
    """So that each is accepted by schema, templates and koine; every-setting has those that can stand together."""
    given = set()
    for values in SETS:
        tree = yaml.safe_load(values_file(values).read_text())
        paths = [*leaves(tree.get("config", {})), *tree.get("files", {}), *tree.get("variables", {})]
        given |= {re.sub(r"^kafka\.properties\..*", "kafka.properties", path.removesuffix("_file") if path.removesuffix("_file") in SECRETS else path)
                  for path in paths}
    every = {setting.key for setting in chart.settings() if "section" not in setting.kind}
    # See test_a_public_key_may_stand_in_config.
    assert every - given == {"dlq.seal.public_key"} and given <= every


# --- what the cluster takes ---

@everywhere
@in_all
def test_lint(name, values):
    done = helm(name, "lint", "--strict", CHART, "--values", values_file(values))
    assert done.returncode == 0, done.stdout + done.stderr


@in_all
def test_both_helms_say_the_same(values):
    """So that what follows asks one of them."""
    def sort(objects):
        return sorted(objects, key=lambda thing: (thing["kind"], thing["metadata"]["name"]))

    assert sort(rendered("helm3", values)) == sort(rendered("helm4", values))


@in_all
def test_objects_are_as_they_are_defined(values):
    found = {(thing["kind"], thing["metadata"]["name"]): refusals(thing) for thing in rendered("helm4", values)}
    assert not {thing: said for thing, said in found.items() if said}
    identities = [(thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in rendered("helm4", values)]
    assert len(identities) == len(set(identities))


def test_an_unknown_field_would_be_noticed():
    """Of the checks themselves: a field too many, and one of another type, in each kind that is rendered."""
    kinds = {}
    for values in SETS:
        kinds |= {(thing["apiVersion"], thing["kind"]): thing for thing in rendered("helm4", values)}
    kinds.pop(("v1", "ConfigMap"))
    kinds.pop(("v1", "ServiceAccount"))
    assert len(kinds) >= 12
    for thing in kinds.values():
        assert refusals({**thing, "spec": {**thing["spec"], "speling": 1}}), thing["kind"]
        assert refusals({**thing, "spec": "text"}), thing["kind"]
        assert refusals({**thing, "metadata": {**thing["metadata"], "lables": {}}}), thing["kind"]
    user = kinds["kafka.strimzi.io/v1", "KafkaUser"]
    rule = {"resource": {"type": "topic", "name": "x"}, "operation": "Read"}
    assert refusals({**user, "spec": {**user["spec"], "authorization": {"type": "simple", "acls": [rule]}}})


@in_all
def test_what_an_object_points_at_is_there(values):
    objects = rendered("helm4", values)
    runs = workload(objects)
    pod = runs["spec"]["template"]
    others = [template for template in pods(objects) if template is not pod]
    assert is_selected(runs["spec"]["selector"], pod)
    budgets = [thing["spec"]["selector"] for thing in of_kind(objects, "PodDisruptionBudget") + of_kind(objects, "PodMonitor")]
    services = [{"matchLabels": thing["spec"]["selector"]} for thing in of_kind(objects, "Service")]
    for selector in budgets + services:
        assert is_selected(selector, pod) and not any(is_selected(selector, other) for other in others)
    policies = [policy["spec"]["podSelector"] for policy in of_kind(objects, "NetworkPolicy")]
    for template in pods(objects) if policies else []:
        assert sum(is_selected(selector, template) for selector in policies) == 1
    accounts = {thing["metadata"]["name"] for thing in of_kind(objects, "ServiceAccount")}
    for template in pods(objects):
        assert template["spec"]["serviceAccountName"] in accounts | ({"commerce"} if values == "own-mounts" else set())
    for scaler in of_kind(objects, "ScaledObject") + of_kind(objects, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"] == {
            "apiVersion": "apps/v1", "kind": runs["kind"], "name": runs["metadata"]["name"]}
        assert "replicas" not in runs["spec"]
    if runs["kind"] == "StatefulSet":
        assert one(objects, "Service")["metadata"]["name"] == runs["spec"]["serviceName"]
    [ports] = [container["ports"] for container in pod["spec"]["containers"]]
    assert [port["name"] for port in ports] == ["http"]


@in_all
def test_hooks_bring_all_they_need(values):
    """Before an install nothing else of the release is there, and before an upgrade only what the last one left."""
    objects = rendered("helm4", values)
    hooks = [thing for thing in objects if "helm.sh/hook" in thing["metadata"].get("annotations", {})]
    for hook in hooks:
        assert hook["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert hook["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    weights = {(hook["kind"], hook["metadata"]["name"]): int(hook["metadata"]["annotations"]["helm.sh/hook-weight"]) for hook in hooks}
    jobs = of_kind(hooks, "Job")
    assert len(jobs) == {"own-mounts": 0, "confluent-cloud": 2, "private-sealed": 2}.get(values, 1)
    for job in jobs:
        name = (job["kind"], job["metadata"]["name"])
        spec = job["spec"]["template"]["spec"]
        needs = [("ServiceAccount", spec["serviceAccountName"])]
        needs += [("ConfigMap", volume["configMap"]["name"]) for volume in spec["volumes"] if "configMap" in volume]
        assert all(weights[need] < weights[name] for need in needs)
        assert values == "oauth" or "kafka" not in json.dumps(spec).replace("kafka.oauth", "")
    if len(jobs) == 2:
        check, register = sorted(jobs, key=lambda job: weights["Job", job["metadata"]["name"]])
        assert [job["spec"]["template"]["spec"]["containers"][0]["args"][1] for job in (check, register)] == ["check", "register"]


# --- what pods may do ---

@in_all
def test_pods_are_restricted(values):
    """The restricted profile of the Pod Security Standards, rule by rule, and what goes beyond it."""
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    templates = pods(rendered("helm4", values))
    assert templates
    for template in templates:
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"].get("runAsUser") != 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert len(volume.keys() & allowed) == 1, volume
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
            assert not context.get("privileged") and context.get("runAsUser") != 0
            assert not any("hostPort" in port for port in container.get("ports", []))
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"} and "memory" in container["resources"]["limits"]
        assert spec["automountServiceAccountToken"] is False
        # Service links would put foreign variables beside koine's.
        assert spec["enableServiceLinks"] is False
    assert all(account["automountServiceAccountToken"] is False for account in of_kind(rendered("helm4", values), "ServiceAccount"))


@in_all
def test_probes_are_as_in_the_contract(values):
    [container] = workload(rendered("helm4", values))["spec"]["template"]["spec"]["containers"]
    paths = {probe: container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")}
    live, ready = ({"path": path, "port": "http"} for path in ("/livez", "/readyz"))
    assert paths == {"livenessProbe": live, "readinessProbe": ready, "startupProbe": live}


@pytest.mark.parametrize("values, seconds", [("defaults", 8 + 22), ("named-hpa", 90 + 22), ("own-mounts", 60), ("every-setting", 2 + 22)])
def test_pods_have_longer_than_the_drain_takes(values, seconds):
    assert workload(rendered("helm4", values))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds


@pytest.mark.parametrize("drain, seconds", [("500ms", 1), ("1500ms", 2), ("8s", 8), ("2m", 120), ("2min", 120), ("10m", 600)])
def test_a_drain_in_any_unit(drain, seconds):
    done = template("helm4", "--values", values_file("defaults"), "--set", f"config.shutdown.drain={drain}")
    assert workload(objects_of(done.stdout))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds + 22


PORTS = {
    "defaults": ({9092}, {8081}),
    "strimzi-scram": ({9093}, {8081}),
    "confluent-cloud": ({9092}, {443}),
    # The brokers' own and two advertised; issuers and registry.
    "oauth": ({9094, 9095, 9096}, {443, 8443, 9443}),
    "private-sealed": ({9092}, {8081}),
}


@pytest.mark.parametrize("values", PORTS)
def test_pods_reach_whom_they_need_and_nobody_else(values):
    objects = rendered("helm4", values)
    brokers, others = PORTS[values]
    rules = {}
    for policy in of_kind(objects, "NetworkPolicy"):
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        is_hook = policy["metadata"]["name"].endswith("-schemas")
        ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        rules[is_hook] = ports - {53, 4317}
        assert 53 in ports
        assert ("ingress" in policy["spec"]) is not is_hook
    assert rules[False] == brokers | others
    # What a hook has to ask is the registry, and its issuer.
    assert rules[True] == others - ({443} if values == "oauth" else set())


def test_who_is_named_is_who_is_reached():
    spec = one(rendered("helm4", "oauth"), "NetworkPolicy", "shop-koine")["spec"]
    to = {frozenset(port["port"] for port in rule["ports"]): [peer["ipBlock"]["cidr"] for peer in rule.get("to", [])] for rule in spec["egress"]}
    assert to[frozenset({9094, 9095, 9096})] == ["192.0.2.0/24"]
    assert to[frozenset({443, 8443, 9443})] == ["198.51.100.0/24"]
    [ingress] = spec["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "http"}] and len(ingress["from"]) == 1


# --- what koine makes of it ---

def certificate():
    """One that signs itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "koine")])
    begin = datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(begin).not_valid_after(begin + timedelta(days=36500)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem).decode(), private.decode()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The address of a registry that has the schemas: the demo's."""
    said = tmp_path_factory.mktemp("demo") / "stderr"
    with open(said, "w") as file:
        process = subprocess.Popen([KOINE, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, env={})
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"^registry +(http://\S+)$", said.read_text(), re.M)):
            assert process.poll() is None and time.monotonic() < until, f"koine demo names no registry: {said.read_text()}"
            time.sleep(0.05)
        yield found[1]
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def contents(demo, tmp_path_factory):
    """What the Secrets and ConfigMaps outside of the chart would hold, by setting and by variable. Each secret is told apart."""
    folder = tmp_path_factory.mktemp("contents")
    made = subprocess.run([KOINE, "dlq", "keygen", "--out", folder / "key"], capture_output=True, text=True, env={}, timeout=30)
    [public] = re.findall(r"koine-public-\S+", made.stdout)
    config = folder / "koine.yaml"
    config.write_text(f"kafka: {{bootstrap_servers: 'kafka:1'}}\nregistry: {{url: '{demo}'}}\n")
    bundle = folder / "schemas.json"
    done = subprocess.run([KOINE, "schemas", "bundle", "--config", config, "--out", bundle], capture_output=True, text=True, env={}, timeout=30)
    assert done.returncode == 0, done.stderr
    cert, key = certificate()
    found = {"registry.bundle": bundle.read_text(), "dlq.seal.public_key_file": public, "registry.key_file": key,
             "kafka.properties.ssl.key.location": key, "/vault/kafka": "canary-kafka", "/vault/registry": "canary-registry"}
    for setting in chart.settings():
        if setting.is_secret:
            found[setting.key] = found[variable(setting.key)] = f"canary-{setting.key}"
        elif setting.kind == "file":
            found.setdefault(setting.key, cert)
    for name in ("ssl.ca.location", "ssl.certificate.location"):
        found[f"kafka.properties.{name}"] = cert
    found["kafka.properties.sasl.password"] = "canary-kafka"
    return found | {"KOINE__KAFKA__PROPERTIES__SASL_PASSWORD": "canary-kafka", "KOINE__KAFKA__PROPERTIES__SASL_USERNAME": "key",
                    "KOINE__REGISTRY__USERNAME": "key", "KOINE__KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
                    "KOINE__REGISTRY__URL": "http://registry:8081"}


def variable(key):
    return "KOINE__" + key.replace(".", "__").upper()


@in_all
def test_koine_takes_the_configuration(values, tmp_path, contents):
    objects = rendered("helm4", values)
    done = Pod(workload(objects)["spec"]["template"], objects, tmp_path, contents).run("--check")
    assert done.returncode == 0, done.stderr
    effective = yaml.safe_load(done.stdout)
    given = yaml.safe_load(values_file(values).read_text()).get("config", {})
    # What was asked for is in effect.
    for path in leaves(given):
        if path.startswith(("sources", "kafka.properties")):
            continue
        asked, found = (tree_at(tree, path) for tree in (given, effective))
        asked = asked.split(",") if path == "kafka.bootstrap_servers" and isinstance(asked, str) else asked
        assert same(asked, found) or path.endswith("_file") or "/etc/koine/files" in str(asked), (path, asked, found)
    assert "canary" not in done.stdout + done.stderr


def tree_at(tree, path):
    for name in path.split("."):
        tree = tree[name]
    return tree


def same(asked, found):
    """Sizes and times are told in their shortest way."""
    if asked == found:
        return True
    units = {"67108864": "64MiB", "3min": "3m"}
    return units.get(str(asked), str(asked)) == str(found)


@in_all
def test_the_pods_variables_and_files_are_settings_of_koine(values, tmp_path, contents):
    """A file that no setting reads, or a variable that none has, would be a secret in vain."""
    objects = rendered("helm4", values)
    pod = Pod(workload(objects)["spec"]["template"], objects, tmp_path, contents)
    asked = yaml.safe_load(values_file(values).read_text())
    config = pod.here("/etc/koine/config/koine.yaml").read_text()
    for setting in asked.get("files", {}):
        assert f"{pod.here('/etc/koine/files')}/{setting}\n" in config, setting
    names = {entry["name"] for entry in pod.container.get("env", [])}
    for setting in asked.get("variables", {}):
        property_of = setting.removeprefix("kafka.properties.")
        due = f"KOINE__KAFKA__PROPERTIES__{property_of.replace('.', '_').upper()}" if property_of != setting else variable(setting)
        assert due in names


def test_each_pod_has_a_name_of_its_own(tmp_path, contents):
    """instance: its own transactional ids; static: its place in the group too."""
    for values, name in (("named-hpa", None), ("strimzi-mtls-static", "commerce.shop-koine-0")):
        objects = rendered("helm4", values)
        runs = workload(objects)
        assert runs["kind"] == "StatefulSet" and runs["spec"]["podManagementPolicy"] == "Parallel"
        folder = tmp_path / values
        done = Pod(runs["spec"]["template"], objects, folder, contents).run("--check")
        effective = yaml.safe_load(done.stdout)
        assert effective["kafka"]["instance"] == "commerce.shop-koine-0"
        assert effective["kafka"]["properties"].get("group.instance.id") == name
    assert workload(rendered("helm4", "defaults"))["kind"] == "Deployment"


@in_all
def test_hooks_ask_the_registry(values, tmp_path, contents, demo):
    """Their own configuration and secrets are enough, with a registry that knows the schemas; without one they fail."""
    objects = rendered("helm4", values)
    for number, job in enumerate(of_kind(objects, "Job")):
        pod = Pod(job["spec"]["template"], objects, tmp_path / str(number), contents)
        config = yaml.safe_load(pod.here("/etc/koine/config/koine.yaml").read_text())
        assert "kafka" not in config and not {"privacy", "dlq", "sources"} & config.keys()
        away = pod.run(KOINE__REGISTRY__URL="http://127.0.0.1:1") if pod.container["args"][1] == "check" else None
        assert away is None or (away.returncode, "the registry could not be asked" in away.stderr) == (70, True), away.stderr
        if not {"ca_file", "cert_file", "oauth"} & config["registry"].keys():
            done = pod.run(KOINE__REGISTRY__URL=demo)
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("-value\t") >= 4


def test_another_configuration_makes_other_pods():
    def checksum(*arguments):
        objects = objects_of(template("helm4", "--values", values_file("defaults"), *arguments).stdout)
        return workload(objects)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum("--set", "replicas=5")
    assert checksum() != checksum("--set", "config.batch.wait=1s")


def test_a_public_key_may_stand_in_config(tmp_path, contents):
    key = contents["dlq.seal.public_key_file"]
    done = template("helm4", "--values", values_file("defaults"), "--set", f"config.dlq.seal.public_key={key}")
    objects = objects_of(done.stdout)
    checked = Pod(workload(objects)["spec"]["template"], objects, tmp_path, contents).run("--check")
    assert checked.returncode == 0 and key in checked.stdout, checked.stderr


# --- secrets ---

# The names of tests in src/config/settings.rs, and what people paste from Java.
SECRET_PROPERTIES = ["sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.client.secret",
                     "sasl.oauthbearer.assertion.private.key.passphrase", "sasl.oauthbearer.config", "sasl.jaas.config", "SASL.Password"]
OPEN_PROPERTIES = ["sasl.username", "ssl.ca.location", "compression.type", "ssl.certificate.pem", "security.protocol"]


@everywhere
@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_has_no_place_in_the_configuration(name, setting):
    done = template(name, "--values", values_file("defaults"), "--set-string", f"config.{setting}=canary")
    parent, _, key = setting.rpartition(".")
    assert done.returncode != 0 and f"additional properties '{key}' not allowed" in done.stderr, done.stderr
    assert f"/config/{parent.replace('.', '/')}" in done.stderr
    # From a ConfigMap neither.
    done = template(name, "--values", values_file("defaults"), "--set", f"files.{dotted(setting)}.configMap=x,files.{dotted(setting)}.key=x")
    assert done.returncode != 0 and f"/files/{setting}" in done.stderr, done.stderr


def dotted(name):
    return name.replace(".", r"\.")


@everywhere
@pytest.mark.parametrize("secret", SECRET_PROPERTIES)
def test_a_secret_of_librdkafkas_has_none_either(name, secret):
    done = template(name, "--values", values_file("defaults"), "--set-string", f"config.kafka.properties.{dotted(secret)}=canary")
    assert done.returncode != 0 and f"config.kafka.properties.{secret} is a secret" in done.stderr, done.stderr
    assert "name that in files or variables" in done.stderr and "canary" not in done.stderr
    setting = f"kafka.properties.{secret.lower()}"
    done = template(name, "--values", values_file("defaults"), "--set", f"files.{dotted(setting)}.configMap=x,files.{dotted(setting)}.key=x")
    assert done.returncode != 0 and f"files.{setting} is a secret" in done.stderr, done.stderr


def test_what_is_no_secret_may_stand_there():
    more = [word for name in OPEN_PROPERTIES for word in ("--set-string", f"config.kafka.properties.{dotted(name)}=x")]
    done = template("helm4", "--values", values_file("defaults"), *more)
    config = yaml.safe_load(one(objects_of(done.stdout), "ConfigMap", "shop-koine")["data"]["koine.yaml"])
    assert sorted(config["kafka"]["properties"]) == sorted(OPEN_PROPERTIES)


@in_all
def test_secrets_are_references(values):
    """Whatever names a secret in a ConfigMap names a file, and whatever has one in a pod refers to a Secret. The chart makes none."""
    objects = rendered("helm4", values)
    assert not of_kind(objects, "Secret")
    for made in of_kind(objects, "ConfigMap"):
        if "koine.yaml" not in made["data"]:
            continue
        config = yaml.safe_load(made["data"]["koine.yaml"])
        properties = config.get("kafka", {}).pop("properties", {})
        paths = [path for path in leaves(config) if re.search(r"password|secret|token|\bkey\b", path.removesuffix("token_url"))]
        assert all(path.endswith("_file") for path in paths), paths
        assert all(key.endswith("_file") for key in properties if re.search("password|secret|token|pem", key))
    for template_ in pods(objects):
        for entry in template_["spec"]["containers"][0].get("env", []):
            if re.search("PASSWORD|SECRET|TOKEN|_KEY$", entry["name"]):
                assert "secretKeyRef" in entry["valueFrom"]
        for volume in template_["spec"]["volumes"]:
            # No one but the process and its group.
            assert volume.get("projected", {}).get("defaultMode", 0o440) == 0o440


def test_what_the_chart_takes_for_a_secret_is_what_the_reference_does():
    """_config.tpl tells a secret from a file by its name."""
    single = [setting for setting in chart.settings() if setting.is_secret or setting.kind == "file"]
    names = {setting.key: f"{setting.name}_file" if setting.is_secret else setting.name for setting in single}
    for setting, name in names.items():
        done = template("helm4", "--values", values_file("defaults"), "--set", f"files.{dotted(setting)}.secret=s,files.{dotted(setting)}.key=k")
        config = yaml.safe_load(one(objects_of(done.stdout), "ConfigMap", "shop-koine")["data"]["koine.yaml"])
        assert tree_at(config, f"{setting.rpartition('.')[0]}.{name}") == f"/etc/koine/files/{setting}"


# --- wrong values ---

REFUSED = {
    # By values.schema.json: where, and what.
    "a setting that there is not": ("config.kafka.bootstrap_server=x:1", "/config/kafka': additional properties 'bootstrap_server' not allowed"),
    "a value that there is not": ("replica=3", "additional properties 'replica' not allowed"),
    "a word that there is not": ("config.delivery=twice", "/config/delivery': value must be one of 'exactly_once', 'at_least_once'"),
    "a time without its unit": ("config.batch.wait=100", "/config/batch/wait': got number, want string"),
    "a time in another unit": ("config.batch.wait=3days", "/config/batch/wait': '3days' does not match pattern"),
    "a size in another unit": ("config.limits.body_bytes=8mib", "/config/limits/body_bytes': '8mib' does not match pattern"),
    "too much": ("config.limits.depth=2000", "/config/limits/depth': maximum: got 2,000, want 1,024"),
    "text for a number": ("config.batch.records=many", "/config/batch/records': got string, want integer"),
    "text for a flag": ("config.topics.create=maybe", "/config/topics/create': got string, want boolean"),
    "workers neither number nor auto": ("config.workers=some", "/config/workers'"),
    "a user in an address": ("config.registry.url=https://me:canary@registry", "/config/registry/url': "),
    "a relative path": ("config.registry.ca_file=ca.pem", "/config/registry/ca_file': 'ca.pem' does not match pattern"),
    "root": ("runAsUser=0", "/runAsUser': minimum: got 0, want 1"),
    "an address of runbooks that is none": ("prometheusRule.runbooks=git.example.com/koine", "/prometheusRule/runbooks': '"),
    "another identity": ("identity=sticky", "/identity': value must be one of 'none', 'instance', 'static'"),
    "a reference without its key": ("files.registry\\.password.secret=x", "/files/registry.password': missing property 'key'"),
    "a file for what is none": ("files.delivery.secret=x,files.delivery.key=x", "/files': additional properties 'delivery' not allowed"),
    "a digest that is none": ("image.digest=latest", "/image/digest': 'latest' does not match pattern"),
    # By the templates: what is wrong between values, and the cure.
    "no brokers": ("config.kafka.bootstrap_servers=", "config.kafka.bootstrap_servers is not set"),
    "killed while it leaves": ("terminationGracePeriodSeconds=10", "it has to be at least 6 s longer"),
    "one name for all": ("config.kafka.instance=x", "two processes with one name fence each other for ever. Set identity: instance"),
    "one member for all": ("config.kafka.properties.group\\.instance\\.id=x", "Set identity: static"),
    "both file and variable": ("files.registry\\.password.secret=x,files.registry\\.password.key=x,variables.registry\\.password.secret=x,"
                               "variables.registry\\.password.key=x", "registry.password is both in files and in variables"),
    "a setting beside config": ("extraEnv[0].name=KOINE__REGISTRY__PASSWORD,extraEnv[0].value=canary", "settings are set in config, and secrets in"),
    "probes that reach nothing": ("config.http.listen=127.0.0.1:9464", "probes and Prometheus have to reach it"),
    "a port that nobody knows": ("config.http.listen=0.0.0.0:0", "probes and Prometheus have to reach it"),
    "scaling without a ceiling": ("autoscaling.kind=keda", "autoscaling.partitions is not set"),
    "more pods than partitions": ("autoscaling.kind=keda,autoscaling.partitions=12,config.workers=4,autoscaling.maxReplicas=4",
                                  "12 partitions by 4 workers in a pod keep 3 pods busy"),
    "more pods at least than at most": ("autoscaling.kind=hpa,autoscaling.partitions=2,autoscaling.minReplicas=3", "there are never more than 2 pods"),
    "as many workers as cores": ("autoscaling.kind=hpa,autoscaling.partitions=2,config.workers=auto", "config.workers is auto"),
    "a login that KEDA has not": ("autoscaling.kind=keda,autoscaling.partitions=2,config.kafka.properties.security\\.protocol=SASL_SSL,"
                                  "config.kafka.properties.sasl\\.mechanism=GSSAPI", "set autoscaling.keda.authenticationRef"),
    "a login without its password": ("autoscaling.kind=keda,autoscaling.partitions=2,config.kafka.properties.security\\.protocol=SASL_SSL,"
                                     "config.kafka.properties.sasl\\.mechanism=PLAIN", "autoscaling.keda needs kafka.properties.sasl.password"),
    "topics of no cluster": ("strimzi.topics.enabled=true", "strimzi.cluster is not set"),
    "dead letters that go first": ("strimzi.cluster=x,strimzi.topics.enabled=true,strimzi.topics.deadLetterRetentionMs=1",
                                   "deadLetterRetentionMs is less than rawRetentionMs"),
    "more in sync than there are": ("strimzi.cluster=x,strimzi.topics.enabled=true,strimzi.topics.replicas=1", "nothing could be written"),
    "a pattern that begins with anything": ("strimzi.cluster=x,strimzi.user.enabled=true,config.sources[0].topics[0]=^.*spree",
                                            "does not say how its topics' names begin"),
    "a pattern of two": ("strimzi.cluster=x,strimzi.user.enabled=true,config.sources[0].topics[0]=^raw\\\\.(a|b)|^other",
                         "does not say how its topics' names begin"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused_with_the_reason(case):
    given, reason = REFUSED[case]
    done = template("helm4", "--values", values_file("defaults"), "--set", given)
    assert done.returncode != 0 and not done.stdout.strip(), done.stdout
    assert reason in done.stderr, done.stderr


@everywhere
def test_what_has_to_be_said(name):
    brokers = ("--set", "config.kafka.bootstrap_servers[0]=kafka:9092")
    for given, reason in (((), "config.kafka.bootstrap_servers is not set"), (brokers, "config.registry.url is not set")):
        done = template(name, *given)
        assert done.returncode != 0 and reason in done.stderr, done.stderr
    assert template(name, *brokers, "--set", "config.registry.url=http://registry:8081").returncode == 0


# --- pods by load ---

def test_keda_scales_by_the_lag_of_the_group_up_to_its_partitions():
    [scaler] = of_kind(rendered("helm4", "strimzi-scram"), "ScaledObject")
    # 24 partitions, two workers in a pod.
    assert (scaler["spec"]["minReplicaCount"], scaler["spec"]["maxReplicaCount"]) == (1, 12)
    [trigger] = scaler["spec"]["triggers"]
    assert trigger["type"] == "kafka" and trigger["metadata"] == {
        "bootstrapServers": "events-kafka-bootstrap.kafka:9093", "consumerGroup": "koine", "lagThreshold": "10000", "offsetResetPolicy": "earliest",
        "allowIdleConsumers": "false", "sasl": "scram_sha512", "tls": "enable"}
    assert of_kind(rendered("helm4", "confluent-cloud"), "ScaledObject")[0]["spec"]["maxReplicaCount"] == 3
    assert of_kind(rendered("helm4", "confluent-cloud"), "ScaledObject")[0]["spec"]["triggers"][0]["metadata"]["lagThreshold"] == "1000000"
    assert of_kind(rendered("helm4", "named-hpa"), "HorizontalPodAutoscaler")[0]["spec"]["maxReplicas"] == 7


def test_keda_logs_in_as_koine_does():
    objects = rendered("helm4", "strimzi-scram")
    login = one(objects, "TriggerAuthentication")["spec"]
    refer = {entry["parameter"]: (entry["name"], entry["key"]) for entry in login["secretTargetRef"]}
    assert refer == {"password": ("shop-koine", "password"), "ca": ("events-cluster-ca-cert", "ca.crt")}
    [user] = login["configMapTargetRef"]
    assert user["parameter"] == "username" and one(objects, "ConfigMap", user["name"])["data"][user["key"]] == "shop-koine"
    login = one(rendered("helm4", "confluent-cloud"), "TriggerAuthentication")["spec"]
    refer = {entry["parameter"]: (entry["name"], entry["key"]) for entry in login["secretTargetRef"]}
    assert refer == {"username": ("confluent", "kafka-key"), "password": ("confluent", "kafka-secret")} and "configMapTargetRef" not in login
    assert not of_kind(rendered("helm4", "oauth"), "TriggerAuthentication")
    [scaler] = of_kind(rendered("helm4", "oauth"), "ScaledObject")
    assert scaler["spec"]["triggers"][0]["authenticationRef"] == {"name": "kafka-oauth", "kind": "ClusterTriggerAuthentication"}


# --- Strimzi ---

def test_topics_are_as_the_doctor_wants_them():
    topics = {found["spec"]["topicName"]: found for found in of_kind(rendered("helm4", "strimzi-scram"), "KafkaTopic")}
    raw = ["raw.spree", "raw.bold", "raw.bspk_v2", "raw.spree.eu.orders"]
    canonical = [f"commerce.{entity}.v1" for entity in ("customer", "cart", "order", "product")]
    letters = [f"dlq.{name}" for name in raw]
    assert sorted(topics) == sorted(raw + canonical + letters)
    for name, found in topics.items():
        config = found["spec"]["config"]
        assert config["cleanup.policy"] == "delete" and config["message.timestamp.type"] == "CreateTime"
        assert config["message.timestamp.before.max.ms"] == 2**63 - 1
        assert found["spec"]["replicas"] == 3 and config["min.insync.replicas"] == 2 and found["spec"]["partitions"] == 12
        assert config["max.message.bytes"] == 8388608 + (16384 if name in letters else 0)
        assert config["retention.ms"] == (1209600000 if name in letters else 604800000)
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert found["metadata"]["labels"]["strimzi.io/cluster"] == "events" and found["metadata"]["namespace"] == "kafka"
    # Only canonical ones and dead letters; names that are none of Kubernetes'.
    topics = of_kind(rendered("helm4", "private-sealed"), "KafkaTopic")
    assert sorted(found["spec"]["topicName"] for found in topics) == sorted(canonical + ["dlq.raw.gateway.Shop_A", "dlq.raw.gateway.Shop-A"])
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", found["metadata"]["name"]) for found in topics)


def rights(values):
    return {(rule["resource"]["type"], rule["resource"].get("patternType"), rule["resource"].get("name")): set(rule["operations"])
            for rule in one(rendered("helm4", values), "KafkaUser")["spec"]["authorization"]["acls"]}


def test_the_user_has_the_rights_that_the_doctor_asks_for_and_no_more():
    canonical = [f"commerce.{entity}.v1" for entity in ("customer", "cart", "order", "product")]
    read, write = {"Read", "DescribeConfigs"}, {"Write", "DescribeConfigs"}
    due = {("topic", "literal", name): read for name in ("raw.spree", "raw.bold", "raw.bspk_v2")}
    due |= {("topic", "prefix", "raw.spree."): read, ("topic", "prefix", "dlq.raw.spree."): write}
    due |= {("topic", "literal", f"dlq.{name}"): write for name in ("raw.spree", "raw.bold", "raw.bspk_v2")}
    due |= {("topic", "literal", name): write for name in canonical}
    due |= {("group", "literal", "koine"): {"Read"}, ("transactionalId", "prefix", "koine-"): {"Write"}, ("cluster", None, None): {"DescribeConfigs"}}
    assert rights("strimzi-scram") == due
    # Topics that it makes itself; no doctor.
    vendors = ("bspk", "spree", "composer", "bold")
    due = {("topic", "literal", f"raw.{vendor}"): {"Read"} for vendor in vendors}
    due |= {("topic", "literal", name): {"Write", "Create"} for name in [*canonical, *(f"dlq.raw.{vendor}" for vendor in vendors)]}
    due |= {("group", "literal", "translator"): {"Read"}, ("transactionalId", "prefix", "translator-"): {"Write"}}
    assert rights("strimzi-mtls-static") == due
    # Without transactions.
    assert not [key for key in rights("named-hpa") if key[0] == "transactionalId"]


@pytest.mark.parametrize("pattern, begins", [
    (r"^raw\.spree\..*", "raw.spree."), (r"^raw\.(a|b)$", "raw."), (r"^raw-x_1*", "raw-x_"), (r"^raw\.ab?c", "raw.a"), (r"^raw\.[ab|]", "raw."),
])
def test_rights_for_a_pattern_are_for_how_its_names_begin(pattern, begins, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text(yaml.safe_dump({"config": {"sources": [{"topics": [pattern]}]}, "strimzi": {"cluster": "x", "user": {"enabled": True}}}))
    done = template("helm4", "--values", values_file("defaults"), "--values", more)
    user = one(objects_of(done.stdout), "KafkaUser")
    names = [rule["resource"]["name"] for rule in user["spec"]["authorization"]["acls"] if rule["resource"].get("patternType") == "prefix"]
    assert names == [begins, f"dlq.{begins}", "koine-"]


def test_koines_own_topics_are_known_here(tmp_path, contents):
    """With no sources and a prefix: the names that koine itself says."""
    more = tmp_path / "more.yaml"
    more.write_text(yaml.safe_dump({"config": {"topics": {"prefix": "eu."}}, "strimzi": {
        "cluster": "x", "topics": {"enabled": True, "raw": True}}}))
    objects = objects_of(template("helm4", "--values", values_file("defaults"), "--values", more).stdout)
    done = Pod(workload(objects)["spec"]["template"], objects, tmp_path, contents).run("--check")
    effective = yaml.safe_load(done.stdout)
    raw = [topic for source in effective["sources"] for topic in source["topics"]]
    canonical = [effective["topics"]["prefix"] + effective["topics"][entity] for entity in ("customer", "cart", "order", "product")]
    letters = [effective["topics"]["dead_letter_prefix"] + topic for topic in raw]
    assert sorted(found["spec"]["topicName"] for found in of_kind(objects, "KafkaTopic")) == sorted(raw + canonical + letters)


# --- alerts, dashboard, notes, package ---

RULES = """# Alerts.
groups:
  - name: koine
    rules:
      - alert: KoineIsSilent
        expr: sum(rate(koine_records_consumed_total[5m])) == 0
        for: 10m
        labels: {severity: page}
        annotations:
          summary: 'Nothing from {{ $labels.topic }} since {{ $value | humanizeDuration }}'
          description: |
            Two
            lines.
"""
BOARD = '{\n  "title": "koine",\n  "panels": [{"legend": "{{vendor}}"}]\n}\n'


@everywhere
def test_alerts_and_dashboard_are_taken_as_they_are(name, tmp_path):
    copy = shutil.copytree(CHART, tmp_path / "koine", ignore=shutil.ignore_patterns("alerts", "dashboards"))
    more = ["--set", "prometheusRule.enabled=true,dashboard.enabled=true", "--values", values_file("defaults")]
    bare = objects_of(template(name, *more, chart=copy).stdout)
    assert not of_kind(bare, "PrometheusRule") and len(of_kind(bare, "ConfigMap")) == 2
    for folder, file, text in (("alerts", "koine.rules.yaml", RULES), ("dashboards", "koine.json", BOARD)):
        (copy / folder).mkdir()
        (copy / folder / file).write_text(text)
    objects = objects_of(template(name, *more, chart=copy).stdout)
    rule = one(objects, "PrometheusRule")
    assert not refusals(rule) and rule["spec"] == yaml.safe_load(RULES)
    board = one(objects, "ConfigMap", "shop-koine-dashboard")
    assert not refusals(board) and board["data"]["koine.json"] == BOARD
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_what_the_tree_has_of_them_is_rendered():
    """Once they are there: each whole, and the rules as the operator takes them."""
    objects = rendered("helm4", "strimzi-scram")
    rules, board = CHART / "alerts/koine.rules.yaml", CHART / "dashboards/koine.json"
    assert [found["spec"] for found in of_kind(objects, "PrometheusRule")] == ([yaml.safe_load(rules.read_text())] if rules.exists() else [])
    boards = [json.loads(found["data"]["koine.json"]) for found in of_kind(objects, "ConfigMap") if "koine.json" in found["data"]]
    assert boards == ([json.loads(board.read_text())] if board.exists() else [])


def test_runbooks_are_where_one_says():
    """Each alert leads to a page that is there, by itself in the tree and by an address where one is given."""
    source = "https://git.example.com/koine/blob/v1/"
    for base in ("", source):
        done = template("helm4", "--values", values_file("strimzi-scram"), "--set", f"prometheusRule.runbooks={base}")
        [rule] = of_kind(objects_of(done.stdout), "PrometheusRule")
        found = [alert["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for alert in group["rules"]]
        pages = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs/runbooks").glob("*.md"))
        assert sorted(found) == [base + page for page in pages]


def test_commands_for_a_pod_are_those_of_the_chart():
    """Whoever is woken at night copies them. They are for a release `koine` with nothing but what has to be said; POD is a pod's name."""
    objects = objects_of(helm("helm4", "template", "koine", CHART, "--values", values_file("defaults")).stdout)
    runs = workload(objects)
    [container] = runs["spec"]["template"]["spec"]["containers"]
    arguments = container["args"]
    config = arguments[arguments.index("--config") + 1]
    # The chart leaves the program to the image.
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    [program] = container.get("command", json.loads(entry))
    told = {"POD", f"{runs['kind'].lower()}/{runs['metadata']['name']}"}
    labels = runs["spec"]["template"]["metadata"]["labels"]
    pages = [ROOT / "README.md", CHART / "README.md", *(ROOT / "docs").rglob("*.md")]
    seen = {page.name: [] for page in pages}
    for page in pages:
        text = page.read_text()
        for command in re.findall(r"kubectl exec[^`\n]*", text):
            found = re.fullmatch(r"kubectl exec (\S+) -- (\S+) .*--config (\S+).*", command)
            assert found and found[1] in told and found.groups()[1:] == (program, config), f"{page.name}: {command}"
            seen[page.name].append(command)
        for selector in re.findall(r"kubectl [^`\n]*-l ([^`\s]+)", text):
            assert dict(label.split("=") for label in selector.split(",")).items() <= labels.items(), f"{page.name}: {selector}"
    # Of those that say what the command is in a pod.
    assert seen["KoineDown.md"] and seen["kubernetes.md"]


@in_all
def test_notes(values):
    """Helm 3 asks a cluster even for this."""
    done = helm("helm4", "install", "shop", CHART, "--dry-run=client", "--namespace", "commerce", "--values", values_file(values))
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("\nNOTES:\n")[1]
    assert workload(rendered("helm4", values))["metadata"]["name"] in notes and "<" not in notes.replace("<no value>", "<"), notes


@everywhere
def test_the_package_renders_as_the_folder_does(name, tmp_path):
    done = helm(name, "package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.glob("koine-*.tgz")
    packed = template(name, "--values", values_file("strimzi-scram"), chart=archive)
    assert objects_of(packed.stdout) == rendered(name, "strimzi-scram")
    listed = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True).stdout
    assert "koine/values.schema.json" in listed and "_test.yaml" not in listed


def test_the_version_is_the_programs():
    told = subprocess.run([KOINE, "--version"], capture_output=True, text=True, check=True, env={}).stdout.split()[1]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == told.split("+")[0]
