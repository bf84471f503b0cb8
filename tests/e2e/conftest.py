"""Fixtures of the end-to-end tests: the stack, the binary, names of one's own, and a koine with its topics."""
import json
import os
import signal
import uuid
from pathlib import Path

import pytest

import support
from support import servers


def pytest_configure():
    # An interrupted tests/run sends TERM: end the session through its fixtures, which stop what they started.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


@pytest.fixture(scope="session")
def stack():
    """The stack that tests/run has started (KOINE_TEST_ENV), else one of this session's own."""
    given = os.environ.get("KOINE_TEST_ENV")
    env = json.loads(Path(given).read_text()) if given else servers.up()
    yield support.Stack(env["brokers"], env["registry"], env["classpath"])
    if not given:
        servers.down()


@pytest.fixture(scope="session")
def koine():
    """The binary under test. That it is missing is a failure, never a reason to skip."""
    binary = Path(os.environ.get("KOINE_BIN") or servers.STACK.parent / "image" / "koine").resolve()
    assert binary.is_file(), f"no {binary}: image/build"
    return binary


@pytest.fixture
def unique():
    """A prefix for topic and group names that no other test, and no other run on this stack, has."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture(scope="session")
def deploy(stack, koine, tmp_path_factory):
    """Makes a koine with outputs and registered schemas of its own, and raw topics: new ones, `sources` being {raw name:
    (vendor, partitions)}, or those of another koine, `raw` being its `sources`. `settings` are the canonical topics'."""

    def make(sources=None, raw=None, delivery="exactly_once", dead=2, **settings):
        prefix = f"t{uuid.uuid4().hex[:8]}."
        if raw is None:
            stack.create({prefix + name: partitions for name, (_, partitions) in sources.items()})
            raw = {prefix + name: vendor for name, (vendor, _) in sources.items()}
        made = support.Deployment(stack, koine, tmp_path_factory.mktemp("koine"), prefix, raw, prefix + "koine", delivery)
        made.create_outputs(dead=dead, **settings)
        made.register()
        return made

    return make
