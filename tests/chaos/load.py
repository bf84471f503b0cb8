"""Raw records for the chaos run, of every kind that there is, and a thread that writes them.

What must become of a record is said by its key (`<kind>-<number>`), so that the reader needs nothing but the raw topics.
"""
import threading
import time

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


class Feeder(threading.Thread):
    """Writes raw records up to a goal that is moved on, whatever the broker does meanwhile."""

    def __init__(self, brokers, topics):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5, "compression.type": "lz4",
                                  # The broker goes away every now and then: that is no news, and no reason to give a record up.
                                  "message.timeout.ms": 0, "log_level": 2})
        self.raws = [(topic, Raw(vendor)) for topic, vendor in topics.items()]
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
                self.write(min(500, self.goal - self.made))
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
        time.sleep(max(0.0, begun + count / PER_SECOND - time.monotonic()))

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


assert set(IGNORED) <= set(BULK)
