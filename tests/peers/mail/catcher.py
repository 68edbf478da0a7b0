"""A real SMTP server (aiosmtpd) that keeps what it is given. One argument: a JSON object.

mode   plain | starttls (required) | tls | stripped (as somebody on the way leaves it: STARTTLS is not offered)
cert, key   PEM files, for starttls and tls
login  {"user": ..., "password": ...}: required where it is given
refuse {"code": 451, "times": 2}: the first mails are refused so

Its first line says where it listens; each mail it takes is a line after that, and so is each end of a connection without one. It
ends with its standard input."""
import email
import email.policy
import json
import socket
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

options = json.loads(sys.argv[1])
mode, login, refuse = options["mode"], options.get("login"), options.get("refuse", {"times": 0})


def say(line):
    print(json.dumps(line), flush=True)


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        if refuse["times"] > 0:
            refuse["times"] -= 1
            say({"refused": refuse["code"]})
            return f"{refuse['code']} told to refuse"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        say({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": str(mail["subject"]), "parts": parts,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "tls": session.ssl is not None, "hello": session.host_name, "user": session.auth_data,
        })
        return "250 kept"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 known"


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    if given == (login["user"], login["password"]):
        return AuthResult(success=True, auth_data=given[0])
    return AuthResult(success=False, handled=False)


context = None
if mode in ("starttls", "tls"):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options["cert"], options["key"])
settings = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {}
if login:
    settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": mode == "starttls"}
outer = {"ssl_context": context} if mode == "tls" else {}
controller = Controller(Keeper(), hostname="127.0.0.1", port=0, **outer, **settings)

# The controller connects to its own port to see that it serves, which port 0 does not survive: one is chosen first.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    controller.port = free.getsockname()[1]
controller.start()
say({"port": controller.port})
sys.stdin.read()
controller.stop()
