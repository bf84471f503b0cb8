"""Canaries on the broker: what may not be published is in no canonical record, no header, no log line, no page.

tests/privacy.rs makes the bodies: a text that is unlike any other in every secret, personal and undocumented place.
"""
import datetime
import json
import os
import re
import signal
from pathlib import Path

import pytest

from support import FIXTURES, wait_for

pytestmark = pytest.mark.timeout(240)

CLASSES = ["CONTACT", "BIRTH", "GOVERNMENT_ID", "BUSINESS_ID", "NETWORK", "FREE_TEXT", "PAYMENT", "UNDOCUMENTED"]
RAW = {"raw.bspk": ("bspk", 2), "raw.spree": ("spree", 2), "raw.composer": ("composer", 2), "raw.bold": ("bold", 2)}
OURS = ("__dlq.errors.", "koine.")


def canaries():
    lines = Path(os.environ["KOINE_CANARIES"]).read_text().splitlines()
    assert len(lines) == 1000
    return [json.loads(line) for line in lines]


def broken(body):
    """The same webhook with something wrong that its own canaries stand beside: cut off, and with a list for a text."""
    yield body[:-1]
    document = json.loads(body)
    for entity in (document.get("data"), document.get("object"), document.get("contextObject")):
        for value in [entity, *(entity.values() if isinstance(entity, dict) else [])]:
            if isinstance(value, dict) and "id" in value:
                value["id"] = [value["id"], value.get("email")]
    yield json.dumps(document)


@pytest.mark.parametrize("treatment", ["pass", "drop"])
def test_what_may_not_be_published_is_nowhere(stack, deploy, treatment):
    bodies = canaries()
    forbidden = {canary for body in bodies for canary in body["secrets"]}
    if treatment == "drop":
        forbidden |= {canary for body in bodies for canary in body["personal"] + body["names"]}
    forbidden = {canary.encode() for canary in forbidden}
    deployment = deploy(RAW)
    topics = {vendor: topic for topic, vendor in deployment.sources.items()}
    values = {topic: [] for topic in deployment.sources}
    for body in bodies:
        values[topics[body["vendor"]]] += [body["body"], *broken(body["body"])]
    for topic, some in values.items():
        headers = [("x-bspk-secret", b"ZSECRETZheaderQ"), ("authorization", b"ZSECRETZheaderQ")]
        stack.produce(topic, [{"value": value.encode(), "headers": headers, "partition": n % 2} for n, value in enumerate(some)])
    forbidden.add(b"ZSECRETZheaderQ")
    settings = {f"KOINE__PRIVACY__{name}": treatment for name in CLASSES} | {"KOINE__LOG__LEVEL": "trace"}
    with deployment.process(**settings) as koine:
        deployment.wait_consumed(120)
        pages = [koine.get(page)[1] for page in ("/metrics", "/drift", "/breakers", "/version", "/livez", "/readyz")]
        koine.stop()
        log = koine.output()
    events = stack.read(deployment.canonical)
    letters = stack.read(deployment.dead, decode=None)
    assert len(events) > 900 and len(letters) > 1000
    assert " TRACE " in log or "\"TRACE\"" in log, "nothing was logged at the level that says most"

    def found(text):
        # One pass over the text for all of them: they look alike.
        return {word for word in forbidden if word in text} if b"ZSECRETZ" in text or b"ZPERSONZ" in text or b"ZNAMEZ" in text else set()

    wrong = {}
    for record in events:
        text = record.key + record.value + json.dumps(record.event, ensure_ascii=False).encode() + repr(record.headers).encode()
        wrong |= {word: (record.topic, record.source) for word in found(text)}
    for letter in letters:
        text = repr([header for header in letter.headers if header[0].startswith(OURS)]).encode()
        wrong |= {word: (letter.topic, letter.partition, letter.offset) for word in found(text)}
        assert b"ZSECRETZheaderQ" not in repr(letter.headers).encode()
    wrong |= {word: "log" for word in found(log.encode())}
    wrong |= {word: "pages" for word in found("".join(pages).encode())}
    assert wrong == {}
    # They would have been seen.
    seen = b"".join(record.value for record in events)
    assert (b"ZPERSONZ" in seen) == (treatment == "pass")


def test_what_a_header_says_goes_where_the_contract_says_and_nowhere_else(stack, deploy):
    """Senders can write anything into the headers that koine reads. A shop is in the key, in `meta.source` and in `ce_source`, an event's
    id in `meta.source`, and an event type that nobody knows, if it has the form of one, in `koine.event.type` and on the page /drift."""
    shop, event_id, vendor, shape, text = (f"ZHEADERZ{word}Q" for word in ("shop", "id", "vendor", "type", "text"))
    text = f"{text} of nobody's"
    good = {"bspk": "cart.created", "spree": "order.completed", "composer": "CUSTOMER_UPDATED", "bold": "order.saved"}
    deployment = deploy({raw: ("auto", 1) for raw in RAW})
    raws = {name: raw for raw in deployment.sources for name in good if raw.endswith(f"raw.{name}")}
    sent = {}
    for name, body in good.items():
        value = (FIXTURES / "bodies" / name / f"{body}.json").read_bytes().strip()
        both = [("koine-shop", shop.encode()), ("koine-event-id", event_id.encode())]
        records = [(value, both), (value[:-1], [*both, ("koine-event-type", shape.encode())]), (value, [*both, ("koine-vendor", vendor.encode())])]
        records += [(value, [*both, ("koine-event-type", kind.encode())]) for kind in (shape, text)]
        # Without a type of its own, where the vendor's body has one.
        document = json.loads(value)
        named = {"event_name", "name", "eventType"} & document.keys()
        records += [(json.dumps({key: part for key, part in document.items() if key not in named}).encode(),
                     [*both, ("koine-vendor", name.encode()), ("koine-event-type", kind.encode())]) for kind in (shape, text)]
        places = stack.produce(raws[name], [{"value": value, "headers": headers} for value, headers in records])
        sent |= {(raws[name], *place): headers for place, (_, headers) in zip(places, records)}
    with deployment.process(KOINE__LOG__LEVEL="trace") as koine:
        deployment.wait_consumed()
        pages = {page: koine.get(page)[1] for page in ("/metrics", "/drift", "/breakers", "/version", "/livez", "/readyz")}
        koine.stop()
        log = koine.output()
    pages["/drift"] = pages["/drift"].replace(f'"event_type":"{shape}"', "")
    assert [place for place, page in {**pages, "log": log}.items() if "ZHEADERZ" in page] == []
    assert " TRACE " in log or "\"TRACE\"" in log

    events = stack.read(deployment.canonical)
    assert {record.event["meta"]["source"]["vendor"] for record in events} == good.keys()
    for record in events:
        source = record.event["meta"]["source"]
        # Spree's bodies have an id of their own.
        assert source["shop"] == shop and (source["event_id"] == event_id or source["vendor"] == "spree"), source
        del source["shop"], source["event_id"]
        headers = dict(record.headers)
        assert headers.pop("ce_source").decode() == f"/koine/{source['vendor']}/{shop}"
        assert record.key.decode().split(":")[:2] == [source["vendor"], shop]
        rest = json.dumps(record.event).replace(f"{source['vendor']}:{shop}:", "")
        assert "ZHEADERZ" not in rest + repr(headers), record.source

    letters = stack.read(deployment.dead, decode=None)
    codes = {dict(letter.headers)["koine.error.code"].decode() for letter in letters}
    assert len(events) + len(letters) == len(sent)
    assert codes >= {"json.syntax", "envelope.unknown_vendor", "envelope.conflict", "event.unknown"}, codes
    kinds = set()
    for letter in letters:
        ours = {name: value for name, value in letter.headers if name.startswith(OURS)}
        kinds.add(ours.pop("koine.event.type", b"").decode())
        assert "ZHEADERZ" not in repr(ours), ours
        # Its own headers are as they came.
        place = (ours["__dlq.errors.topic"].decode(), int(ours["__dlq.errors.partition"]), int(ours["__dlq.errors.offset"]))
        assert [header for header in letter.headers if not header[0].startswith(OURS)] == sent[place]
    assert {kind for kind in kinds if "ZHEADERZ" in kind} == {shape} and "_other" in kinds, kinds


def no_key_twice(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), f"a key twice: {[key for key, _ in pairs]}"
    return dict(pairs)


def test_lines_as_json_are_json_and_hold_no_value(stack, deploy):
    """Every line, at the level that says most, while webhooks are translated and refused and the configuration is read again."""
    bodies = canaries()[::4]
    deployment = deploy(RAW)
    deployment.more = {"log": {"format": "json", "level": "trace"}, "registry": {"check_every": "500ms"}}
    topics = {vendor: topic for topic, vendor in deployment.sources.items()}
    for vendor, topic in topics.items():
        values = [value for body in bodies if body["vendor"] == vendor for value in (body["body"], *broken(body["body"]))]
        headers = [("authorization", b"ZSECRETZheaderQ")]
        stack.produce(topic, [{"value": value.encode(), "key": value[:40].encode(), "headers": headers, "partition": n % 2}
                              for n, value in enumerate(values)])
    with deployment.process() as koine:
        deployment.wait_consumed(120)
        # A mistake is a line too, and quotes nothing.
        file = Path(koine.config_file)
        good = file.read_text()
        file.write_text(good + "\nzebra: ZSECRETZmistakeQ\n")
        koine.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the configuration has a mistake" in koine.output(), "the mistake is told", 30)
        file.write_text(good)
        koine.stop()
        log = koine.output()
    lines = [json.loads(line, object_pairs_hook=no_key_twice) for line in log.splitlines()]
    assert {line["level"] for line in lines} >= {"TRACE", "DEBUG", "INFO", "ERROR"}
    for line in lines:
        assert line["level"] in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR") and line["target"], line
        assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is not None
        assert isinstance(line["message"], str) and line["message"], line
    forbidden = {canary for body in bodies for canary in body["secrets"] + body["personal"] + body["names"]}
    marks = ("ZSECRETZ", "ZPERSONZ", "ZNAMEZ")
    # Birth dates cannot bear a mark.
    dates = {canary for canary in forbidden if not any(mark in canary for mark in marks)}
    assert len(forbidden) > 1000 and all(re.fullmatch(r"19\d\d-\d\d-\d\d", date) for date in dates)
    # As it stands there, and as a reader of JSON sees it.
    seen = log + json.dumps(lines, ensure_ascii=False)
    assert [word for word in (*marks, *dates) if word in seen] == []
    # They were there to be told.
    letters = stack.read(deployment.dead, decode=None)
    assert len(letters) > 200 and any(b"ZSECRETZ" in (letter.value or b"") for letter in letters)
