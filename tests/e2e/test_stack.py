"""The stack and the helpers themselves, without koine: a wrong helper would make every other test worthless."""
import datetime
import decimal
import io
import json

import fastavro
import pytest
from confluent_kafka import IsolationLevel, Producer
from confluent_kafka.schema_registry import Schema

from support import at, normalise, MISSING

pytestmark = pytest.mark.timeout(120)

SCHEMA = {"type": "record", "name": "Probe", "namespace": "koine.test", "fields": [
    {"name": "id", "type": "string"},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}},
    {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "UNKNOWN"]}},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
        {"name": "quantity", "type": ["null", "long"]}]}}},
    {"name": "extensions", "type": {"type": "map", "values": "string"}}]}


def probe(number, amount):
    return {"id": f"ü-{number}", "amount": decimal.Decimal(amount), "kind": "A", "lines": [{"quantity": number}, {"quantity": None}],
            "at": datetime.datetime(2024, 2, 29, 23, 59, 59, number, tzinfo=datetime.timezone.utc) if number else None,
            "day": datetime.date(1969, 12, 31), "extensions": {"/a.b": "\"x\"", "": "{}"}}


def test_transactional_avro_reads_the_same_everywhere(stack, unique):
    """A registered schema, committed and aborted transactional records: three decoders see the committed ones, alike."""
    topic = unique + "probe"
    stack.create({topic: 3})
    number = stack.client.register_schema(topic + "-value", Schema(json.dumps(SCHEMA), "AVRO"))
    amounts = ["0", "-0.000000001", "99.99", "12345678901234567890123456789.123456789", "1E+3"]
    producer = Producer({"bootstrap.servers": stack.brokers, "transactional.id": unique + "tx", "partitioner": "murmur2_random"})
    producer.init_transactions(30)
    for committed in (True, False, True):
        producer.begin_transaction()
        for i, amount in enumerate(amounts):
            body = io.BytesIO()
            with decimal.localcontext(prec=50):
                fastavro.schemaless_writer(body, fastavro.parse_schema(SCHEMA), probe(i, amount))
            producer.produce(topic, key=f"key:{i}", value=b"\0" + number.to_bytes(4, "big") + body.getvalue(), timestamp=1_700_000_000_000 + i)
        producer.flush(30)
        if committed:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    records = stack.read([topic])
    assert len(records) == 2 * len(amounts)
    java = stack.java_read([topic])
    assert java.keys() == {(r.topic, r.partition, r.offset) for r in records}
    expected = {"ü-0": "0", "ü-1": "-0.000000001", "ü-2": "99.99", "ü-3": amounts[3], "ü-4": "1000"}
    for record in records:
        line = java[record.topic, record.partition, record.offset]
        assert line["json"] == record.event
        assert (line["key"], line["timestamp"], line["schema_id"]) == (record.key.decode(), record.timestamp, number)
        assert line["murmur2_partition"] == record.partition
        assert record.event["amount"] == expected[record.event["id"]]
    assert next(r.event for r in records if r.event["id"] == "ü-1")["at"] == "2024-02-29T23:59:59.000001Z"


def test_an_open_transaction_is_seen(stack, unique):
    topic = unique + "open"
    stack.create({topic: 1})
    producer = Producer({"bootstrap.servers": stack.brokers, "transactional.id": unique + "tx"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value=b"x")
    producer.flush(30)
    assert stack.open_transactions([topic]) == [(topic, 0)]
    assert stack.ends([topic], IsolationLevel.READ_COMMITTED) == {(topic, 0): 0}
    producer.abort_transaction(30)
    stack.settled([topic])
    assert stack.read([topic], decode=None) == []


def test_raw_records_keep_their_form(stack, unique):
    """Null is not empty, headers repeat and keep their order, binary is binary."""
    topic = unique + "raw"
    stack.create({topic: 2})
    headers = [("a", b"1"), ("bin", bytes(range(256))), ("a", b"2"), ("null", None), ("empty", b"")]
    wanted = [
        {"key": b"k", "value": b"v", "headers": headers, "timestamp": 1_600_000_000_001, "partition": 1},
        {"key": None, "value": None, "headers": [], "timestamp": 1_600_000_000_002, "partition": 1},
        {"key": b"", "value": b"", "headers": [("z", b"")], "timestamp": 1_600_000_000_003, "partition": 1},
    ]
    assert stack.produce(topic, wanted) == [(1, 0), (1, 1), (1, 2)]
    got = [{"key": r.key, "value": r.value, "headers": r.headers, "timestamp": r.timestamp, "partition": r.partition}
           for r in stack.read([topic], decode=None)]
    assert got == wanted
    assert stack.ends([topic]) == {(topic, 0): 0, (topic, 1): 3}
    assert not stack.consumed(unique + "nobody", [topic])


def test_normal_forms():
    d = decimal.Decimal
    assert [normalise(d(t)) for t in ("0.000000000", "-0", "100", "1E+2", "99.990000000", "-0.5")] == ["0", "0", "100", "100", "99.99", "-0.5"]
    offset = datetime.timezone(datetime.timedelta(hours=2))
    assert normalise(datetime.datetime(2024, 1, 1, 1, 0, 0, 120000, tzinfo=offset)) == "2023-12-31T23:00:00.12Z"
    assert normalise(datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)) == "0001-01-01T00:00:00Z"
    assert normalise(datetime.date(2024, 2, 29)) == "2024-02-29"


def test_dotted_paths():
    document = {"a": [{"b": None}], "extensions": {"/x.y/0": "1"}}
    assert at(document, "a.0.b") is None
    assert at(document, "extensions./x.y/0") == "1"
    assert at(document, "a.1.b") is MISSING and at(document, "c") is MISSING
