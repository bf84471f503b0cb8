"""Plays DNS server and registry in a network namespace of its own, and runs a command there: what it asks is printed. A name
under .svc.cluster.test is 127.0.0.1, no other exists.

    unshare --net python names.py COMMAND...
"""
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


def name_of(question):
    """The name asked for, and where it ends."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels), at + 1


def answer(question):
    name, end = name_of(question)
    kind, = struct.unpack_from(">H", question, end)
    known = name.endswith(".svc.cluster.test")
    is_address = known and kind == 1
    print("asked for", name, flush=True)
    head = question[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, int(is_address), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1") if is_address else b""
    return head + question[12:end + 4] + record


def serve_names(server):
    while True:
        question, sender = server.recvfrom(4096)
        server.sendto(answer(question), sender)


class Registry(BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.command, self.path, flush=True)
        self.send_error(404)

    do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


def main(command):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    registry = HTTPServer(("127.0.0.1", 8081), Registry)
    for target, arguments in ((serve_names, (names,)), (registry.serve_forever, ())):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    print(done.stdout, done.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
