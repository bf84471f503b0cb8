"""Every command on every page is run, or says that it is not. A block of commands or queries without a mark is run: those of the README's tour
by tests/docs/tour.py, those of docs/analysts.md by test_analysts.py, all others here. A mark is a comment in the line before the fence:

    <!-- not run: why -->        and the text before it says "Not run", for those who see no comments
    <!-- run by tests/… -->      where a command needs a world of its own
    <!-- runs until it is stopped -->

The runbooks have no blocks: whoever is woken at night finds a command in the sentence that says what for. Those are run too, but for what a
page says with <!-- not run: PROGRAM -->; and what they ask of Prometheus, Prometheus' own reader reads.
"""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from guide import ROOT
from security import Authority
from support import environment, servers, wait_for

pytestmark = pytest.mark.timeout(300)
PAGES = ["README.md", "CONTRIBUTING.md", "avro/README.md", "helm/koine/README.md", "tests/fixtures/README.md",
         *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]
RUNBOOKS = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs/runbooks").glob("*.md"))
RUNNABLE = {"sh", "bash", "sql", "python"}
ELSEWHERE = {"docs/analysts.md": "tests/e2e/test_analysts.py"}
TOUR = ("## Try it", "## Ten minutes")
# What these find is a judgement, not a failure of the command: the demo's broker is a stand-in that answers not every question.
MAY_FIND = ("koine audit", "koine doctor")
# And no breaker of the demo is open: test_breaker.py has one to resume.
MAY_REFUSE = {"koine breaker resume": "koine: no such breaker is open\n"}
# Quiet where there is nothing to tell: no breaker is open.
MAY_BE_QUIET = ("koine breaker list",)


def blocks(page):
    """[(mark, language, text, heading, what stands before it)] of what a reader could type."""
    text = (ROOT / page).read_text()
    found = []
    for fence in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.M | re.S):
        if fence[2] in RUNNABLE:
            above = text[:fence.start()].rstrip(" ")
            mark = re.search(r"<!-- ([^\n]*) -->\n\Z", above)
            heading = re.findall(r"^(##* .*)$", above, re.M)[-1]
            found.append((mark and mark[1], fence[2], fence[3], heading, above[-600:]))
    return found


def unmarked(page):
    return [text for mark, _, text, heading, _ in blocks(page)
            if mark is None and page not in ELSEWHERE and not (page == "README.md" and heading in TOUR)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_says_that_it_is_not(page):
    for mark, language, text, heading, above in blocks(page):
        if mark is None:
            by_tour = page == "README.md" and heading in TOUR
            assert language == "sh" or page in ELSEWHERE, f"nothing runs this {language} under {heading}"
            assert by_tour or page in ELSEWHERE or all(line.startswith(("koine ", "#")) for line in text.strip().splitlines()), text
        elif mark.startswith("not run: "):
            assert re.search(r"\bnot run\b", re.sub(r"<!--.*?-->", "", above), re.I), f"{heading}: nobody who reads the page sees that this is not run"
        elif mark == "run by tests/e2e/test_docs.py":
            assert page == "README.md", "test_run_it looks there"
        elif mark.startswith("run by "):
            test = (ROOT / mark.removeprefix("run by ")).read_text()
            flags = set(re.findall(r"--[a-z-]+", text)) - {"--config"}
            words = set(re.findall(r"^koine (\w+)", text, re.M))
            assert all(flag in test for flag in flags) and all(re.search(rf"\b{word}\b", test) for word in words), mark
        else:
            assert mark == "runs until it is stopped" and page == "README.md" and heading in TOUR, mark
    outside = re.sub(r"^ *```.*?^ *```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    assert not re.findall(r"^    (?:koine|cargo|tests/run|docker|helm|kubectl|curl) .*$", outside, re.M), "a command outside a block"


@pytest.fixture(scope="module")
def world(koine, tmp_path_factory):
    """A folder with a koine.yaml, as the pages suppose it, of a demo that has met broken webhooks of every kind."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "bin").mkdir()
    (folder / "bin" / "koine").symlink_to(koine)
    path = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    with open(folder / "log", "wb") as log:
        demo = subprocess.Popen([koine, "demo", "--rate", "50", "--write-config", "koine.yaml"], cwd=folder, env=environment(),
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        letters = lambda: re.findall(r"^dead letter  ([a-z_.]+)", (folder / "log").read_text(), re.M)
        wait_for(lambda: (folder / "koine.yaml").exists() and letters().count("time.invalid") > 2, "dead letters", 120, 0.5)
        shown = subprocess.run([koine, "dlq", "show", "--config", "koine.yaml", "--topic", "raw.spree", "--code", "time.invalid", "--format", "json",
                                "--limit", "1"], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=True)
        yield folder, environment(**path), json.loads(shown.stdout)
        assert demo.poll() is None, (folder / "log").read_text()[-4_000:]
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)


def filled_in(text, letter):
    """The places and causes on the pages are those of some cluster. Nothing else is changed."""
    place = f"{letter['partition']}:{letter['offset']}"
    return (text.replace("3:4711", place).replace("raw.spree-3-4711", f"raw.spree-{place.replace(':', '-')}")
            .replace("5c1f0a9be2d47788", letter["fingerprint"]).replace("spree:eu:customer:cus_1", "spree:default:customer:usr_k5nR8xLq"))


@pytest.mark.parametrize("page", [page for page in PAGES if unmarked(page)])
def test_the_commands_of_a_page(page, world):
    folder, variables, letter = world
    for text in unmarked(page):
        for line in filled_in(text, letter).splitlines():
            command = line.strip()
            if not command or command.startswith("#"):
                continue
            holds(command, folder, variables)


def holds(command, folder, variables):
    """It does what it is there for, and says something."""
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    refused = [saying for start, saying in MAY_REFUSE.items() if command.startswith(start)]
    due = (0, 1) if command.startswith(MAY_FIND) or done.stderr in refused else (0,)
    assert done.returncode in due, f"{command}: {done.returncode}\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    assert done.stdout or done.stderr or command.startswith(MAY_BE_QUIET), f"{command}: says nothing"


# ---- runbooks ----

PROGRAMS = re.compile(r"(?:koine|kubectl|helm|openssl|curl|docker|promtool|[a-z-]+\.sh) ")


def told(page):
    """The commands in a page's sentences. `koine dlq redrive` alone is no command but its name, which tests/docs.rs knows."""
    spans = re.findall(r"`([^`\n]+)`", (ROOT / page).read_text())
    return [span for span in spans if PROGRAMS.match(span) and not (span.startswith("koine ") and "koine.yaml" not in span)]


def left_out(page):
    """The programs that the page says are not run, to those who see no comments too."""
    return re.findall(r"^Not run by the tests[^\n]*`(\S+)`\.\n<!-- not run: \1 -->$", (ROOT / page).read_text(), re.M)


@pytest.mark.parametrize("page", [page for page in RUNBOOKS if told(page)])
def test_the_commands_of_a_runbook(page, world, stack, unique, tmp_path):
    folder, variables, letter = world
    commands = told(page)
    for program in left_out(page):
        assert any(command.startswith(program + " ") for command in commands), f"there is no {program} to leave out"
        commands = [command for command in commands if not command.startswith(program + " ")]
    for command in commands:
        command = filled_in(command, letter).replace("--fingerprint …", f"--fingerprint {letter['fingerprint']}")
        if " FILE" in command:
            command = command.replace("FILE", str(Authority(tmp_path).cert))
        if command.startswith("kafka-get-offsets.sh "):
            # As Kafka's own script has it; the demo's broker is not enough for it.
            tool = folder / "bin" / "kafka-get-offsets.sh"
            tool.write_text(f'#!/bin/sh\nexec java -cp "{servers.LIB}/*" org.apache.kafka.tools.GetOffsetShell "$@"\n')
            tool.chmod(0o755)
            stack.create({f"{unique}raw.spree": 1})
            command = command.replace("server …", f"server {stack.brokers}").replace("topic …", f"topic {unique}raw.spree")
        assert "…" not in command, command
        holds(command, folder, variables)


def test_the_queries_of_the_runbooks_can_be_asked(tmp_path):
    """By promtool, as if each were a rule's."""
    spans = [(page, span) for page in RUNBOOKS for span in re.findall(r"`([^`\n]+)`", (ROOT / page).read_text()) if re.search(r"\bkoine_[a-z]", span)]
    assert len(spans) > 25
    rules = [{"record": f"runbook:{nth}", "expr": span} for nth, (_, span) in enumerate(spans)]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr + "\n".join(f"runbook:{nth} {page}: {span}" for nth, (page, span) in enumerate(spans))


def test_run_it(deploy, koine):
    """The README's "Run it": check, register, run, with the real Kafka and registry."""
    [commands] = [text for mark, _, text, _, _ in blocks("README.md") if mark == "run by tests/e2e/test_docs.py"]
    check, register, run = [line.split("#")[0].split() for line in commands.strip().splitlines()]
    deployment = deploy({"raw.spree": ("spree", 1)})
    port = servers.free_port()
    config = deployment.write_config("koine", port)
    assert config.name == "koine.yaml"
    for command in (check, register):
        done = subprocess.run([koine, *command[1:]], cwd=config.parent, env=environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    process = deployment.process()
    assert run[1:] == ["run", "--config", "koine.yaml"]
    process.command = [str(koine), *process.command[1:]]
    with process as running:
        running.stop()
