"""Whether what a contestant has written is right: a sample of it, read by fastavro and compared with the webhooks that were sent. It knows
the vendors' bodies by what their pages say, and nothing of koine's code.
"""
import importlib.util
import io
import json
from decimal import Decimal

import fastavro

from world import BENCH, SCHEMA, support

SCHEMA_PARSED = fastavro.parse_schema(json.loads(SCHEMA.read_text()))
# A sample that is smaller proves little, unless there is no more.
ENOUGH = 50


class Wrong(Exception):
    """What is wrong, of which record."""


def claim(condition, what, key):
    if not condition:
        raise Wrong(f"{what} of {key}")


def body(text):
    return json.loads(text, parse_float=Decimal)


def enough(count, raw):
    claim(count >= min(ENOUGH, raw.count), f"only {count} records in the sample", raw.topic)
    return count


def copies(raw, sample, cut):
    sent = raw.bodies({key for _, key, _ in sample})
    for _, key, value in sample:
        claim(any(value == (one[:len(value)] if cut else one) for one in sent[key]), "the copy", key)
    return enough(len(sample), raw)


def orders(world, raw, sample):
    """The order that all peers make is the one that the Python peer makes."""
    spec = importlib.util.spec_from_file_location("peer", BENCH / "peers" / "python" / "peer.py")
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    sent = raw.bodies({key for _, key, _ in sample})
    for _, key, value in sample:
        claim(value[:5] == b"\0" + world.schema_id.to_bytes(4, "big"), "the header", key)
        rest = io.BytesIO(value[5:])
        found = fastavro.schemaless_reader(rest, SCHEMA_PARSED)
        claim(rest.read() == b"", "the end", key)
        claim(any(found == through_avro(peer.translate(json.loads(one))) for one in sent[key]), "the order", key)
    return enough(len(sample), raw)


def through_avro(datum):
    """As a reader sees it: times have a zone, decimals their scale."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA_PARSED, datum)
    out.seek(0)
    return fastavro.schemaless_reader(out, SCHEMA_PARSED)


# ---- koine's events ----

def amount(value):
    return support.normalise(Decimal(value))


def spree(webhook):
    order = webhook["data"]
    return {"id": order["id"], "number": order["number"], "currency": order["currency"], "total": amount(order["total"]), "line_items": [
        {"id": item["id"], "quantity": item["quantity"], "total": amount(item["total"])} for item in order["items"]]}


def composer(webhook):
    order = webhook["contextObject"]["order"]
    return {"id": order["orderNumber"], "number": order["orderNumber"], "currency": order["currency"], "total": amount(order["total"]), "line_items": [
        {"id": item["guid"], "quantity": item["quantity"], "subtotal": amount(item["amount"])} for item in order["lineItems"]]}


def bold(webhook):
    order = webhook["data"]["order"]
    return {"id": order["platform_id"], "number": order["order_number"], "currency": order["currency"], "total": amount(order["total"]), "line_items": [
        {"id": item["platform_id"], "quantity": item["quantity"], "total": amount(item["total"])} for item in order["line_items"]]}


def bspk(webhook):
    cart = webhook["object"]
    return {"id": str(cart["id"]), "line_items": [
        {"id": str(item["id"]), "sku": item["product_variant"]["sku"], "quantity": item["quantity"]} for item in cart["line_items"]]}


EXPECTED = {"spree": spree, "composer": composer, "bold": bold, "bspk": bspk}
# All of whose fields have a canonical place.
WITHOUT_EXTENSIONS = {"bspk"}


def has(found, expected):
    """Whether `found` has all that is expected, and lists as long."""
    if isinstance(expected, dict):
        return all(key in found and has(found[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(has, found, expected))
    return found == expected


def events(world, raw, sample, extensions):
    """The entity's id, number, currency, total and line items are the webhook's; it says where it comes from."""
    decoded = [(key, support.normalise(world.stack.decode_value(value))) for _, key, value in sample]
    sent = raw.bodies({key.rsplit(b":", 1)[1] for key, _ in decoded})
    for key, event in decoded:
        [entity] = event.keys() - {"meta", "extensions"}
        id = key.rsplit(b":", 1)[1]
        expected = [EXPECTED[raw.vendor](body(one)) for one in sent[id]]
        claim(any(has(event[entity], one) for one in expected), f"the {entity}", key)
        source = event["meta"]["source"]
        claim((source["vendor"], source["topic"]) == (raw.vendor, raw.topic), "the source", key)
        claim(bool(event["extensions"]) == (extensions and raw.vendor not in WITHOUT_EXTENSIONS), "extensions", key)
    places = {(event["meta"]["source"]["partition"], event["meta"]["source"]["offset"]) for _, event in decoded}
    claim(len(places) == len(decoded), "a record that is there twice", raw.topic)
    return enough(len(sample), raw)
