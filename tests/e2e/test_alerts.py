"""The words that alerts, their tests, the runbooks and the dashboard ask for are words that a running koine has. A closed set is on
/metrics from the start, at 0, so that a value which is not there never comes: an alert that waits for it would wait for ever, and a test
of the alert that is made of it would pass. That names and labels are right is for test_telemetry.py to show."""
import json
import re

import pytest
import yaml

import support

pytestmark = pytest.mark.timeout(300)

ROOT = support.TESTS.parent
ALERTS = ROOT / "helm" / "koine" / "alerts"
# Whose values are a deployment's, a build's or Prometheus' own. All others are closed sets.
OPEN = {"topic", "partition", "worker", "instance", "job", "version", "commit", "librdkafka", "mapping_digest", "subject", "schema_id", "fingerprint"}
# Of this one a running koine has the settings that are set; its set is the reference.
SETTING = "setting"


def matchers(text):
    """[(metric, [(label, operator, value)])] of a PromQL expression, of a series of promtool's, or of a page with some in it."""
    found = re.findall(r"\b(koine_\w+)\{([^}]*)\}", text)
    return [(name, re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', inside)) for name, inside in found]


def unknown(text, samples, settings):
    """What `text` asks of a closed set that is not in it. Values that are equal to something are looked for together, in one series."""
    wrong = []
    for name, asked in matchers(text):
        asked = [(label, operator, value) for label, operator, value in asked if label not in OPEN and "$" not in value]
        wrong += [f"{name}: no setting {value}" for label, _, value in asked if label == SETTING and value not in settings]
        asked = [one for one in asked if one[0] != SETTING]
        have = [labels for metric, labels, _ in samples if metric == name]
        equal = {label: value for label, operator, value in asked if operator == "="}
        if equal and not any(equal.items() <= labels.items() for labels in have):
            wrong.append(f"{name}: no series with {equal}")
        for label, operator, value in asked:
            # Each branch of an expression has to be good for something.
            for branch in value.split("|") if "~" in operator else [re.escape(value)]:
                if not any(re.fullmatch(branch, labels.get(label, "")) for labels in have):
                    wrong.append(f"{name}: no {label} is {value}" if branch == value else f"{name}: no {label} is {branch} of {value}")
    return wrong


def test_the_check_finds_what_is_wrong():
    samples = [("koine_a_total", {"vendor": "spree", "kind": "lost", "topic": "raw.x"}, 0.0), ("koine_a_total", {"vendor": "bold", "kind": "assign"}, 0.0)]
    for right in ('koine_a_total{vendor="spree", kind="lost", topic="raw.any", job="koine"}', 'rate(koine_a_total{kind!="lost"}[5m]) > 0',
                  'koine_a_total{kind=~"lost|as.*"}', 'koine_a_total{vendor="$vendor"}', 'koine_a_total{setting="registry.url"}', "koine_a_total", "up"):
        assert unknown(right, samples, {"registry.url"}) == [], right
    for wrong in ('koine_a_total{vendor="spree", kind="assign"}', 'koine_a_total{kind!="lots"}', 'koine_a_total{kind=~"lost|gone"}',
                  'koine_a_total{kind!~"x.*"}', 'koine_a_total{setting="registry.uri"}', 'koine_b_total{kind="lost"}'):
        assert unknown(wrong, samples, {"registry.url"}), wrong


def test_no_alert_waits_for_a_word_that_never_comes(deploy):
    settings = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", (ROOT / "docs" / "configuration.md").read_text()))
    texts = {}
    for group in yaml.safe_load((ALERTS / "koine.rules.yaml").read_text())["groups"]:
        texts |= {rule["alert"]: rule["expr"] for rule in group["rules"]}
    for case in yaml.safe_load((ALERTS / "alerts_test.yaml").read_text())["tests"]:
        texts |= {f"{case['name']}: {series['series']}": series["series"] for series in case["input_series"] or []}
    for panel in json.loads((ROOT / "helm/koine/dashboards/koine.json").read_text())["panels"]:
        texts |= {f"{panel['title']}: {target['expr']}": target["expr"] for target in panel.get("targets", [])}
    texts |= {page.name: page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    with deploy({f"raw.{vendor}": (vendor, 1) for vendor in support.VENDORS}).process() as koine:
        samples = koine.metrics()
        koine.stop()
    wrong = [f"{where}: {found}" for where, text in texts.items() for found in unknown(text, samples, settings)]
    assert not wrong, "\n".join(wrong)
