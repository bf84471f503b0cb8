"""docs/analysts.md, run as it stands: a day of webhooks, shuffled, folds to the states that were really there, in Python and in
DuckDB; and the joins of its table are in the mapping."""
import json
import random
import re
import subprocess
from decimal import Decimal

import duckdb
import pytest

from day import Day
from guide import blocks, section
from support import CANONICAL, VENDORS, environment

PAGE = "docs/analysts.md"
pytestmark = pytest.mark.timeout(300)


def plain(events):
    """Records as `koine events` and `koine translate` print them."""
    return [{"key": record.key.decode(), "event": record.event} for record in events]


@pytest.fixture(scope="module")
def played():
    return Day(seed=20260302, count=1_800)


@pytest.fixture(scope="module")
def translated(played, stack, deploy):
    """The day through a real koine: (its records, those of each happening's first arrival in the order of the happenings)."""
    deployment = deploy({f"raw.{vendor}": (vendor, 3) for vendor in VENDORS})
    raw = {vendor: next(topic for topic, it in deployment.sources.items() if it == vendor) for vendor in VENDORS}
    chance, by_topic = random.Random(7), {}
    for happening, at in played.delivery():
        partition = chance.randrange(3)
        by_topic.setdefault(raw[happening.vendor], []).append((happening, {
            "key": b"%d" % partition, "partition": partition, "value": happening.value, "timestamp": int(at.timestamp() * 1000)}))
    arrived = {}
    for topic, sent in by_topic.items():
        for (happening, _), (partition, offset) in zip(sent, stack.produce(topic, [record for _, record in sent])):
            arrived.setdefault(id(happening), (topic, partition, offset))
    with deployment.process() as koine:
        deployment.wait_consumed()
        koine.stop()
    assert not stack.read(deployment.dead, decode=None), "nothing of the day is malformed"
    events = stack.read(deployment.canonical, decode="fastavro")
    by_source = {record.source: record for record in events}
    return plain(events), plain(by_source[arrived[id(happening)]] for happening in played.happenings), deployment


@pytest.fixture(scope="module")
def page():
    """The Python of the page."""
    names = {}
    code = [text for text, kind in blocks(PAGE, "python") if kind is None]
    assert len(code) == 1
    exec(compile(code[0], PAGE, "exec"), names)
    return names


def shuffled(records, seed):
    """In any order; and some twice, as a reader that starts again sees them."""
    chance = random.Random(seed)
    records = records + chance.sample(records, len(records) // 10)
    chance.shuffle(records)
    return records


def test_the_day_has_what_makes_it_hard(played, translated):
    records, in_order, _ = translated
    metas = [record["event"]["meta"] for record in records]
    assert {meta["coverage"] for meta in metas} == {"SNAPSHOT", "PATCH", "COMPONENT", "KEY_ONLY"}
    assert {meta["version_basis"] for meta in metas} >= {"ENTITY", "BROKER"}
    assert {meta["event_id_basis"] for meta in metas} == {"VENDOR", "BODY", "POSITION"}
    ids = [meta["event_id"] for meta in metas]
    assert len(ids) - len(set(ids)) > 100, "sent again by the vendor"
    by_arrival = sorted(metas, key=lambda meta: meta["received_at"])
    late = sum(one["version"] > other["version"] for one, other in zip(by_arrival, by_arrival[1:]))
    assert late > 200, "late"
    assert any(fields is None for fields in played.truth.values()), "deleted at the end of the day"
    deletions = {record["key"] for record in in_order if record["event"]["meta"]["coverage"] == "KEY_ONLY"}
    assert any(played.truth[key] for key in deletions), "deleted, and there again"


def test_shuffled_records_fold_to_the_states_of_the_fold_in_order(translated, page):
    records, in_order, _ = translated
    due = page["fold"](in_order)
    for seed in range(3):
        assert page["fold"](shuffled(records, seed)) == due
    # Not every fold is so: without the repeats' rule, or by arrival alone, other states come out.
    by_arrival = sorted(records, key=lambda record: record["event"]["meta"]["received_at"])
    naive = {}
    for record in by_arrival:
        if record["event"]["meta"]["coverage"] != "COMPONENT":
            naive[record["key"]] = page["apply"](naive.get(record["key"]), record)
    assert any(naive[key]["deleted"] != due[key]["deleted"] or naive[key]["entity"].get("name") != due[key]["entity"].get("name")
               for key in naive), "the day is too easy"


def test_the_states_are_what_really_was(played, translated, page):
    """Against what the players wrote down, which no code of ours has made."""
    folded = page["fold"](shuffled(translated[0], 99))
    assert len(played.truth) > 60
    for key, fields in played.truth.items():
        state = folded[key]
        assert state["deleted"] == (fields is None), key
        if fields is None:
            continue
        entity = state["entity"]
        for name, due in fields.items():
            assert of(entity, name) == due, (key, name)
    for key, state in folded.items():
        if state["entity"] is None:
            assert key not in played.truth, key


def of(entity, name):
    """A field, in the short form in which the players wrote it down."""
    if name == "total":
        # They write cents, the model its shortest form.
        return entity.get(name) and f"{Decimal(entity[name]):.2f}"
    if name == "customer_id":
        return (entity.get("customer") or {}).get("id")
    if name == "returns":
        return {item["id"]: item["vendor_status"] for item in entity.get(name) or []}
    if name == "variants":
        return {item["id"]: item["sku"] for item in entity.get(name) or []}
    if name == "line_items":
        return {item["id"]: item["quantity"] for item in entity.get(name) or []}
    if name == "attributes":
        return entity.get(name) or {}
    return entity.get(name)


@pytest.fixture(scope="module")
def tables(translated, tmp_path_factory):
    """DuckDB with the page's tables and views over the shuffled day, and what its plain queries answered."""
    folder = tmp_path_factory.mktemp("duckdb")
    (folder / "canonical.jsonl").write_text("".join(json.dumps(record) + "\n" for record in shuffled(translated[0], 4)))
    connection = duckdb.connect()
    answers = []
    for text, kind in blocks(PAGE, "sql"):
        if kind is None:
            text = text.replace("'canonical.jsonl'", f"'{folder}/canonical.jsonl'")
            answers.append(connection.execute(text).fetchall())
    yield connection, answers
    connection.close()


def test_duckdb_folds_to_the_same_states(tables, translated, page):
    connection, _ = tables
    states = {key: state["entity"] for key, state in page["fold"](translated[1]).items() if state["entity"] and not state["deleted"]}
    columns = {
        "customers": ("customer", ["email", "phone", "first_name", "external_id"]),
        "orders": ("order", ["number", "status", "currency", "total", "customer_id", "email"]),
        "products": ("product", ["name", "slug"]),
    }
    for view, (kind, names) in columns.items():
        due = {}
        for key, entity in states.items():
            if key.split(":")[2] == kind:
                due[key] = tuple(of(entity, name) for name in names)
        found = connection.execute(f"SELECT key, {', '.join(names)} FROM {view}").fetchall()
        as_text = lambda value: f"{value:.2f}" if isinstance(value, Decimal) else value
        assert {key: tuple(map(as_text, row)) for key, *row in found} == due and len(due) > 8, view
    due = {(key, item["id"], item["sku"]) for key, entity in states.items() for item in entity.get("variants") or []}
    assert set(connection.execute("SELECT key, id, sku FROM variants").fetchall()) == due and len(due) > 20
    due = {(key, item["id"], item["status"]) for key, entity in states.items() for item in entity.get("returns") or []}
    assert set(connection.execute("SELECT key, id, status FROM returns").fetchall()) == due and len(due) > 5


def test_the_questions_are_answered(tables, translated, page):
    """Revenue, and carts that were left, against the same sums over the folded states."""
    _, answers = tables
    revenue, left = answers[-2:]
    states = {key: state for key, state in page["fold"](translated[1]).items() if state["entity"] and not state["deleted"]}
    due = {}
    for key, state in states.items():
        order = state["entity"]
        if key.split(":")[2] == "order" and order.get("status") != "CANCELED":
            count, total = due.get((key.split(":")[0], order.get("currency")), (0, None))
            amount = order.get("total") and Decimal(order["total"])
            due[key.split(":")[0], order.get("currency")] = (count + 1, total if amount is None else (total or 0) + amount)
    assert {(vendor, currency): (orders, total) for vendor, currency, orders, total in revenue} == due and len(due) > 2
    assert left == [], "a wish list is no cart, and no shopping cart was left on this day"


def test_koine_events_prints_these_lines(translated, koine, tmp_path):
    """What DuckDB reads is what the command writes, record by record."""
    records, _, deployment = translated
    path = deployment.write_config("events", 0)
    done = subprocess.run([koine, "events", "--config", path], env=environment(), capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    bare = lambda record: json.dumps({"key": record["key"], "event": record["event"]}, sort_keys=True)
    assert sorted(map(bare, lines)) == sorted(map(bare, records))
    key = records[0]["key"]
    one = subprocess.run([koine, "events", "--config", path, "--key", key, "--limit", "1", "--pretty"], env=environment(),
                         capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(one.stdout)["key"] == key and one.stdout.count("\n") > 10
    entity = records[0]["event"]["meta"]["entity"].lower()
    some = subprocess.run([koine, "events", "--config", path, "--entity", entity], env=environment(), capture_output=True, text=True,
                          timeout=120, check=True)
    found = [json.loads(line) for line in some.stdout.splitlines()]
    assert {line["event"]["meta"]["entity"].lower() for line in found} == {entity}
    assert len(found) == sum(record["event"]["meta"]["entity"].lower() == entity for record in records)


def test_the_joins_are_in_the_mapping():
    """docs/mapping.md is what runs; tests/docs.rs holds that."""
    mapped = {vendor: set(re.findall(r"`([a-z_.*]+)`", section("docs/mapping.md", f"## {vendor}"))) for vendor in VENDORS}
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
            for line in section(PAGE, "## What leads to what").splitlines() if re.match(r"\| (bspk|spree|composer|bold) \|", line)]
    assert {row[0] for row in rows} == set(VENDORS)
    for vendor, one, other, *_ in rows:
        assert {one, other} <= mapped[vendor], (vendor, one, other)


def test_the_lists_of_parts_are_those_that_parts_come_in(translated, page):
    """Each kind of part that has an entity's key stands in the list that the page names."""
    for record in translated[0]:
        meta = record["event"]["meta"]
        if meta["coverage"] == "COMPONENT" and record["key"].split(":")[2] == meta["entity"].lower():
            assert page["LIST_OF"][meta["component"]["kind"]] in meta["present"]
