"""Fills fuzz/corpus/<target> from the fixtures and the page of settings, so that no body is checked in twice.

What a run has found stays beside it: files are named by their content, and none is deleted.
"""
import base64
import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
CORPUS = ROOT / "fuzz" / "corpus"
VENDORS = ("bspk", "spree", "composer", "bold")
# libFuzzer is to make many small things, not a few large ones.
LARGEST = 64 * 1024
# As a dead letter has them that is to be dead-lettered again.
EARLIER = (b"__dlq.errors.topic:raw.spree\nkoine.error.code:json.syntax\nkoine.redrive.count:4294967295\nkoine.redrive.count:x\n"
           b"koine.event.index:3\nkoine.value.bytes:7\nauthorization:Bearer x\nX-BSPK-Secret:s\nb:1\nb\nb:\nb:\xff\n")


def put(target, value):
    if len(value) <= LARGEST:
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(value).hexdigest()).write_bytes(value)


def value_of(case):
    if "file" in case:
        return (FIXTURES / "malformed" / case["file"]).read_bytes()
    pieces = case.get("fill", [])
    texts = (p if isinstance(p, str) else "".join(p[0].replace("<n>", str(n)) for n in range(min(p[1], 20))) for p in pieces)
    return "".join(texts).encode()


def lines(headers):
    return b"".join(name.encode() + (b"" if value is None else b":" + value.encode()) + b"\n" for name, value in headers)


def choice(way, vendor):
    """The first byte of an envelope's input: see fuzz/src/record.rs."""
    return bytes([way + 5 * (1 + VENDORS.index(vendor) if vendor in VENDORS else 0)])


def put_in_an_envelope(body, vendor, nth):
    """In one of the ways, by turns: a corpus that is large is read for longer than it is used."""
    text = body.decode()
    event = {"specversion": "1.0", "id": "A-1", "source": "/gate", "type": "t"}
    put("envelope", (
        choice(0, vendor) + b'{"body": ' + body + b"}",
        choice(0, "auto") + json.dumps({"body": text}).encode(),
        choice(1, vendor) + b'{"detail": {"payload": [' + body + b"]}}",
        choice(2, vendor) + json.dumps(text).encode(),
        choice(3, vendor) + json.dumps(event | {"data_base64": base64.b64encode(body).decode()}).encode(),
        choice(4, "auto") + json.dumps(event).encode()[:-1] + b', "data": ' + body + b"}",
    )[nth % 6])


def records():
    for vendor in VENDORS:
        for nth, path in enumerate(sorted((FIXTURES / "bodies" / vendor).glob("*.json"))):
            body = path.read_bytes()
            put(f"body_{vendor}", body)
            put_in_an_envelope(body, vendor, nth)
    for case in json.loads((FIXTURES / "malformed.json").read_text()):
        value, headers = value_of(case), case.get("headers", [])
        vendor = case["topic"].removeprefix("raw.")
        if vendor in VENDORS:
            put(f"body_{vendor}", value)
        elif "source" in case:
            put("envelope", choice(0, "auto") + value)
        else:
            put("envelope", choice(3 if headers else 4, "auto") + value)
        put("headers", lines(headers) + (EARLIER if "headers" not in case else b"") + b"\n" + value[:4096])


def settings():
    page = (ROOT / "docs" / "configuration.md").read_text()
    for sample in re.findall(r"```yaml\n(.*?)```", page, re.S):
        put("config", sample.encode())
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*) \| ([^|]*) \|.*\| `(KOINE__[^`]+)` \|$", page, re.M)
    assert len(rows) > 30, "the page has another form"
    for key, kind, default, variable in rows:
        value = "a-secret-to-be-masked" if kind.strip().startswith("secret") else default.strip().strip("`") or "x"
        way = re.sub(r"\[\]", "", key).split(".")
        nested = "".join("  " * depth + f"{step}:\n" for depth, step in enumerate(way[:-1])) + "  " * (len(way) - 1) + f"{way[-1]}: {value}\n"
        if "[]" in key:
            nested = f"sources:\n  - topics: [raw.x, '^raw\\..*']\n    {way[-1]}: {value}\n"
        put("config", nested.encode())
        put("config", f"delivery: exactly_once\n--env--\n{variable}={value}\n".encode())
    put("config", b"{}\n--env--\nKOINE__KAFKA__PROPERTIES__SASL_PASSWORD=another-secret\nKOINE__REGISTRY__USERNAME=u\n"
                  b"KOINE__REGISTRY__PASSWORD=a-third-secret\n")


records()
settings()
for folder in sorted(CORPUS.iterdir()):
    print(f"{folder.name}: {sum(1 for _ in folder.iterdir())} inputs")
