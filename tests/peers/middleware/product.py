"""A product behind the door of deploy/middleware/python. One argument, a JSON object: issuer, product, keys (where the key set is fetched;
the door's own address where absent), trust [PEM files], ahead (seconds that its clock is fast). Its first line is {"port"}; it answers with
the person's `sub`, and ends with its standard input."""
import json
import os
import pathlib
import socket
import ssl
import sys
import threading
import time
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "deploy/middleware/python"))
import door  # noqa: E402

options = json.loads(sys.argv[1])
lookup = socket.getaddrinfo
# Every name is this machine, as in the tests' other peers.
socket.getaddrinfo = lambda host, *rest, **more: lookup("127.0.0.1", *rest, **more)
trust = ssl.create_default_context()
for file in options["trust"]:
    if os.path.exists(file):
        trust.load_verify_locations(file)
ssl._create_default_https_context = lambda *_, **__: trust


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def inside(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["fedgate.person"]["sub"].encode()]


def keys(url):
    url = options.get("keys") or url
    if url.startswith("http://127.0.0.1:"):     # a set of the test's own
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read()
    return door.fetch(url)


application = door.Door(
    inside, issuer=options["issuer"], product=options["product"],
    fetch=keys, now=lambda: time.time() + options.get("ahead", 0),
)
server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
sys.stdin.read()
