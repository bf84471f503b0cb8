"""Helm, the definitions of objects, and a pod's files and variables as the kubelet would lay them. Knows no value of the chart."""

import functools
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHART = ROOT / "helm/koine"
TOOLS = Path(os.environ["KOINE_HELM_TOOLS"])
KOINE = os.environ["KOINE_BIN"]
HELMS = ("helm3", "helm4")
SETS = sorted(path.stem for path in (HERE / "values").glob("*.yaml"))
# The newest that the validator has.
KUBERNETES = "1.37"


def helm(name, *arguments):
    """Nothing of the user's own Helm is looked at, and no cluster."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HELM_CACHE_HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"}
    return subprocess.run([str(TOOLS / name), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=60)


def values_file(name):
    return HERE / "values" / f"{name}.yaml"


def template(name, *arguments, chart=CHART):
    return helm(name, "template", "shop", chart, "--namespace", "commerce", *arguments)


@functools.cache
def rendered(name, values):
    """The objects of a set of values; hooks too."""
    done = template(name, "--values", values_file(values))
    assert done.returncode == 0, done.stderr
    return objects_of(done.stdout)


class UniqueKeys(yaml.CSafeLoader):
    """YAML whose mappings name nothing twice: the API server refuses that, and PyYAML does not."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice in one mapping: {keys}"
        return super().construct_mapping(node, deep)


def objects_of(text):
    return [found for found in yaml.load_all(text, UniqueKeys) if found]


def of_kind(objects, kind):
    return [found for found in objects if found["kind"] == kind]


def one(objects, kind, name=None):
    [found] = [found for found in of_kind(objects, kind) if name in (None, found["metadata"]["name"])]
    return found


def workload(objects):
    [found] = of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet")
    return found


def pods(objects):
    return [found["spec"]["template"] for found in objects if found["kind"] in ("Deployment", "StatefulSet", "Job")]


def is_selected(selector, pod):
    labels = pod["metadata"]["labels"]
    return selector["matchLabels"].items() <= labels.items()


# --- what an object may be ---

@functools.cache
def definitions():
    """(apiVersion, kind) → the schema of a custom resource, closed."""
    found = {}
    for path in (TOOLS / "crds").glob("*.yaml"):
        spec = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = jsonschema.Draft7Validator(closed(schema))
    return found


def closed(schema):
    """As the API server prunes: what a definition does not name is not there. Rules in CEL are not looked at."""
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if not key.startswith("x-") and key not in ("default", "description", "format")}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "properties" in out:
        out["properties"] = {key: closed(value) for key, value in out["properties"].items()}
        if "additionalProperties" not in out and not schema.get("x-kubernetes-preserve-unknown-fields"):
            out["additionalProperties"] = False
    for key in ("items", "additionalProperties", "not"):
        if key in out:
            out[key] = closed(out[key])
    for key in ("allOf", "anyOf", "oneOf"):
        # They say what is required together, and repeat no whole schema.
        if key in out:
            out[key] = [{k: v for k, v in part.items() if k in ("required", "not", "anyOf")} for part in out[key]]
    if schema.get("nullable"):
        out["type"] = [out["type"], "null"]
    return out


def refusals(found):
    """What the API server would say against it."""
    custom = definitions().get((found["apiVersion"], found["kind"]))
    if custom is None:
        try:
            kubernetes_validate.validate(found, KUBERNETES, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            return [str(error)]
        return []
    metadata = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": found["metadata"]}
    return refusals(metadata) + [error.message for error in custom.iter_errors(found)]


# --- a pod on this machine ---

class Pod:
    """Its one container's files, under a folder, and its variables. `secrets` has the content of what is not in the chart, by
    setting, by variable, or by path."""

    def __init__(self, template, objects, folder, contents):
        self.spec, self.folder, self.contents = template["spec"], folder, contents
        [self.container] = self.spec["containers"]
        self.maps = {found["metadata"]["name"]: found["data"] for found in of_kind(objects, "ConfigMap")}
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            assert mount["readOnly"], mount
            for name, text in self.files(volumes.pop(mount["name"]), mount["mountPath"]):
                path = self.here(mount["mountPath"]) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                # The container's paths are this machine's under the folder.
                path.write_text(self.moved(text) if name == "koine.yaml" else text)
        assert not volumes, f"not mounted: {list(volumes)}"

    def here(self, path):
        return self.folder / path.lstrip("/")

    def moved(self, text):
        for mount in self.container["volumeMounts"]:
            text = re.sub(rf"(?<![\w/]){re.escape(mount['mountPath'])}(?=/)", str(self.here(mount["mountPath"])), text)
        return text

    def files(self, volume, at):
        if "configMap" in volume:
            data = self.maps[volume["configMap"]["name"]]
            items = volume["configMap"].get("items") or [{"key": key, "path": key} for key in data]
            return [(item["path"], data[item["key"]]) for item in items]
        if "projected" in volume:
            sources = [source.get("secret") or source["configMap"] for source in volume["projected"]["sources"]]
            return [(item["path"], self.contents[item["path"]]) for source in sources for item in source["items"]]
        # Of another's making.
        return [(path.removeprefix(f"{at}/"), text) for path, text in self.contents.items() if path.startswith(f"{at}/")]

    def variables(self):
        found = {}
        for entry in self.container.get("env", []):
            source = entry.get("valueFrom", {})
            if "secretKeyRef" in source:
                found[entry["name"]] = self.contents[entry["name"]]
            elif "fieldRef" in source:
                found[entry["name"]] = {"metadata.name": "shop-koine-0", "metadata.namespace": "commerce"}[source["fieldRef"]["fieldPath"]]
            else:
                found[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda name: found[name[1]], entry["value"])
        return found

    def run(self, *more, **variables):
        arguments = [self.moved(argument) for argument in self.container["args"]]
        return subprocess.run([KOINE, *arguments, *more], env={**self.variables(), **variables}, capture_output=True, text=True, timeout=60)


def leaves(tree, path=""):
    """Dotted paths of what is no mapping."""
    if isinstance(tree, dict) and tree:
        return [leaf for key, value in tree.items() for leaf in leaves(value, f"{path}.{key}" if path else key)]
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        return [leaf for value in tree for leaf in leaves(value, f"{path}[]")]
    return [path]
