#!/usr/bin/env python3
"""Spree's orders into a raw topic at an even rate, in a process of its own so that nothing else that happens here disturbs it.

    bench/feeder.py BROKERS TOPIC RATE SECONDS      prints how many it has sent, and how far behind it was at worst
"""
import json
import sys
import time

from confluent_kafka import Producer

import corpus
from world import LOADER, WORK

TICK_S = 0.001


def feed(brokers, topic, rate, seconds):
    # A gateway sends what it has at once.
    producer = Producer({"bootstrap.servers": brokers} | LOADER | {"linger.ms": 1})
    count = int(rate * seconds)
    webhooks = corpus.records("spree", count, WORK / "corpus")
    begun, sent, behind, failed = time.monotonic(), 0, 0.0, []
    while sent < count:
        due = min(count, int((time.monotonic() - begun) * rate))
        behind = max(behind, (due - sent) / rate)
        for _ in range(due - sent):
            key, body = next(webhooks)
            producer.produce(topic, body, key, on_delivery=lambda error, _: error and failed.append(error))
        sent = due
        producer.poll(0)
        time.sleep(TICK_S)
    if producer.flush(30) or failed:
        raise SystemExit(f"{topic}: not all was sent: {failed[:1]}")
    return {"sent": sent, "seconds": time.monotonic() - begun, "behind": behind}


if __name__ == "__main__":
    print(json.dumps(feed(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
