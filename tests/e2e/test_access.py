"""A permission that is missing: koine says which one and on what, waits, and goes on once it is granted; it is never the
record's fault and never the end of the process."""
import pytest
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)

from support import wait_for
from test_spine import BULK_RAW, Load, assert_delivered

pytestmark = pytest.mark.timeout(240)

# The broker of the tests knows nobody by name.
WHO = "User:ANONYMOUS"


class Refusal:
    """Denies one operation on one resource. A broker with any rule for a resource allows nothing else on it, so all the rest
    is allowed beside it."""

    def __init__(self, stack, kind, name, operation):
        self.stack, self.kind, self.name = stack, kind, name
        self.rules = [AclBinding(kind, name, ResourcePatternType.LITERAL, WHO, "*", what, how)
                      for what, how in ((AclOperation.ALL, AclPermissionType.ALLOW), (operation, AclPermissionType.DENY))]

    def __enter__(self):
        self.stack.grant(self.rules)

    def __exit__(self, *_):
        self.stack.withdraw(AclBindingFilter(self.kind, self.name, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY))


def resource(deployment, what):
    raw = next(iter(deployment.sources))
    return {
        "raw": (ResourceType.TOPIC, raw),
        "canonical": (ResourceType.TOPIC, deployment.canonical[1]),
        "group": (ResourceType.GROUP, deployment.group),
        # koine makes it of the group, the instance and the worker.
        "id": (ResourceType.TRANSACTIONAL_ID, f"{deployment.group}-test-0"),
    }[what]


CASES = {
    "a raw topic that may not be seen": ("raw", AclOperation.ALL, "READ and DESCRIBE on the topic"),
    "a raw topic that may not be read": ("raw", AclOperation.READ, "READ and DESCRIBE on the topic"),
    "a canonical topic that may not be written": ("canonical", AclOperation.WRITE, "WRITE and DESCRIBE on the topic"),
    "a group that may not be joined": ("group", AclOperation.READ, "READ on the group"),
    "a transactional id that may not be used": ("id", AclOperation.WRITE, "WRITE and DESCRIBE on the transactional id"),
}


@pytest.mark.parametrize("when", ["at start", "while it runs"])
@pytest.mark.parametrize("case", CASES)
def test_a_missing_permission_is_named_and_waited_for(stack, deploy, case, when):
    what, operation, words = CASES[case]
    deployment = deploy({"raw.bspk": ("bspk", 3)})
    load = Load(stack, deployment)
    kind, name = resource(deployment, what)
    process = deployment.process(KOINE__TRANSACTION__TIMEOUT="5s", KOINE__KAFKA__PROPERTIES__TOPIC_METADATA_REFRESH_INTERVAL_MS="1000")
    try:
        if when == "while it runs":
            process.start().wait_ready()
            load.produce(200)
            deployment.wait_consumed()
        with Refusal(stack, kind, name, operation):
            if what != "raw" or operation != AclOperation.ALL:
                load.produce(200)
            if when == "at start":
                process.start()
            wait_for(lambda: process.alive() and said(process, words, name), f"koine says: {words} {name}", 90)
        load.produce(200)
        deployment.wait_consumed()
        process.stop()
    finally:
        process.kill()
    assert_delivered(stack, deployment)


def said(process, words, name):
    return [line for line in process.output().splitlines() if words in line and name in line]
