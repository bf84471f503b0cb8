"""The image: koine in a root that holds what the image's last stage holds and nothing else, as the image's user, read-only. What
it holds is what docs/image.md says, and what is not in it is not missed: names, certificates, time zones."""
import os
import platform
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import container
import support
from security import PASSWORD, Authority, Issuer, Nginx, SecureKafka
from support import Bulk, servers

pytestmark = pytest.mark.timeout(300)

PAGE = servers.ROOT / "docs" / "image.md"
MOST = 30_000_000
# What image/assemble takes from the machine that builds.
DISTRIBUTIONS = ("/lib", "/etc/ssl/")
# The Dockerfile's, and that of the page's figures.
DEBIAN = {"ID": "debian", "VERSION_ID": "12"}


def readable(*paths):
    """For the image's user, who is not who runs the tests."""
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return container.assemble(tmp_path_factory.mktemp("image") / "root")


def listed(root):
    """{path: (mode, size)} of everything in there; of a folder the size is None."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        about = path.lstat()
        size = None if path.is_dir() else about.st_size
        found["/" + str(path.relative_to(root))] = (stat.filemode(about.st_mode), size)
    return found


def test_the_page_lists_what_is_in_it(root):
    """Names and modes exactly; sizes within a tenth, since compilers change. BLESS=1 writes the list anew. How large a C library is, or
    a bundle of certificates, is the distribution's affair: the Dockerfile builds on Debian, where they are compared, CI on Ubuntu."""
    found = listed(root)
    rows = "".join(f"| `{path}` | `{mode}` | {'' if size is None else f'{size:,}'} |\n" for path, (mode, size) in found.items())
    total = sum(size for _, size in found.values() if size is not None)
    table = f"| path | mode | bytes |\n|---|---|---:|\n{rows}| all | | {total:,} |\n"
    begin, end = "<!-- listed by tests/e2e/test_image.py -->\n", "<!-- to here -->\n"
    text = PAGE.read_text()
    before, _, rest = text.partition(begin)
    old, _, after = rest.partition(end)
    assert old and after
    if os.environ.get("BLESS"):
        PAGE.write_text(before + begin + table + end + after)
        return
    said = {m[1]: (m[2], int(m[3].replace(",", "")) if m[3] else None)
            for m in re.finditer(r"^\| `(\S+)` \| `(\S+)` \| ([\d,]*) \|$", old, re.M)}
    assert {path: mode for path, (mode, _) in said.items()} == {path: mode for path, (mode, _) in found.items()}
    compared = {path: (said[path][1], size) for path, (_, size) in found.items() if size is not None}
    [sum_said] = re.findall(r"^\| all \| \| ([\d,]+) \|$", old, re.M)
    compared["all"] = int(sum_said.replace(",", "")), total
    if not DEBIAN.items() <= platform.freedesktop_os_release().items():
        compared = {path: sizes for path, sizes in compared.items() if path != "all" and not path.startswith(DISTRIBUTIONS)}
    far = {path: sizes for path, sizes in compared.items() if abs(sizes[0] - sizes[1]) > max(sizes) / 10}
    assert far == {}, "on the page, and found"
    assert total < MOST


def stage(file):
    """The last stage: its instructions, lines that go on put together."""
    text = re.sub(r"\\\n\s*", "", (servers.ROOT / file).read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    first = max(nth for nth, line in enumerate(lines) if line.startswith("FROM "))
    return lines[first:], lines[:first]


def test_both_dockerfiles_make_the_image_that_is_tested_here():
    last, before = stage("Dockerfile")
    assert last[:2] == ["FROM scratch", "COPY --from=build /root-of-image/ /"]
    assert f"USER {container.USER}:{container.USER}" in last
    assert 'ENTRYPOINT ["/koine"]' in last
    assert "RUN image/build && image/assemble target/image/koine /root-of-image" in before
    release, _ = stage("image/Dockerfile.release")
    assert release[:3] == ["FROM scratch", "ARG TARGETARCH", "COPY ${TARGETARCH}/ /"]
    assert release[3:] == last[2:]


def test_whoever_builds_for_others_says_of_which_commit(tmp_path):
    """And that gets as far as to the compiler, for whom a program stands in here that says what it was told. Nobody says one by default."""
    name, = re.findall(r'option_env!\("(\w+)"\)', (servers.ROOT / "src/telemetry.rs").read_text())
    _, before = stage("Dockerfile")
    built, = [nth for nth, line in enumerate(before) if "image/build" in line]
    assert before.index(f"ARG {name}=unknown") < built
    program = yaml.safe_load((servers.ROOT / ".github/workflows/release.yml").read_text())["jobs"]["program"]
    assert program["env"] == {name: "${{ github.sha }}"} and not any(name in step.get("env", {}) for step in program["steps"])
    cargo = tmp_path / "cargo"
    cargo.write_text(f'#!/bin/sh\necho "told ${{{name}-nothing}}"\nexit 3\n')
    cargo.chmod(0o755)
    around = {variable: value for variable, value in os.environ.items() if variable != name}
    around |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CARGO_TARGET_DIR": str(tmp_path / "target")}
    for said, told in (({name: "c0ffee"}, "told c0ffee\n"), ({}, "told nothing\n")):
        done = subprocess.run([servers.ROOT / "image/build"], env=around | said, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (3, told), done.stderr


def test_everything_builds_with_one_toolchain():
    """What is asked for as 1.95 in Cargo.toml is one release of it wherever a program is made for others."""
    oldest, = re.findall(r'^rust-version = "(.*)"$', (servers.ROOT / "Cargo.toml").read_text(), re.M)
    of_image = re.findall(r"^FROM rust:([\d.]+)-", (servers.ROOT / "Dockerfile").read_text(), re.M)
    of_release = re.findall(r"toolchain install ([\d.]+) ", (servers.ROOT / ".github/workflows/release.yml").read_text())
    assert len(of_image) == 1 and len(of_release) == 2
    assert len({*of_image, *of_release}) == 1 and of_image[0].startswith(oldest + ".")


def needs_of_the_steps():
    """{step: what must have passed before it} by the table in tests/run. `down` stands in none: it is called when all has ended."""
    [table] = re.findall(r"^declare -A needs=\(\n(.*?)^\)$", (servers.ROOT / "tests/run").read_text(), re.M | re.S)
    rows = re.findall(r"\[(\w+)\]=('[^']*'|\S+)", table)
    found = {step: {need for need in needs.strip("'").split() if not need.startswith("~")} for step, needs in rows}
    assert len(found) == len(rows) == table.count("]=") > 20
    assert set().union(*found.values()) <= found.keys()
    return found | {"down": set()}


def test_the_release_asks_for_steps_that_there_are():
    """A processor whose tests cannot begin would hold back the whole release, and this is found out on the day of it."""
    workflow = yaml.safe_load((servers.ROOT / ".github/workflows/release.yml").read_text())
    steps = {of["name"]: of["steps"].split() for of in workflow["jobs"]["program"]["strategy"]["matrix"]["include"]}
    assert steps["x86_64"] == [] and {"build", "unit", "kafka"} <= set(steps["aarch64"])
    needs = needs_of_the_steps()
    # `servers` is that part of `tools` without which these cannot begin; what else is in `tools` they do not call.
    for step in ("up", "tour"):
        needs[step] = {"servers" if need == "tools" else need for need in needs[step]}
    # Single steps run in the order in which they are given.
    for nth, step in enumerate(steps["aarch64"]):
        assert step in needs, f"tests/run knows no step {step}"
        assert needs[step] <= set(steps["aarch64"][:nth]), f"{step}: what it needs does not come before it"


def test_nobody_can_change_it_and_it_is_always_the_same(root, tmp_path):
    for path, (mode, _) in listed(root).items():
        assert mode[8] == "-" and (mode[0] == "d" or "w" not in mode), f"{path}: {mode}"
        assert (root / path[1:]).lstat().st_mtime == 0, path
    again = container.assemble(tmp_path / "again")
    assert listed(again) == listed(root)
    for path, (_, size) in listed(root).items():
        assert size is None or (root / path[1:]).read_bytes() == (again / path[1:]).read_bytes(), path


def test_the_program_asks_for_what_is_in_the_image_and_tells_nothing_of_where_it_was_built(root):
    """Its loader and libraries by their names in the file itself, which is not how image/assemble finds them."""
    program = (root / "koine").read_bytes()
    told = subprocess.run(["readelf", "--wide", "--program-headers", "--dynamic", root / "koine"], check=True, capture_output=True, text=True).stdout
    [loader] = re.findall(r"program interpreter: (\S+)\]", told)
    assert (root / loader[1:]).is_file()
    needed = re.findall(r"\(NEEDED\) +Shared library: \[(.+)\]", told)
    brought = {path.name for path in root.rglob("*.so*")}
    assert "libc.so.6" in needed and set(needed) <= brought <= {*needed, Path(loader).name}
    assert not any("ssl" in name or "crypto" in name for name in needed)
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    for place in (str(servers.ROOT), str(servers.STACK.parent), home):
        assert place.encode() not in program, place
    # LLVM's numbers for units of code, which are others in each folder.
    assert re.findall(rb"\.llvm\.\d{4,}", program) == []


def test_it_says_who_it_is_and_translates_everything(root):
    done = container.run(root, "--version")
    assert (done.returncode, done.stdout[:6]) == (0, "koine "), done.stderr
    done = container.run(root, "demo", "--once")
    assert done.returncode == 0, done.stderr
    sums = re.search(r"^(\d+) consumed = (\d+) events \+ (\d+) ignored \+ (\d+) dead letters$", done.stdout, re.M)
    consumed, *parts = map(int, sums.groups())
    assert consumed == sum(parts) and all(parts)


def test_its_user_can_write_nowhere(root):
    done = container.run(root, "schemas", "export", "--out", "/etc/koine/out")
    assert done.returncode != 0 and "Read-only file system" in done.stderr, done.stderr


def test_time_zones_are_in_the_program(root, tmp_path):
    """A zone that is not known is an error of the configuration."""
    config = tmp_path / "koine.yaml"
    config.write_text("kafka: {bootstrap_servers: 'localhost:1'}\nregistry: {url: 'http://localhost:1'}\n"
                      "sources: [{topics: [raw], vendor: bspk, time_zone: Europe/Zurich}]\n")
    readable(tmp_path, config)
    done = container.run(root, "run", "--check", "--config", "/etc/koine/koine.yaml", mounts=[(tmp_path, "/etc/koine")])
    assert done.returncode == 0 and "Europe/Zurich" in done.stdout, done.stderr


class Running(support.KoineProcess):
    """koine in the root instead of on this machine."""

    def __init__(self, root, config, port, directory, hosts):
        super().__init__(container.PROGRAM, config, port, directory, {})
        mounts = [(config.parent, "/etc/koine"), (hosts, "/etc/hosts")]
        self.command = container.command(root, "run", "--config", f"/etc/koine/{config.name}", mounts=mounts)
        # What a machine says of certificates in its environment must not help.
        self.environment = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def named(directory, *names):
    """What an engine lays over the image's /etc/hosts."""
    hosts = directory / "hosts"
    hosts.write_text("127.0.0.1 localhost " + " ".join(names) + "\n")
    return hosts


def delivers(root, deployment, directory, hosts, more):
    """Twenty webhooks in, twenty canonical records out, by a koine in the root."""
    mounted = directory / "config"
    mounted.mkdir(exist_ok=True)
    deployment.more, deployment.directory = more, mounted
    port = servers.free_port()
    config = deployment.write_config("koine", port, deployment.registry)
    readable(mounted, config, *mounted.iterdir())
    deployment.stack.produce(next(iter(deployment.sources)), Bulk("bspk").take(20))
    with Running(root, config, port, directory / "run", hosts) as koine:
        deployment.wait_consumed()
        koine.stop()
    records = deployment.stack.read(deployment.canonical)
    assert len(records) == 20 and {r.event["meta"]["source"]["vendor"] for r in records} == {"bspk"}


def test_it_runs_against_real_kafka_and_registry_by_names_of_etc_hosts(root, deploy, stack, tmp_path):
    deployment = deploy({"raw.bspk": ("bspk", 2)})
    port = int(stack.brokers.rsplit(":", 1)[1])
    hosts = named(tmp_path, "broker.koine.test", "registry.koine.test")
    deployment.registry = stack.registry.replace("127.0.0.1", "registry.koine.test")
    delivers(root, deployment, tmp_path, hosts, {"kafka": {"bootstrap_servers": f"broker.koine.test:{port}"}})


def test_brokers_and_registry_are_trusted_by_the_images_certificates(stack, koine, tmp_path, unique):
    """Nothing is configured of whom to trust: broker and registry have certificates of an authority of the bundle. The same with
    a bundle that does not know it gets nowhere."""
    authority, stranger = Authority(tmp_path / "ca"), Authority(tmp_path / "stranger", "somebody-else")
    issuer = Issuer(tmp_path)
    kafka = SecureKafka(tmp_path / "kafka", authority, f"{issuer.base}/jwks").start()
    try:
        nginx = Nginx(tmp_path / "nginx", authority, stack.registry, issuer)
        try:
            world = support.Stack(kafka.brokers, stack.registry, servers.CLASSPATH)
            raw = f"{unique}raw.bspk"
            world.create({raw: 1})
            deployment = support.Deployment(world, koine, tmp_path, unique, {raw: "bspk"}, f"{unique}koine")
            deployment.create_outputs(canonical=1, dead=1)
            deployment.register()
            mounted = tmp_path / "config"
            mounted.mkdir()
            (mounted / "secret").write_text(PASSWORD + "\n")
            secret = "/etc/koine/secret"
            more = {
                "kafka": {"bootstrap_servers": kafka.address("scram").replace("127.0.0.1", "localhost"), "properties": {
                    "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "koine",
                    "sasl.password_file": secret}},
                "registry": {"username": "koine", "password_file": secret},
            }
            deployment.registry = nginx.url("basic").replace("127.0.0.1", "localhost")
            root = container.assemble(tmp_path / "root", authority.cert)
            delivers(root, deployment, tmp_path, named(tmp_path), more)

            mounts = [(mounted, "/etc/koine")]
            other = container.assemble(tmp_path / "other", stranger.cert)
            done = container.run(other, "doctor", "--config", "/etc/koine/koine.yaml", mounts=mounts)
            assert done.returncode == 1 and "certificate" in done.stdout + done.stderr, done.stdout + done.stderr
        finally:
            nginx.stop()
    finally:
        kafka.stop()
        issuer.close()


def test_names_are_asked_of_dns(root, tmp_path):
    """As in a cluster: resolv.conf names a server, and a name that stands in no file is asked there. In a network of its own,
    where port 53 is free."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions ndots:5 timeout:2\nsearch shop.svc.cluster.test\n")
    (tmp_path / "koine.yaml").write_text("kafka: {bootstrap_servers: 'localhost:1'}\nregistry: {url: 'http://registry:8081', timeout: 2s}\n")
    readable(tmp_path, tmp_path / "koine.yaml", tmp_path / "resolv.conf")
    mounts = [(tmp_path, "/etc/koine"), (tmp_path / "resolv.conf", "/etc/resolv.conf")]
    inside = container.command(root, "schemas", "check", "--config", "/etc/koine/koine.yaml", mounts=mounts)
    rights = [] if os.getuid() == 0 else ["sudo", "-n"]
    probe = Path(__file__).with_name("names.py")
    done = subprocess.run([*rights, "unshare", "--net", sys.executable, probe, *inside], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "asked for registry.shop.svc.cluster.test" in done.stdout, done.stdout
    assert "GET /" in done.stdout, done.stdout
