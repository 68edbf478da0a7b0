"""Python's HTTP parsers as judges: h11 for bytes, http.server as a product.

    python readers.py parse         a JSON array of requests in base64 on standard input; what each means on standard output
    python readers.py serve SOCKET  a product on a unix socket that answers each request with what it means
"""

import base64
import http.server
import json
import os
import socketserver
import sys
import threading


def requests(raw):
    """Every request in these bytes, or why there is none."""
    import h11

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    found = []
    try:
        connection.receive_data(raw)
        while True:
            event = connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                break
            if isinstance(event, h11.Request):
                found.append(
                    {
                        "method": event.method.decode("latin-1"),
                        "target": event.target.decode("latin-1"),
                        "fields": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in event.headers],
                        "body": b"",
                        "trailers": None,
                    }
                )
            elif isinstance(event, h11.Data):
                found[-1]["body"] += event.data
            elif isinstance(event, h11.EndOfMessage):
                found[-1]["trailers"] = len(event.headers)
                break
        left = connection.trailing_data[0]
        if left:
            found.append({"error": f"{len(left)} bytes are left"})
    except h11.RemoteProtocolError as error:
        found.append({"error": str(error)})
    for one in found:
        if "body" in one:
            one["body"] = base64.b64encode(one["body"]).decode()
    return found


class Product(http.server.BaseHTTPRequestHandler):
    """Answers each request with what `http.server` made of it; reads chunks by hand, as that module leaves them."""

    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            trailers = 0
            while self.rfile.readline().strip():
                trailers += 1
            return body, trailers
        return self.rfile.read(int(self.headers.get("Content-Length", 0))), 0

    def answer(self):
        body, trailers = self.read_body()
        said = json.dumps(
            {
                "method": self.command,
                "target": self.path,
                "fields": [[name.lower(), value] for name, value in self.headers.items()],
                "body": base64.b64encode(body).decode(),
                "trailers": trailers,
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def address_string(self):
        return "gateway"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


if sys.argv[1] == "parse":
    json.dump([requests(base64.b64decode(raw)) for raw in json.load(sys.stdin)], sys.stdout)
else:
    server = Server(sys.argv[2], Product)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    # Whoever started this process is gone when this ends.
    sys.stdin.read()
    os._exit(0)
