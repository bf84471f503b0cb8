"""Dead letters: listed by cause, shown, exported, and redriven once, however often and by however many at once.

Everything that is written is read back by an independent consumer (read_committed).
"""
import base64
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from support import dlq_topic, environment

pytestmark = pytest.mark.timeout(400)

RAW = "raw.bspk"
# Three causes; the first is mended by `time_zone` of the source.
ZONELESS, BROKEN, NAMELESS = 4000, 3000, 2900
CAUSES = {"time.invalid": "/object/updated_at", "json.syntax": "", "field.missing": "/object/id"}


def cart(number, zone=""):
    return {"event_name": "cart.created", "object": {"id": number, "note": f"CANARY-{number}", "updated_at": f"2026-01-15T10:00:00{zone}"}}


def value(document):
    return json.dumps(document).encode()


class Letters:
    """A deployment whose raw topic held good webhooks and bad ones, and what `koine run` made of them."""

    def __init__(self, deployment, sent, **settings):
        self.deployment, self.stack, self.settings = deployment, deployment.stack, settings
        self.raw = deployment.prefix + RAW
        self.dead = dlq_topic(deployment.prefix, self.raw)
        self.markers = self.dead + ".redriven"
        self.carts = deployment.prefix + "commerce.cart.v1"
        self.places = self.stack.produce(self.raw, sent)
        self.sent = dict(zip(self.places, sent))
        with_config = deployment.write_config
        deployment.write_config = lambda *arguments: self.merged(with_config(*arguments))
        with deployment.process() as koine:
            deployment.wait_consumed()
            koine.stop()

    def merged(self, path):
        """The configuration file with this test's settings in it."""
        document = yaml.safe_load(path.read_text())
        document.update(self.settings)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def config(self, name, **source):
        """A configuration file; `source`: further settings of the source."""
        path = self.deployment.write_config(name, 1)
        document = yaml.safe_load(path.read_text())
        document["topics"]["create"] = True
        document["sources"][0].update(source)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def command(self, config, *arguments):
        verb, *rest = arguments
        return [self.deployment.binary, "dlq", verb, "--config", config, *map(str, rest)]

    def koine(self, config, *arguments, code=0):
        done = subprocess.run(self.command(config, *arguments), env=environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        assert "CANARY" not in done.stderr
        return done

    def groups(self, config, *arguments):
        done = self.koine(config, *arguments, "--format", "json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def at_once(self, config, *arguments):
        """Two of them at the same time. One may be fenced, and says so; never both by what they did themselves."""
        both = [subprocess.Popen(self.command(config, *arguments), env=environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        ends = [(process.communicate(timeout=180), process.returncode) for process in both]
        for (_, stderr), code in ends:
            assert code == 0 or (code == 1 and "another redrive has taken over" in stderr), (code, stderr)
        assert 0 in [code for _, code in ends], ends
        return [code for _, code in ends]

    def read_dead(self):
        return self.stack.read([self.dead], decode=None)

    def read_markers(self):
        return self.stack.read([self.markers], decode=None)

    def ends(self):
        return {topic: sum(self.stack.ends([topic]).values()) for topic in [self.dead, self.carts, self.markers]}


def headers(record):
    return {name: content.decode() for name, content in record.headers if name.startswith(("koine.", "__dlq."))}


def position(record):
    found = headers(record)
    return (int(found["__dlq.errors.partition"]), int(found["__dlq.errors.offset"]), found.get("koine.event.index"))


@pytest.fixture(scope="module")
def letters(deploy):
    number = iter(range(10**9))
    sent = [{"value": value(cart(next(number)))} for _ in range(ZONELESS - 100)]
    # Lists: of three webhooks one is refused, and the letter is of that one.
    sent += [{"value": value([cart(next(number), "Z"), cart(next(number)), cart(next(number), "Z")])} for _ in range(100)]
    sent += [{"value": value(cart(next(number)))[:-7]} for _ in range(BROKEN)]
    nameless = [cart(next(number), "Z") for _ in range(NAMELESS)]
    for document in nameless:
        del document["object"]["id"]
    sent += [{"value": value(document)} for document in nameless]
    # No value at all: another 100.
    sent += [{"value": None if n % 2 else b""} for n in range(100)]
    sent += [{"value": value(cart(next(number), "Z"))} for _ in range(300)]
    random.Random(5).shuffle(sent)
    for nth, record in enumerate(sent):
        record |= {"key": b"%d" % nth, "partition": nth % 4, "timestamp": 1_700_000_000_000 + nth,
                   "headers": [("koine-shop", b"eu"), ("x-trace", b"%d" % nth), ("traceparent", b"00-aa-bb-01")]}
    return Letters(deploy({RAW: ("bspk", 4)}), sent)


def test_list_counts_by_cause(letters):
    dead = letters.read_dead()
    assert len(dead) == 10_000
    groups = letters.groups(letters.config("list"), "list")
    assert {group["code"]: (group["letters"], group["open"]) for group in groups} == {
        "time.invalid": (ZONELESS, ZONELESS), "json.syntax": (BROKEN, BROKEN),
        "field.missing": (NAMELESS, NAMELESS), "body.empty": (100, 100)}
    for group in groups:
        of_group = [headers(r) for r in dead if headers(r)["koine.error.fingerprint"] == group["fingerprint"]]
        assert len(of_group) == group["letters"]
        # By time and not by text: a fraction may be cut, or be missing where the second is a full one.
        stamps = sorted((found["koine.failed.at"] for found in of_group), key=datetime.fromisoformat)
        assert (group["first"], group["last"]) == (stamps[0], stamps[-1])
        if group["code"] in CAUSES:
            assert group["pointer"] == CAUSES[group["code"]]
    fewer = letters.groups(letters.config("list"), "list", "--code", "json.syntax", "--partition", "1")
    assert [(group["code"], group["letters"]) for group in fewer] == [
        ("json.syntax", sum(r.partition == 1 and headers(r)["koine.error.code"] == "json.syntax" for r in dead))]


def test_show_shows_the_value_only_when_it_is_asked_for(letters):
    config = letters.config("show")
    record = next(r for r in letters.read_dead() if headers(r)["koine.error.code"] == "time.invalid")
    place = f"{record.partition}:{record.offset}"
    text = letters.koine(config, "show", place).stdout
    assert "time.invalid" in text and "/object/updated_at" in text and "CANARY" not in text
    assert "CANARY" in letters.koine(config, "show", place, "--value").stdout
    shown = json.loads(letters.koine(config, "show", place, "--value", "--format", "json").stdout)
    assert base64.b64decode(shown["value"]) == record.value
    assert [(h["name"], h["value"].encode()) for h in shown["headers"]] == record.headers
    assert (shown["raw"]["partition"], shown["raw"]["offset"]) == position(record)[:2]
    lines = letters.koine(config, "show", "--code", "json.syntax", "--limit", "3", "--format", "json").stdout.splitlines()
    assert [(line["code"], "value" in line) for line in map(json.loads, lines)] == [("json.syntax", False)] * 3
    assert "no dead letter" in letters.koine(config, "show", "0:999999999", code=1).stderr
    assert "--code" in letters.koine(config, "show", "--code", "time.wrong", code=2).stderr


def test_a_hundred_capsules_reproduce_with_the_network_off(letters, tmp_path):
    done = letters.koine(letters.config("export"), "export", "--out", tmp_path / "out", "--limit", "20000")
    files = done.stdout.splitlines()
    assert len(files) == 10_000 and not os.stat(files[0]).st_mode & 0o077
    assert shutil.which("unshare"), "unshare (util-linux) takes the network away"
    codes = Counter()
    for path in random.Random(7).sample(files, 100):
        capsule = json.loads(open(path).read())
        assert capsule["schema_ids"].keys() == {"customer", "cart", "order", "product"}
        run = subprocess.run(["unshare", "--map-root-user", "--net", letters.deployment.binary, "translate", "--capsule", path],
                             env={}, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        [line] = map(json.loads, run.stdout.splitlines())
        assert (line["code"], line["pointer"]) == (capsule["refused"]["code"], capsule["refused"]["pointer"]), path
        assert run.stderr.startswith("reproduced:")
        codes[line["code"]] += 1
    assert set(CAUSES) <= set(codes)


def test_redrive_predicts_itself_and_does_nothing_twice(letters):
    stack, before = letters.stack, letters.read_dead()
    first = {position(r): r for r in before}
    assert len(first) == len(before) == 10_000
    events = len(stack.read([letters.carts]))

    # Nothing is mended yet: two at once renew every letter, each once.
    unmended = letters.config("unmended")
    # The topic is made before, so that none of the two finds it half made.
    letters.koine(unmended, "redrive", "--fingerprint", "0000000000000000")
    letters.at_once(unmended, "redrive")
    again = letters.read_dead()[:]
    renewed = [r for r in again if headers(r)["koine.redrive.count"] == "1"]
    assert Counter(map(position, renewed)) == Counter(first.keys())
    assert len(again) == 20_000
    for record in renewed:
        old = first[position(record)]
        assert (record.key, record.value, record.timestamp, record.partition) == (old.key, old.value, old.timestamp, old.partition)
        changed = {"koine.redrive.count", "koine.failed.at"}
        assert [h for h in record.headers if h[0] not in changed] == [h for h in old.headers if h[0] not in changed]
    assert Counter(r.value.split(b" ")[0] for r in letters.read_markers()) == {b"0": 10_000}

    # Once more, and with another filter: nothing is added.
    ends = letters.ends()
    for arguments in (), ("--code", "json.syntax"), ("--vendor", "bspk", "--partition", "0"):
        groups = letters.groups(unmended, "redrive", *arguments)
        assert all(g["event"] == g["ignored"] == g["again"] == 0 for g in groups), groups
    assert letters.ends() == ends

    # One cause is mended: half of it by two at once, the rest as predicted.
    mended = letters.config("mended", time_zone="Europe/Zurich")
    in_first = sum(r.partition == 0 and headers(r)["koine.error.code"] == "time.invalid" for r in before)
    assert 0 < in_first < ZONELESS
    letters.at_once(mended, "redrive", "--partition", "0", "--code", "time.invalid")
    assert len(stack.read([letters.carts])) == events + in_first
    ends = letters.ends()
    predicted = letters.groups(mended, "redrive", "--dry-run")
    assert letters.ends() == ends, "a dry run writes nothing"
    result = letters.groups(mended, "redrive", "--rate", "100000")
    assert result == predicted
    by_code = {group["code"]: group for group in result}
    assert by_code["time.invalid"]["event"] == ZONELESS - in_first
    assert {code: (g["event"], g["again"], g["unchanged"]) for code, g in by_code.items() if code != "time.invalid"} == {
        "json.syntax": (0, 0, BROKEN), "field.missing": (0, 0, NAMELESS), "body.empty": (0, 0, 100)}
    ends = letters.ends()
    letters.at_once(mended, "redrive")
    assert letters.ends() == ends

    # What has come out: every mended webhook once, as if it had never been refused.
    healed = {p for p, r in first.items() if headers(r)["koine.error.code"] == "time.invalid"}
    carts = stack.read([letters.carts])
    sources = Counter((*r.source[1:], r.event["meta"]["source"]["index"]) for r in carts)
    assert set(sources.values()) == {1}, "a webhook twice"
    assert len(carts) == events + len(healed)
    for partition, offset, index in healed:
        assert sources[partition, offset, int(index or 0)] == 1
    for record in carts:
        topic, partition, offset = record.source
        raw = letters.sent[partition, offset]
        assert topic == letters.raw and record.timestamp == raw["timestamp"]
        assert record.event["cart"]["updated_at"] in ("2026-01-15T09:00:00Z", "2026-01-15T10:00:00Z")
        assert record.event["meta"]["source"]["shop"] == "eu" and ("traceparent", b"00-aa-bb-01") in record.headers
    open_ones = {group["code"]: group["open"] for group in letters.groups(mended, "list")}
    assert open_ones == {"time.invalid": 0, "json.syntax": BROKEN, "field.missing": NAMELESS, "body.empty": 100}


def test_a_filter_and_an_allow_list(letters, deploy):
    sent = [{"value": value(cart(n)), "partition": 0, "headers": [("traceparent", b"00-aa-bb-01"), ("koine-shop", b"eu")]} for n in range(20)]
    few = Letters(deploy({RAW: ("bspk", 1)}), sent)
    mended = few.config("mended", time_zone="Europe/Zurich")
    stamps = sorted((headers(r)["koine.failed.at"] for r in few.read_dead()), key=datetime.fromisoformat)
    assert few.groups(mended, "redrive", "--dry-run", "--until", "2020-01-01T00:00:00Z") == []
    assert few.groups(mended, "redrive", "--dry-run", "--since", "2999-01-01T00:00:00Z") == []
    assert few.groups(mended, "redrive", "--dry-run", "--since", stamps[0])[0]["event"] == 20
    assert few.groups(mended, "redrive", "--headers", "x-other")[0]["event"] == 20
    carts = few.stack.read([few.carts])
    assert len(carts) == 20
    for record in carts:
        assert "traceparent" not in dict(record.headers) and record.event["meta"]["source"]["shop"] == "eu"


def test_markers_that_would_be_forgotten_are_refused(letters, deploy, stack):
    few = Letters(deploy({RAW: ("bspk", 2)}), [{"value": b"{", "partition": 0}])
    config = few.config("few")
    document = yaml.safe_load(config.read_text())
    document["topics"]["create"] = False
    config.write_text(yaml.safe_dump(document))
    missing = few.koine(config, "redrive", code=2).stderr
    assert few.markers in missing and "cleanup.policy=compact" in missing and "topics.create" in missing
    stack.create({few.markers: 2})
    forgets = few.koine(config, "redrive", code=2).stderr
    assert "cleanup.policy=delete" in forgets and "--add-config cleanup.policy=compact" in forgets
    assert len(few.read_dead()) == 1


def fates(group):
    return {name: group[name] for name in ("event", "again", "unchanged", "to_try", "done") if group[name]}


def test_what_a_topic_does_not_take_is_tried_and_renewed_once(deploy, stack):
    """Whether the topic takes it now only the topic can tell. What it says once more adds nothing."""
    noise = random.Random(3)
    large = [cart(n, "Z") | {"padding": "".join(noise.choices("0123456789abcdef", k=40_000))} for n in range(3)]
    sent = [{"value": value(document), "partition": 0, "key": b"k"} for document in [cart(9, "Z"), *large]]
    few = Letters(deploy({RAW: ("bspk", 1)}, **{"max.message.bytes": "10000"}), sent)
    assert [headers(r)["koine.error.code"] for r in few.read_dead()] == ["record.too_large"] * 3
    config = few.config("few")

    def redrive(*arguments):
        [group] = few.groups(config, "redrive", *arguments)
        return fates(group)

    assert redrive("--dry-run") == {"to_try": 3}
    assert redrive() == {"again": 3}
    assert [headers(r)["koine.redrive.count"] for r in few.read_dead()] == ["0"] * 3 + ["1"] * 3
    ends = few.ends()
    assert redrive("--dry-run") == {"to_try": 3, "done": 3}
    for _ in range(2):
        assert redrive() == {"unchanged": 3, "done": 3}
        assert few.ends()[few.dead] == ends[few.dead] and len(few.read_markers()) == 3
    # The cure that docs/errors.md names.
    stack.configure(few.carts, "max.message.bytes", "1000000")
    assert redrive() == {"event": 3, "done": 3}
    assert sorted(r.event["cart"]["id"] for r in stack.read([few.carts])) == ["0", "1", "2", "9"]
    assert redrive() == {"done": 6}


def test_a_count_that_a_raw_record_brings_along_hides_no_letter(deploy, stack):
    """Renewed with a count that cannot grow a letter would pass for done. One that no count can be read from begins with 0."""
    brought = {b"4294967295": "4294967295", b"4294967294": "4294967294", b"4294967296": "0", b"many": "0"}
    few = Letters(deploy({RAW: ("bspk", 1)}), [{"value": value(cart(n)), "partition": 0, "headers": [("koine.redrive.count", count)]}
                                               for n, count in enumerate(brought)])
    assert [headers(r)["koine.redrive.count"] for r in few.read_dead()] == list(brought.values())
    unmended, mended = few.config("unmended"), few.config("mended", time_zone="Europe/Zurich")
    # Refused for another cause, which renews what was renewed before.
    mistaken = few.config("mistaken", vendor="spree")

    def redrive(config):
        predicted, found = (sum((Counter(fates(group)) for group in few.groups(config, "redrive", *arguments)), Counter())
                            for arguments in (["--dry-run"], []))
        assert predicted == found
        return found

    def counts():
        return sorted(int(headers(r)["koine.redrive.count"]) for r in few.read_dead())

    most = 4294967295
    # The first was there as often as can be counted; the second was renewed before, by its own account; two are new.
    assert redrive(unmended) == {"again": 2, "unchanged": 2}
    assert redrive(unmended) == {"unchanged": 4, "done": 2}
    assert counts() == [0, 0, 1, 1, most - 1, most]
    assert redrive(mistaken) == {"again": 3, "unchanged": 1, "done": 2}
    assert counts() == [0, 0, 1, 1, 2, 2, most - 1, most, most]
    assert redrive(mistaken) == {"unchanged": 4, "done": 5}
    assert redrive(mended) == {"event": 4, "done": 5}
    assert sorted(r.event["cart"]["id"] for r in stack.read([few.carts])) == ["0", "1", "2", "3"]
    assert redrive(mended) == {"done": 9}


def test_a_bundle_stands_in_for_a_registry_that_is_away(deploy, stack):
    few = Letters(deploy({RAW: ("bspk", 1)}), [{"value": value(cart(n)), "partition": 0} for n in range(5)])
    mended = few.config("mended", time_zone="Europe/Zurich")
    bundle = few.deployment.directory / "bundle.json"
    subprocess.run([few.deployment.binary, "schemas", "bundle", "--out", bundle, "--config", mended], env=environment(), check=True,
                   capture_output=True, timeout=60)
    document = yaml.safe_load(mended.read_text())
    document["registry"] = {"url": "http://127.0.0.1:9/", "timeout": "1s"}
    mended.write_text(yaml.safe_dump(document))
    few.koine(mended, "redrive", code=70)
    assert stack.read([few.carts]) == []
    document["registry"]["bundle"] = str(bundle)
    mended.write_text(yaml.safe_dump(document))
    done = few.koine(mended, "redrive", "--format", "json")
    assert json.loads(done.stdout)["event"] == 5 and "the ids of registry.bundle" in done.stderr
    # By the registry's own ids: whoever reads them finds the schema.
    assert len(stack.read([few.carts])) == 5
    # One that is there has its say first, and another build's or a changed bundle is none.
    bundle.write_text(bundle.read_text()[:-20])
    assert "registry.bundle" in few.koine(mended, "redrive", code=2).stderr


def opened(record, secret):
    """The value of a sealed letter, by another implementation of RFC 9180 than koine's."""
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    found = headers(record)
    place = "/".join(found[f"__dlq.errors.{name}"] for name in ("topic", "partition", "offset"))
    key = base64.urlsafe_b64decode(secret.strip().removeprefix("koine-secret-") + "=")
    return suite.decrypt(record.value, X25519PrivateKey.from_private_bytes(key), info=b"koine dead letter 1\n" + place.encode())


def test_sealed_letters_are_opened_by_the_private_key_and_by_nothing_else(deploy, koine, tmp_path):
    def keygen(name):
        done = subprocess.run([koine, "dlq", "keygen", "--out", tmp_path / name], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and not os.stat(tmp_path / name).st_mode & 0o077
        return done.stdout.strip()

    public, other = keygen("key"), keygen("other")
    assert public != other and (tmp_path / "key").read_text().strip() not in public
    again = subprocess.run([koine, "dlq", "keygen", "--out", tmp_path / "key"], capture_output=True, text=True, timeout=20)
    assert again.returncode == 2, "a key is never written over"

    sent = [{"value": value(cart(n)), "key": b"k%d" % n, "partition": 0} for n in range(20)]
    sent += [{"value": value(cart(n))[:-7], "partition": 0} for n in range(20, 30)] + [{"value": None}, {"value": b""}]
    sealed = Letters(deploy({RAW: ("bspk", 1)}), sent, dlq={"seal": {"public_key": public}})
    dead = sealed.read_dead()
    assert len(dead) == 32
    for record in dead:
        raw = sealed.sent[position(record)[:2]]
        assert record.key == raw.get("key")
        if not raw["value"]:
            assert (record.value, "koine.seal" in headers(record)) == (raw["value"], False)
            continue
        assert b"CANARY" not in record.value and len(record.value) == len(raw["value"]) + 48
        assert headers(record)["koine.seal"].startswith("hpke-x25519-sha256-chacha20poly1305;key=")
        assert opened(record, (tmp_path / "key").read_text()) == raw["value"]

    mended = sealed.config("mended", time_zone="Europe/Zurich")
    key, wrong = ("--key", tmp_path / "key"), ("--key", tmp_path / "other")
    place = f"{dead[0].partition}:{dead[0].offset}"
    assert "CANARY" in sealed.koine(mended, "show", place, "--value", *key).stdout
    for arguments in (), wrong:
        refused = sealed.koine(mended, "show", place, "--value", *arguments, code=1)
        assert "--key" in refused.stderr and "CANARY" not in refused.stdout
        assert "is sealed" in sealed.koine(mended, "export", place, "--out", tmp_path / "none", *arguments, code=1).stderr
        [group] = sealed.groups(mended, "redrive", "--code", "time.invalid", *arguments)
        assert (group["sealed"], group["event"]) == (20, 0)
    [path] = sealed.koine(mended, "export", place, "--out", tmp_path / "out", *key).stdout.splitlines()
    assert base64.b64decode(json.loads(open(path).read())["raw"]["value"]) == sealed.sent[position(dead[0])[:2]]["value"]
    groups = {g["code"]: (g["event"], g["again"]) for g in sealed.groups(mended, "redrive", *key)}
    assert groups == {"time.invalid": (20, 0), "json.syntax": (0, 10), "body.empty": (0, 2)}
    assert len(sealed.stack.read([sealed.carts])) == 20
    renewed = [r for r in sealed.read_dead() if headers(r)["koine.redrive.count"] == "1" and r.value]
    assert len(renewed) == 10
    for record in renewed:
        assert opened(record, (tmp_path / "key").read_text()) == sealed.sent[position(record)[:2]]["value"]

    # Nothing is sealed any more: what was stays so.
    document = yaml.safe_load(mended.read_text())
    del document["dlq"]
    document["sources"][0] |= {"time_zone": "Europe/Paris", "vendor": "spree"}
    mended.write_text(yaml.safe_dump(document))
    [group] = sealed.groups(mended, "redrive", *key, "--code", "json.syntax")
    assert group["again"] + group["unchanged"] == 10
    assert not [r for r in sealed.read_dead() if r.value and b"CANARY" in r.value]


@pytest.mark.timeout(3000)
def test_many_letters_in_bounded_memory(deploy, stack, tmp_path):
    """KOINE_TEST_LETTERS=1000000 for the whole size; what it takes is printed."""
    count = int(os.environ.get("KOINE_TEST_LETTERS", "60000"))
    few = Letters(deploy({RAW: ("bspk", 2)}), [{"value": value(cart(1)), "partition": 0, "key": b"k"}])
    [model] = few.read_dead()
    body = value(cart(1) | {"padding": "x" * 500})

    def letter(nth):
        changed = {"__dlq.errors.offset": b"%d" % (nth // 2 + 1), "__dlq.errors.partition": b"%d" % (nth % 2),
                   # As many causes as a sender can make up.
                   "koine.error.fingerprint": b"%016x" % (nth % 20_000)}
        return {"value": body, "key": b"%d" % nth, "partition": nth % 2, "timestamp": 1_700_000_000_000,
                "headers": [(name, changed.get(name, content)) for name, content in model.headers]}

    for first in range(0, count, 50_000):
        stack.produce(few.dead, [letter(nth) for nth in range(first, min(first + 50_000, count))])
    mended = few.config("mended", time_zone="Europe/Zurich")

    def measured(*arguments):
        process = subprocess.Popen(few.command(mended, *arguments, "--format", "json"), env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=open(tmp_path / "lines", "w"), stderr=subprocess.DEVNULL, text=True)
        # The kernel's own high-water mark, asked for while there is one: what wait4 tells begins with this process's size.
        highest = 0
        while process.poll() is None:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            highest = max(highest, int(found[1]) // 1024 if found else 0)
            time.sleep(0.01)
        assert process.returncode == 0 and highest > 0
        print(f"{count} letters: {' '.join(arguments)}: {highest} MiB")
        return [json.loads(line) for line in open(tmp_path / "lines")], highest

    lines, listing = measured("list")
    assert sum(line["letters"] for line in lines) == count + 1 and len(lines) == 10_001
    lines, predicting = measured("redrive", "--dry-run")
    assert sum(line["event"] for line in lines) == count + 1
    lines, redriving = measured("redrive")
    assert sum(line["event"] for line in lines) == count + 1
    lines, again = measured("redrive")
    assert sum(line["done"] for line in lines) == count + 1 and sum(line["event"] for line in lines) == 0
    # The letters alone are 1.5 KB each. What a million takes is in docs/dead-letters.md.
    assert max(listing, predicting, redriving, again) < 300
