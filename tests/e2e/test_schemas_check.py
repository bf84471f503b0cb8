"""`koine schemas check` against a real registry: what may go, what may not and where, and what only could not be asked.

Needs the release binary, and what `tests/run unit` leaves at KOINE_SCHEMA_MUTATIONS: the table tests/fixtures/schema_mutations.json
with the schemas that come of it.
"""
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from support import CANONICAL, Door, environment, servers

pytestmark = pytest.mark.timeout(120)

# Why they are refused, a few ways. The registry sees what Java sees.
SEEN_BY_ALL = ["text becomes a number", "what must be there may be null", "a list's items become another type",
               "a map's values become another type", "an enum becomes text", "a field that must be there more"]
SEEN_BY_US = ["an amount with other decimals", "an instant becomes a number", "a field's doc is gone", "a tag is gone",
              "a symbol is gone, and the default saves the reader", "a nullable field has another name"]


@pytest.fixture(scope="module")
def rows():
    path = Path(os.environ.get("KOINE_SCHEMA_MUTATIONS") or servers.STACK / "mutations.json")
    assert path.is_file(), f"no {path}: tests/run unit"
    found = {row["name"]: row for row in json.loads(path.read_text())}
    assert len(found) >= 40
    return found


class Subjects:
    """The registry, asked directly."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=body and json.dumps(body).encode(),
                                         headers={"content-type": "application/vnd.schemaregistry.v1+json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def level(self, subject, level):
        assert self.call("PUT", f"/config/{subject}", {"compatibility": level})[0] == 200

    def register(self, subject, schema):
        status, answer = self.call("POST", f"/subjects/{subject}/versions", {"schema": schema, "schemaType": "AVRO"})
        assert status == 200, answer

    def force(self, subject, schema):
        """Whatever the rule says. NONE is no rule to Apicurio: a subject that is not there has none to lose."""
        if self.versions(subject):
            self.level(subject, "NONE")
        self.register(subject, schema)
        self.level(subject, "FULL_TRANSITIVE")

    def versions(self, subject):
        status, answer = self.call("GET", f"/subjects/{subject}/versions")
        return answer if status == 200 else []

    def verdict(self, subject, schema):
        """In the words of the table."""
        path = f"/compatibility/subjects/{subject}/versions?verbose=true"
        status, answer = self.call("POST", path, {"schema": schema, "schemaType": "AVRO"})
        if status == 422:
            return "invalid"
        assert status == 200, answer
        return "compatible" if answer["is_compatible"] else "incompatible"


@dataclass
class Done:
    code: int
    lines: list
    told: str

    def about(self, subject):
        return [columns[1:] for columns in self.lines if columns[0] == subject]


class Deployment:
    """A prefix of its own, and koine's commands under it."""

    def __init__(self, binary, registry, prefix, directory):
        self.binary, self.registry, self.prefix, self.directory = binary, registry, prefix, directory
        self.subjects = [f"{prefix}{topic}-value" for topic in CANONICAL]

    def schemas(self, command, registry=None):
        path = self.directory / "koine.yaml"
        path.write_text(yaml.safe_dump({"registry": {"url": registry or self.registry, "timeout": "5s"}, "topics": {"prefix": self.prefix}}))
        return subprocess.run([self.binary, "schemas", command, "--config", path], env=environment(), cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def register(self):
        done = self.schemas("register")
        assert done.returncode == 0, done.stdout + done.stderr

    def check(self, registry=None):
        done = self.schemas("check", registry)
        return Done(done.returncode, [line.split("\t") for line in done.stdout.splitlines()], done.stdout + done.stderr)


@pytest.fixture
def deployment(stack, koine, unique, tmp_path):
    return Deployment(koine, stack.registry, unique, tmp_path)


@pytest.fixture(scope="module")
def subjects(stack):
    return Subjects(stack.registry)


def test_this_build_may_follow_what_was_released_first(deployment, subjects):
    """The first versions are registered, as a deployment of the first release left them: today's may follow, and do."""
    history = Path(__file__).parents[2] / "avro" / "history"
    for topic, subject in zip(CANONICAL, deployment.subjects):
        subjects.register(subject, (history / topic / "1.avsc").read_text())
        subjects.level(subject, "FULL_TRANSITIVE")
    done = deployment.check()
    assert done.code == 0, done.told
    for subject in deployment.subjects:
        [[word, why]] = done.about(subject)
        assert word == "ok" and "released 1 = registered 1; released 2; the registry agrees, FULL_TRANSITIVE" in why
    deployment.register()
    assert [subjects.versions(subject) for subject in deployment.subjects] == [[1, 2]] * 4
    done = deployment.check()
    assert done.code == 0, done.told
    assert all("released 2 = registered 2" in done.about(subject)[0][1] for subject in deployment.subjects)


def test_what_is_new_or_registered_may_go(deployment, subjects):
    """A line a subject; and asking changes nothing."""
    for registered in ([], [1]):
        done = deployment.check()
        assert done.code == 0, done.told
        assert [columns[:2] for columns in done.lines] == [[subject, "ok"] for subject in deployment.subjects]
        for subject, _, why in done.lines:
            assert ("released 2 = registered 1; the registry agrees, FULL_TRANSITIVE" if registered else "nothing is registered yet") in why
            assert subjects.versions(subject) == registered
        deployment.register()


@pytest.mark.parametrize("name", SEEN_BY_ALL + SEEN_BY_US)
def test_what_must_not_be_there_is_named(deployment, subjects, rows, name):
    """Subject, version and path; and the registry's own verdict where it sees it too."""
    row = rows[name]
    deployment.register()
    subject = f"{deployment.prefix}{row['topic']}-value"
    subjects.force(subject, row["new"])
    done = deployment.check()
    assert done.code == 1, done.told
    expected = [["registered 2 (later than this build's)", path, word] for word, path in row["ours"]]
    if name in SEEN_BY_ALL:
        expected.append(["registry", "-", "registry_refuses"])
    assert sorted(columns[:3] for columns in done.about(subject)) == sorted(expected), done.told
    assert all(columns[3] for columns in done.about(subject))
    others = [other for other in deployment.subjects if other != subject]
    assert [done.about(other)[0][0] for other in others] == ["ok"] * 3
    assert f"{len(expected)} finding" in done.told


def test_what_was_registered_before_is_asked_too(deployment, subjects, rows):
    """Not only the latest: the amount of version 1 had other decimals, and version 2 is this build's own."""
    row = rows["an amount with other decimals"]
    subject = f"{deployment.prefix}{row['topic']}-value"
    subjects.force(subject, row["new"])
    subjects.force(subject, row["old"])
    done = deployment.check()
    assert done.code == 1, done.told
    [[version, path, word, why]] = done.about(subject)
    assert (version, path, word) == ("registered 1", "order.line_items[].unit_price", "decimal_changed")
    assert why.startswith("decimal(38,2) became decimal(38,9)")


@pytest.mark.parametrize("level", ["NONE", "BACKWARD", "FULL"])
def test_another_rule_of_the_subject_is_a_finding(deployment, subjects, level):
    deployment.register()
    subject = deployment.subjects[2]
    subjects.level(subject, level)
    done = deployment.check()
    assert done.code == 1, done.told
    [[version, _, word, why]] = done.about(subject)
    assert (version, word) == ("registry", "registry_level") and f"{level}, not FULL_TRANSITIVE" in why
    # What it is told to do about it mends it.
    deployment.register()
    assert deployment.check().code == 0


def test_the_registry_says_what_java_says(subjects, rows, unique):
    """Every row of the table, in a subject of its own: what Java refuses the registry refuses, and what our rules add to that
    it does not see."""
    wrong = []
    for number, row in enumerate(rows.values()):
        subject = f"{unique}{number}-value"
        subjects.register(subject, row["old"])
        subjects.level(subject, "FULL_TRANSITIVE")
        says = subjects.verdict(subject, row["new"])
        if says != row["java"]:
            wrong.append((row["name"], says, row["java"]))
    assert wrong == []


def test_a_registry_that_is_down_is_not_incompatible(deployment, stack):
    """Shut, then open, then shut: the verdict comes with the answer, and trouble is told as trouble."""
    deployment.register()
    door = Door(int(re.search(r":(\d+)/", stack.registry)[1]))
    behind = re.sub(r":\d+/", f":{door.port}/", stack.registry)
    nobody = re.sub(r":\d+/", f":{servers.free_port()}/", stack.registry)
    try:
        for registry, is_open in ((behind, False), (behind, True), (behind, False), (nobody, False)):
            door.is_open = is_open
            done = deployment.check(registry)
            assert done.code == (0 if is_open else 70), done.told
            assert [columns[1] for columns in done.lines] == ["ok" if is_open else "not known"] * 4
            assert ("the registry could not be asked" in done.told) != is_open
            assert "incompatible" not in done.told and "finding" not in done.told
        # Once for the one question that failed, not once more for each subject.
        assert door.knocks == 2
    finally:
        door.close()
