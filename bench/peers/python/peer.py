#!/usr/bin/env python3
"""Python as a peer of bench/run: confluent-kafka, orjson and fastavro, written the way data teams do it, with dicts. Its `translate` is also
what the other peers' output is compared with.

    peer.py at_least_once|exactly_once      all else comes in BENCH_*
"""
import io
import json
import os
import struct
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

STATES = {state.lower(): state for state in "CART ADDRESS DELIVERY PAYMENT CONFIRM COMPLETE CANCELED RETURNED".split()}


def moment(s):
    return None if s is None else datetime.fromisoformat(s)


def address(a):
    return (
        None
        if a is None
        else {
            "id": a["id"],
            "first_name": a.get("first_name"),
            "last_name": a.get("last_name"),
            "company": a.get("company"),
            "address1": a.get("address1"),
            "address2": a.get("address2"),
            "city": a.get("city"),
            "region": a.get("state_abbr"),
            "postal_code": a.get("postal_code"),
            "country_code": a["country_iso"],
            "phone": a.get("phone"),
        }
    )


def translate(e):
    r = e["data"]
    b = r.get("bill_address") or {}
    return {
        "event_id": e["id"],
        "event_name": e["name"],
        "source_system": "spree",
        "source_version": (e.get("metadata") or {}).get("spree_version"),
        "occurred_at": moment(e["created_at"]),
        "order_id": r["id"],
        "order_number": r["number"],
        "state": STATES.get(r["state"], "UNKNOWN"),
        "shipment_state": r.get("shipment_state"),
        "payment_state": r.get("payment_state"),
        "currency": r["currency"],
        "item_count": r["item_count"],
        "items_total": Decimal(r["item_total"]),
        "shipping_total": Decimal(r["ship_total"]),
        "adjustment_total": Decimal(r["adjustment_total"]),
        "discount_total": Decimal(r["promo_total"]),
        "tax_total": Decimal(r["tax_total"]),
        "grand_total": Decimal(r["total"]),
        "created_at": moment(r["created_at"]),
        "updated_at": moment(r["updated_at"]),
        "completed_at": moment(r.get("completed_at")),
        "customer_note": r.get("special_instructions"),
        "promotion_codes": [p["code"] for p in r["promotions"] if p.get("code") is not None],
        "customer": {"email": r.get("email"), "first_name": b.get("first_name"), "last_name": b.get("last_name"), "phone": b.get("phone")},
        "billing_address": address(r.get("bill_address")),
        "shipping_address": address(r.get("ship_address")),
        "line_items": [
            {
                "id": i["id"],
                "variant_id": i["variant_id"],
                "name": i["name"],
                "slug": i.get("slug"),
                "options_text": i.get("options_text"),
                "quantity": i["quantity"],
                "unit_price": Decimal(i["price"]),
                "line_total": Decimal(i["total"]),
                "discount_total": Decimal(i["promo_total"]),
                "tax_total": Decimal(i["additional_tax_total"]),
                "compare_at_price": None if i.get("compare_at_amount") is None else Decimal(i["compare_at_amount"]),
                "image_url": i.get("thumbnail_url"),
                "options": [{"name": v["name"], "presentation": v["presentation"]} for v in i["option_values"]],
            }
            for i in r["items"]
        ],
        "shipments": [
            {
                "id": s["id"],
                "number": s["number"],
                "state": s["state"],
                "tracking": s.get("tracking"),
                "tracking_url": s.get("tracking_url"),
                "cost": Decimal(s["cost"]),
                "shipped_at": moment(s.get("shipped_at")),
                "method_name": (s.get("shipping_method") or {}).get("name"),
                "stock_location_id": (s.get("stock_location") or {}).get("id"),
            }
            for s in r["shipments"]
        ],
        "payments": [
            {
                "id": p["id"],
                "number": p["number"],
                "state": p["state"],
                "amount": Decimal(p["amount"]),
                "response_code": p.get("response_code"),
                "method_id": p["payment_method_id"],
                "method_name": (p.get("payment_method") or {}).get("name"),
                "source_type": p.get("source_type"),
                "card_brand": (p.get("source") or {}).get("brand"),
                "card_last4": (p.get("source") or {}).get("last4"),
                "created_at": moment(p["created_at"]),
            }
            for p in r["payments"]
        ],
    }


class Peer:
    def __init__(self, exactly_once):
        env = os.environ
        self.exactly_once = exactly_once
        self.input, self.output, self.count = env["BENCH_IN"], env["BENCH_OUT"], int(env["BENCH_COUNT"])
        self.schema = fastavro.parse_schema(json.loads(Path(env["BENCH_SCHEMA"]).read_text()))
        self.header = struct.pack(">bI", 0, int(env["BENCH_SCHEMA_ID"]))
        brokers = {"bootstrap.servers": env["BENCH_BROKERS"]}
        self.consumer = Consumer(brokers | {"group.id": env["BENCH_GROUP"], "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                            "isolation.level": "read_committed"})
        transactional = {"transactional.id": env["BENCH_GROUP"]} if exactly_once else {}
        self.producer = Producer(brokers | transactional | {
            "acks": "all", "enable.idempotence": True, "compression.type": "lz4", "linger.ms": env["BENCH_LINGER_MS"], "batch.size": 262144,
            "partitioner": "murmur2_random"})
        self.commit_every = 0.1 if exactly_once else 1
        self.read = {}

    def run(self):
        if self.exactly_once:
            self.producer.init_transactions()
            self.producer.begin_transaction()
        self.consumer.subscribe([self.input])
        done, due = 0, time.monotonic() + self.commit_every
        while done < self.count:
            for message in self.consumer.consume(500, 0.1):
                self.take(message)
                done += 1
            self.producer.poll(0)
            if time.monotonic() > due:
                self.commit()
                if self.exactly_once:
                    self.producer.begin_transaction()
                due = time.monotonic() + self.commit_every
        self.commit()
        self.consumer.close()

    def take(self, message):
        if message.error():
            raise SystemExit(str(message.error()))
        out = io.BytesIO()
        out.write(self.header)
        fastavro.schemaless_writer(out, self.schema, translate(orjson.loads(message.value())))
        while True:
            try:
                self.producer.produce(self.output, out.getvalue(), message.key())
                break
            except BufferError:
                self.producer.poll(0.05)
        self.read[message.partition()] = message.offset() + 1

    def commit(self):
        offsets = [TopicPartition(self.input, partition, offset) for partition, offset in self.read.items()]
        if self.exactly_once:
            self.producer.send_offsets_to_transaction(offsets, self.consumer.consumer_group_metadata())
            self.producer.commit_transaction()
        else:
            self.producer.flush()
            if offsets:
                self.consumer.commit(offsets=offsets, asynchronous=False)


if __name__ == "__main__":
    Peer(sys.argv[1] == "exactly_once").run()
