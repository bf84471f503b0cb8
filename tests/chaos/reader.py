"""The independent reader: what must have come out, by the raw topics; what has, by a read_committed consumer; and the difference.

It shares no code with koine and keeps a few bytes for each raw record.
"""
import hashlib
import time
import uuid
from array import array
from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import Consumer, IsolationLevel, KafkaError, TopicPartition

from load import LIST

# What a client says while a broker is away. It tries again by itself.
CONNECTS_AGAIN = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
KINDS = ("gap", "event", "dead", "ignored", "list")


@dataclass
class Verdict:
    records: int = 0
    webhooks: int = 0
    events: int = 0
    dead_letters: int = 0
    ignored: int = 0
    missing: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    # Doubles whose meta.event_id is not that of the first.
    doubled_with_another_id: list = field(default_factory=list)
    never_sent: list = field(default_factory=list)
    ids_of_two: int = 0
    out_of_order: list = field(default_factory=list)
    changed: list = field(default_factory=list)
    # Records that were written and that no read_committed reader ever sees.
    aborted: int = 0

    def faults(self, exactly_once):
        """What must be empty or 0."""
        names = ["missing", "doubled_with_another_id", "never_sent", "ids_of_two", "changed"]
        names += ["doubled", "out_of_order"] if exactly_once else []
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def messages(stack, topics, isolation):
    """Every record of the topics, up to the end as it is now."""
    ends = stack.ends(topics, IsolationLevel.READ_COMMITTED if isolation == "read_committed" else IsolationLevel.READ_UNCOMMITTED)
    waiting = {place for place, end in ends.items() if end > 0}
    read = {}
    consumer = Consumer({"bootstrap.servers": stack.brokers, "group.id": f"reader-{uuid.uuid4()}", "enable.auto.commit": False,
                         "isolation.level": isolation, "auto.offset.reset": "earliest", "enable.partition.eof": True,
                         "queued.max.messages.kbytes": 65536})
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in waiting])
        quiet = time.monotonic()
        while waiting:
            found = [one for one in consumer.consume(2000, 1.0) if not (one.error() and one.error().code() in CONNECTS_AGAIN)]
            quiet = time.monotonic() if found else quiet
            assert time.monotonic() - quiet < 60, f"not at the end of {waiting}"
            for message in found:
                if not message.error():
                    at = message.topic(), message.partition()
                    assert read.get(at, -1) < message.offset(), f"{at} {message.offset()}: this reader has read it before"
                    read[at] = message.offset()
                    yield message
                    continue
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                waiting.discard((message.topic(), message.partition()))
    finally:
        consumer.close()


class Ledger:
    """What became of every webhook, by the place of its raw record."""

    def __init__(self, stack, sources):
        self.kinds, self.seen, self.ids = {}, {}, {}
        self.values = {}
        self.elements = Counter()
        self.all_ids = set()
        self.verdict = Verdict()
        for (topic, partition), end in stack.ends(sources).items():
            self.kinds[topic, partition] = bytearray(end)
            self.seen[topic, partition] = bytearray(end)
            self.ids[topic, partition] = array("q", bytes(8 * end))
        for message in messages(stack, sources, "read_committed"):
            kind = message.key().split(b"-")[0].decode()
            place = message.topic(), message.partition(), message.offset()
            self.kinds[place[:2]][place[2]] = KINDS.index(kind)
            self.verdict.records += 1
            if kind in ("dead", "list"):
                self.values[place] = message.key(), digest(message.value())

    def kind(self, place):
        kinds = self.kinds.get(place[:2])
        return KINDS[kinds[place[2]]] if kinds is not None and 0 <= place[2] < len(kinds) else "gap"

    def note(self, place, index, outcome, copy):
        """Whether this is a repetition. `copy`: where it was read."""
        kind = self.kind(place)
        due = LIST[index] if kind == "list" and 0 <= index < len(LIST) else kind if index == 0 else "gap"
        if due != outcome:
            self.verdict.never_sent.append((place, index, outcome, f"due: {due}"))
            return False
        if kind == "list":
            self.elements[place, index] += 1
            is_again = self.elements[place, index] > 1
        else:
            seen = self.seen[place[:2]]
            is_again = seen[place[2]] > 0
            seen[place[2]] = min(255, seen[place[2]] + 1)
        if is_again:
            self.verdict.doubled.append((place, index, outcome, copy))
        return is_again

    def event(self, place, index, event_id, copy):
        """An event id is its webhook's alone, and each time the same."""
        is_again = self.note(place, index, "event", copy)
        number = int.from_bytes(digest(event_id.encode())[:8], "big", signed=True)
        ids = self.ids.get(place[:2])
        if index == 0 and ids is not None and 0 <= place[2] < len(ids):
            if is_again and ids[place[2]] != number:
                self.verdict.doubled_with_another_id.append((place, index))
            ids[place[2]] = number
        elif is_again and number not in self.all_ids:
            self.verdict.doubled_with_another_id.append((place, index))
        if not is_again:
            self.verdict.ids_of_two += number in self.all_ids
            self.verdict.events += 1
        self.all_ids.add(number)

    def dead_letter(self, place, index, key, value, copy):
        if not self.note(place, index, "dead", copy):
            self.verdict.dead_letters += 1
        if self.values.get(place) != (key, digest(value)):
            self.verdict.changed.append((place, index))

    def close(self):
        verdict = self.verdict
        for place, kinds in self.kinds.items():
            seen = self.seen[place]
            for offset, kind in enumerate(kinds):
                kind = KINDS[kind]
                if kind == "gap":
                    verdict.missing.append(((*place, offset), "no raw record"))
                elif kind == "ignored":
                    verdict.ignored += 1
                    verdict.webhooks += 1
                elif kind == "list":
                    verdict.webhooks += len(LIST)
                    lost = [index for index in range(len(LIST)) if not self.elements[(*place, offset), index]]
                    verdict.missing += [((*place, offset), index) for index in lost]
                else:
                    verdict.webhooks += 1
                    if not seen[offset]:
                        verdict.missing.append(((*place, offset), 0))
        return verdict


def digest(value):
    return hashlib.blake2b(value, digest_size=16).digest()


def judge(stack, deployment):
    """Reads everything and says what is wrong."""
    outputs = [*deployment.canonical, *deployment.dead]
    stack.settled(outputs)
    ledger = Ledger(stack, list(deployment.sources))
    verdict = ledger.verdict
    last = {}
    written = 0
    for message in messages(stack, deployment.canonical, "read_committed"):
        written += 1
        meta = stack.decode_value(message.value())["meta"]
        source = meta["source"]
        place, index = (source["topic"], source["partition"], source["offset"]), source["index"]
        ledger.event(place, index, meta["event_id"], (message.topic(), message.partition(), message.offset()))
        # The webhooks of one raw partition stand in their order in each canonical partition.
        lane = (message.topic(), message.partition(), *place[:2])
        if last.get(lane, (-1, -1)) >= (place[2], index):
            verdict.out_of_order.append((place, index))
        last[lane] = place[2], index
    for message in messages(stack, deployment.dead, "read_committed"):
        written += 1
        headers = {name: value.decode() for name, value in message.headers() if name.startswith(("__dlq.", "koine."))}
        place = headers["__dlq.errors.topic"], int(headers["__dlq.errors.partition"]), int(headers["__dlq.errors.offset"])
        ledger.dead_letter(place, int(headers.get("koine.event.index", 0)), message.key(), message.value(),
                           (message.topic(), message.partition(), message.offset()))
    ledger.close()
    verdict.aborted = sum(1 for _ in messages(stack, outputs, "read_uncommitted")) - written
    return verdict
