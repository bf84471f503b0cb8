"""The image's last stage without a container engine: the root that image/assemble makes, entered as an engine would let koine in:
a file system that nobody can write to, the image's user, no rights and no way to get any. It needs root, or sudo that asks for
nothing.
"""
import os
import subprocess

from support import servers

ASSEMBLE = servers.ROOT / "image" / "assemble"
PROGRAM = servers.STACK.parent / "image" / "koine"
USER = 65532

# In a mount namespace of its own: $1 the root, $2 how many mounts follow, each a file or folder of ours and its place in there.
ENTER = """
set -eu
root=$1 mounts=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
while [ "$mounts" -gt 0 ]; do
    mount --bind "$1" "$root$2"
    mount -o remount,ro,bind "$root$2"
    shift 2
    mounts=$((mounts - 1))
done
mount -o remount,ro,bind "$root"
if touch "$root/etc/koine/x" 2>/dev/null; then echo "the root can be written to" >&2; exit 99; fi
exec setpriv --no-new-privs -- chroot --groups= --userspec=%d:%d "$root" "$@"
""" % (USER, USER)


def assemble(directory, authorities=None):
    """The root; `authorities` is a PEM file instead of the machine's."""
    assert PROGRAM.is_file(), f"no {PROGRAM}: image/build makes it"
    given = {"CA_BUNDLE": str(authorities)} if authorities else {}
    subprocess.run([ASSEMBLE, PROGRAM, directory], env=os.environ | given, stdin=subprocess.DEVNULL, check=True, timeout=60)
    return directory


def command(root, *arguments, mounts=(), network=True):
    """The command line that runs koine in there; `mounts` are (ours, place) and are read-only. It becomes koine itself, so that
    its process is koine's and signals reach it. The environment holds what the caller's `env` says."""
    rights = [] if os.getuid() == 0 else ["sudo", "-n", "--preserve-env"]
    spaces = ["--mount"] if network else ["--mount", "--net"]
    flat = [str(part) for mount in mounts for part in mount]
    return [*rights, "unshare", *spaces, "sh", "-c", ENTER, "enter", str(root), str(len(mounts)), *flat, "/koine", *arguments]


def run(root, *arguments, mounts=(), env=None, timeout=120):
    """koine in there, with nothing in its environment but `env`."""
    path = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    return subprocess.run(command(root, *arguments, mounts=mounts), env=path | (env or {}), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout)
