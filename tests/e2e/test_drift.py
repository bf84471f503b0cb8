"""Drift, from the broker to the pages: what no vendor's page documents is counted by kind, listed by place, and shown by a command."""
import json
import subprocess

import pytest

from support import environment, wait_for

pytestmark = pytest.mark.timeout(120)


def order(nth, **more):
    return {"id": f"e{nth}", "name": "order.paid", "created_at": "2026-01-15T10:00:00Z",
            "data": {"id": f"or_{nth}", "number": f"R{nth}", "completed_at": "2026-01-15T10:00:00Z", **more}}


def test_drift_is_counted_listed_and_shown(stack, deploy):
    deployment = deploy({"raw.spree": ("spree", 1)})
    [topic] = deployment.sources
    webhooks = [order(0), order(1, gift_wrap="ZVALUEZ"), order(2, gift_wrap={"colour": 1}), order(3, number=7), order(4, state="ZWORDZ")]
    webhooks += [{**order(5), "name": "order.approved"}, {**order(6), "name": "order.teleported"}]
    stack.produce(topic, [{"value": json.dumps(webhook).encode(), "timestamp": 1_700_000_000_000 + nth} for nth, webhook in enumerate(webhooks)])
    with deployment.process() as koine:
        deployment.wait_consumed()
        # Counted right after the commit.
        wait_for(lambda: koine.total("consumed") >= len(webhooks), "every record counted", 30)
        counted = {tuple(sorted(labels.items())): value for name, labels, value in koine.metrics()
                   if name == "koine_schema_drift_total" and value}
        status, page = koine.get("/drift")
        told = {form: subprocess.run([deployment.binary, "mapping", "spree", "--drift", "--config", koine.config_file, "--format", form],
                                     env=environment(), capture_output=True, text=True, timeout=30) for form in ("md", "json")}
        koine.stop()

    def series(event_type, kind):
        return tuple(sorted({"vendor": "spree", "event_type": event_type, "kind": kind}.items()))

    assert counted == {series("order.paid", "new_path"): 2, series("order.paid", "type_change"): 1, series("order.paid", "new_value"): 1,
                       series("order.approved", "new_event_type"): 1, series("_other", "new_event_type"): 1}
    assert status == 200 and "ZVALUEZ" not in page and "ZWORDZ" not in page
    listed = json.loads(page)
    assert listed["beyond"] == 0
    found = {(place["event_type"], place["kind"], place["path"]): (place["webhooks"], place["first_ms"], place["last_ms"])
             for place in listed["seen"]}
    first = 1_700_000_000_000
    assert found == {("order.paid", "new_path", "/data/gift_wrap"): (2, first + 1, first + 2),
                     ("order.paid", "type_change", "/data/number"): (1, first + 3, first + 3),
                     ("order.paid", "new_value", "/data/state"): (1, first + 4, first + 4),
                     ("order.approved", "new_event_type", ""): (1, first + 5, first + 5),
                     ("order.teleported", "new_event_type", ""): (1, first + 6, first + 6)}
    assert [done.returncode for done in told.values()] == [0, 0], [done.stderr for done in told.values()]
    assert json.loads(told["json"].stdout) == listed
    row = "| spree | order.paid | new_path | `/data/gift_wrap` | 2 | 2023-11-14T22:13:20.001Z | 2023-11-14T22:13:20.002Z |"
    assert row in told["md"].stdout.splitlines()
