"""Raw records for the chaos run, of every kind that there is, and what writes them: a thread, or a transaction.

What must become of a record is said by its key (`<kind>-<number>`), so that the reader needs nothing but the raw topics.
"""
import json
import threading
import time
import uuid

from confluent_kafka import Producer

from support import BULK, Bulk, bodies

# A documented event without a place in the model.
IGNORED = {"bspk": "file_import.finished", "spree": "export.created"}
# Of a hundred records one each; all others are events.
ODD = {13: "dead", 37: "ignored", 61: "list"}
# By the element's place in a list: what it becomes.
LIST = ("event", "dead", "event")
PER_SECOND = 20_000


class Raw:
    """Any number of raw records of one vendor."""

    def __init__(self, vendor):
        self.bulk = Bulk(vendor)
        self.ignored = bodies(vendor)[IGNORED[vendor]] if vendor in IGNORED else None

    def next(self):
        """(key, value). Every webhook has an id of its own, the elements of a list among them."""
        number = self.bulk.made
        self.bulk.made += 1
        kind = ODD.get(number % 100, "event")
        if kind == "ignored" and self.ignored is None:
            kind = "event"
        body = self.bulk.body(number)
        value = {
            "event": body,
            "dead": body[:-1],
            "ignored": self.ignored,
            "list": b"[" + body + b",7," + self.bulk.body(number + 500_000_000) + b"]",
        }[kind]
        return f"{kind}-{number}".encode(), value


class Rare:
    """Events of one vendor, of which one in so many is refused (0: none): its type is known, and it has no id."""

    def __init__(self, vendor, one_in):
        self.bulk, self.one_in = Bulk(vendor), one_in
        self.id = BULK[vendor][1][-1]

    def next(self):
        number = self.bulk.made
        self.bulk.made += 1
        body = self.bulk.body(number)
        if not self.one_in or (number + 1) % self.one_in:
            return f"event-{number}".encode(), body
        document = json.loads(body)
        *path, last = self.id
        node = document
        for step in path:
            node = node[step]
        del node[last]
        return f"dead-{number}".encode(), json.dumps(document).encode()


class Feeder(threading.Thread):
    """Writes raw records up to a goal that is moved on, whatever the broker does meanwhile. `kind`: what makes a vendor's."""

    def __init__(self, brokers, topics, kind=Raw, per_second=PER_SECOND):
        super().__init__(daemon=True)
        self.per_second = per_second
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5, "compression.type": "lz4",
                                  # The broker goes away every now and then: that is no news, and no reason to give a record up.
                                  "message.timeout.ms": 0, "log_level": 2})
        self.raws = [(topic, kind(vendor)) for topic, vendor in topics.items()]
        self.goal = 0
        self.made = 0
        self.failed = []
        self.is_over = False

    def run(self):
        try:
            while not self.is_over:
                if self.made >= self.goal:
                    self.producer.poll(0.005)
                    continue
                self.write(min(500, max(1, self.per_second // 40), self.goal - self.made))
        except Exception as error:  # told by finish()
            self.failed.append(error)

    def write(self, count):
        begun = time.monotonic()
        for _ in range(count):
            topic, raw = self.raws[self.made % len(self.raws)]
            key, value = raw.next()
            while True:
                try:
                    self.producer.produce(topic, value=value, key=key, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.made += 1
        self.producer.poll(0)
        time.sleep(max(0.0, begun + count / self.per_second - time.monotonic()))

    def delivered(self, error, _):
        if error:
            self.failed.append(error)

    def finish(self, total):
        """Writes what is left and waits until all of it is acknowledged."""
        self.goal = total
        while self.made < total and not self.failed:
            time.sleep(0.05)
        self.stop()
        assert self.producer.flush(300) == 0 and not self.failed, self.failed[:3]

    def stop(self):
        self.is_over = True
        self.join(60)


class Burst:
    """Raw records that become readable all at once: they lie in a transaction, and koine reads what is committed. Each
    burst leaves a marker, which has an offset, in every partition."""

    def __init__(self, brokers, topics, partitions, kind=Raw):
        self.producer = Producer({"bootstrap.servers": brokers, "transactional.id": f"burst-{uuid.uuid4()}",
                                  "transaction.timeout.ms": 600_000, "linger.ms": 5, "compression.type": "lz4"})
        self.producer.init_transactions(60)
        self.lanes = [(topic, partition) for topic in topics for partition in range(partitions)]
        self.raws = {topic: kind(vendor) for topic, vendor in topics.items()}
        # By topic and partition: behind the last record.
        self.ends = {}
        self.made = 0
        self.failed = []

    def fill(self, count):
        """Writes them. Nobody can read them yet."""
        self.producer.begin_transaction()
        for nth in range(count):
            topic, partition = self.lanes[nth % len(self.lanes)]
            key, value = self.raws[topic].next()
            while True:
                try:
                    self.producer.produce(topic, value=value, key=key, partition=partition, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            if nth % 500 == 0:
                self.producer.poll(0)
        self.made += count
        assert self.producer.flush(300) == 0 and not self.failed, self.failed[:3]

    def release(self):
        self.producer.commit_transaction(60)

    def delivered(self, error, message):
        if error:
            self.failed.append(error)
        else:
            self.ends[message.topic(), message.partition()] = message.offset() + 1


assert set(IGNORED) <= set(BULK)
