"""What `idle` and `revocation` share: a product that keeps streams open, and the gateway before it with many people's sessions."""
import asyncio
import base64
import contextlib
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = "bench.localhost"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Product(asyncio.Protocol):
    """Answers `/events` and `/socket` with streams that say nothing more but pongs, anything else with two bytes."""

    def connection_made(self, transport):
        self.transport, self.unread = transport, b""

    def data_received(self, data):
        if self.unread is None:
            # A WebSocket: whoever pings is still there, and so are we.
            self.transport.write(b"\x8a\0" * data.count(b"\x89\x80\0\0\0\0"))
            return
        self.unread += data
        while b"\r\n\r\n" in self.unread:
            head, self.unread = self.unread.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /events"):
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n")
            elif head.startswith(b"GET /socket"):
                key = next(line.split(b":")[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
                accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
                self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
                self.unread = None
                return
            else:
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Product, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def files(wanted):
    """Lets this process and its children open so many files, or as many as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, PermissionError):
        # Allowed to the administrator of the machine.
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
        hard = max(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return min(wanted, hard)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


@contextlib.contextmanager
def gateway(binary, people):
    """A running gateway with so many people: its ports, process id, state folder and cookies."""
    product, plain, https = (free_port() for _ in range(3))
    running = []
    with tempfile.TemporaryDirectory(prefix="fedgate-hold-") as run:
        try:
            running.append(subprocess.Popen([sys.executable, os.path.abspath(__file__), str(product)]))
            wait_for(product)
            command = [binary, str(https), str(plain), str(product), f"{run}/state", str(people)]
            started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            running.append(started)
            cookies = [started.stdout.readline().strip() for _ in range(people)]
            wait_for(plain)
            yield {"plain": plain, "https": https, "pid": started.pid, "state": f"{run}/state", "cookies": cookies}
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
                process.wait(10)


def address(person):
    """Each person has one of their own."""
    return f"10.{person >> 16 & 255}.{person >> 8 & 255}.{person & 255}"


def request(where, line, person, more=()):
    """A request of one person, as a trusted proxy passes it on."""
    fields = [f"Host: {HOST}:{where['https']}", "X-Forwarded-Proto: https", f"X-Forwarded-For: {address(person)}", f"Cookie: {where['cookies'][person]}", *more]
    return "\r\n".join([f"{line} HTTP/1.1", *fields, "", ""]).encode()


def upgrade(where):
    """The fields of a WebSocket's handshake."""
    return ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}", f"Origin: https://{HOST}:{where['https']}"]


if __name__ == "__main__":
    files(40_000)
    asyncio.run(serve(int(sys.argv[1])))
