"""Canaries on the broker: what may not be published is in no canonical record, no header, no log line, no page.

tests/privacy.rs makes the bodies: a text that is unlike any other in every secret, personal and undocumented place.
"""
import json
import os
from pathlib import Path

import pytest

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
