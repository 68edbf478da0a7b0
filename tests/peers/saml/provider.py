"""A SAML identity provider on PyPI `pysaml2`, which signs, verifies and encrypts by the program `xmlsec1`. One argument: a JSON object.

key, cert   PEM files of its signing key
tls         {"cert", "key"}: PEM files

Its first line says {"entity_id", "metadata", "base", "admin"}. Acts of the admin port (POST JSON):
  /sp {metadata: XML}   /mode {sign ("assertion", "message" or "both"), encrypt (false, "aes128-gcm" or "3des"), logout ("redirect" or "post": its one binding)}
  /sessions   /seen

Every request must be signed, by either binding, and so must every answer to its own. It ends with its standard input."""
import datetime
import functools
import html
import http.server
import json
import ssl
import sys
import threading
import urllib.parse
import uuid

import saml2.entity
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.s_utils import success_status_factory
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import get_xmlsec_binary, pre_encryption_part, verify_redirect_signature

options = json.loads(sys.argv[1])
BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST}
RSA_SHA256, SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
CIPHERS = {"aes128-gcm": ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128"),
           "3des": ("http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192")}
PEOPLE = {"ann": ("p-ann-7", {"mail": "ann@acme.example.test", "displayName": "Ann Acme"}),
          "bob": ("p-bob-8", {"mail": "bob@acme.example.test", "displayName": 'Bob "Zoë" <Acme> & 李'})}
mode = {"sign": "both", "encrypt": False, "logout": "redirect"}
asked, sessions, seen = {}, {}, []
party, base = None, None


def provider():
    """pysaml2's own, as `mode` says, who knows the party that was registered last."""
    at = [(f"{base}/sso", binding) for binding in BINDINGS.values()]
    idp = {"endpoints": {"single_sign_on_service": at, "single_logout_service": [(f"{base}/slo", BINDINGS[mode["logout"]])]},
           "name_id_format": [NAMEID_FORMAT_PERSISTENT], "want_authn_requests_signed": True,
           "policy": {"default": {"attribute_restrictions": None, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}}}
    server = Server(config=IdPConfig().load({
        "entityid": f"{base}/metadata", "key_file": options["key"], "cert_file": options["cert"], "xmlsec_binary": get_xmlsec_binary(),
        "signing_algorithm": RSA_SHA256, "digest_algorithm": SHA256, "metadata": {"inline": [party] if party else []}, "service": {"idp": idp}}))
    # pysaml2 has no setting for what it encrypts by: 3DES.
    method, key = CIPHERS[mode["encrypt"] or "3des"]
    saml2.entity.pre_encryption_part = functools.partial(pre_encryption_part, msg_enc=method)
    server.sec.encrypt_assertion = functools.partial(server.sec.encrypt_assertion, key_type=key)
    return server


def party_id(server):
    return next(iter(server.metadata.keys()))


class Person(http.server.BaseHTTPRequestHandler):
    """The side that browsers see."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **fields):
        body = body.encode()
        self.send_response(status)
        for name, value in {"content_type": "text/html; charset=utf-8", **fields, "content_length": len(body)}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_on(self, binding, made, **fields):
        """As pysaml2 says that this binding is done."""
        if binding == BINDING_HTTP_REDIRECT:
            return self.answer(302, "", location=dict(made["headers"])["Location"], **fields)
        return self.answer(200, made["data"], **fields)

    def do_GET(self):
        self.act(BINDING_HTTP_REDIRECT, "")

    def do_POST(self):
        self.act(BINDING_HTTP_POST, self.rfile.read(int(self.headers["content-length"])).decode())

    def act(self, binding, body):
        url = urllib.parse.urlsplit(self.path)
        # Each name once: whoever sends one twice is not understood.
        pairs = urllib.parse.parse_qsl(body if body else url.query, keep_blank_values=True)
        fields = dict(pairs)
        acts = {"/metadata": self.metadata, "/sso": self.sso, "/login": self.login, "/slo": self.slo, "/logout": self.logout}
        try:
            assert len(fields) == len(pairs), "a parameter came twice"
            acts[url.path](binding, fields)
        except Exception as fault:  # Whatever pysaml2 says of a message: the test reads it.
            self.answer(400, f"the provider refuses: {html.escape(repr(fault))}", content_type="text/plain; charset=utf-8")

    def me(self):
        cookies = dict(pair.strip().split("=", 1) for pair in self.headers.get("cookie", "").split(";") if "=" in pair)
        return sessions.get(cookies.get("idp"))

    def metadata(self, _binding, _fields):
        self.answer(200, str(entity_descriptor(provider().config)), content_type="application/samlmetadata+xml")

    def sso(self, binding, fields):
        read = provider().parse_authn_request(fields["SAMLRequest"], binding, fields.get("RelayState"), fields.get("SigAlg"), fields.get("Signature"))
        assert read.verify(), "the request does not hold"
        ticket = str(uuid.uuid4())
        asked[ticket] = (read.message, fields.get("RelayState", ""))
        if (me := self.me()) and read.message.force_authn != "true":
            return self.respond(ticket, me)
        self.answer(200, '<!doctype html><title>Sign in</title><form method="post" action="/login">'
                    f'<input type="hidden" name="ticket" value="{ticket}"><input name="login"><input type="password" name="password">'
                    "<button>Sign in</button></form>")

    def login(self, _binding, fields):
        assert fields["login"] in PEOPLE and fields["password"] == f"{fields['login']}-pw", "wrong password"
        session = {"login": fields["login"], "index": None, "cookie": str(uuid.uuid4())}
        sessions[session["cookie"]] = session
        self.respond(fields["ticket"], session, set_cookie=f"idp={session['cookie']}; Path=/; HttpOnly")

    def respond(self, ticket, session, **fields):
        request, relay_state = asked.pop(ticket)
        server = provider()
        name, attributes = PEOPLE[session["login"]]
        to = server.pick_binding("assertion_consumer_service", [BINDING_HTTP_POST], "spsso", request=request)[1]
        made = server.create_authn_response(
            attributes, in_response_to=request.id, destination=to, sp_entity_id=request.issuer.text,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=name),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
                   "authn_instant": int(datetime.datetime.now().timestamp())},
            sign_response=mode["sign"] != "assertion", sign_assertion=mode["sign"] != "message", encrypt_assertion=bool(mode["encrypt"]),
            encrypted_advice_attributes=False, sign_alg=RSA_SHA256, digest_alg=SHA256)
        (statements,) = server.session_db.authn.values()
        session["index"] = statements[0][0].session_index
        self.send_on(BINDING_HTTP_POST, server.apply_binding(BINDING_HTTP_POST, str(made), to, relay_state, response=True), **fields)

    def slo(self, binding, fields):
        server = provider()
        if "SAMLResponse" in fields:
            # pysaml2 does not look at a query's signature of an answer by itself.
            if binding == BINDING_HTTP_REDIRECT:
                certificates = server.metadata.certs(party_id(server), "any", "signing")
                held = any(verify_redirect_signature(fields, server.sec.sec_backend, pem) for _, pem in certificates)
                assert held, "an answer that is not signed"
            read = server.parse_logout_request_response(fields["SAMLResponse"], binding)
            seen.append({"logout_response": {"status": read.response.status.status_code.value, "in_response_to": read.in_response_to},
                         "relay_state": fields.get("RelayState")})
            return self.answer(200, "<!doctype html><title>Done</title><p>Everything is over.</p>")
        read = server.parse_logout_request(fields["SAMLRequest"], binding, fields.get("RelayState"), fields.get("SigAlg"), fields.get("Signature"))
        assert read.verify(), "the request does not hold"
        request = read.message
        indexes = [index.text for index in request.session_index]
        seen.append({"logout_request": {"name_id": request.name_id.text, "indexes": indexes, "issuer": request.issuer.text}, "binding": binding})
        for session in [one for one in sessions.values() if one["index"] in indexes]:
            del sessions[session["cookie"]]
        back = BINDINGS[mode["logout"]]
        by_form = back == BINDING_HTTP_POST
        made = server.create_logout_response(request, [back], success_status_factory(), sign=by_form, sign_alg=RSA_SHA256, digest_alg=SHA256)
        to = server.response_args(request, [back])["destination"]
        self.send_on(back, server.apply_binding(back, str(made), to, fields.get("RelayState", ""), response=True, sign=not by_form, sigalg=RSA_SHA256))

    def logout(self, _binding, fields):
        """The person leaves at the provider."""
        server, me = provider(), self.me()
        by = BINDINGS[fields["binding"]]
        by_form = by == BINDING_HTTP_POST
        to = server.pick_binding("single_logout_service", [by], "spsso", entity_id=party_id(server))[1]
        name_id = NameID(format=NAMEID_FORMAT_PERSISTENT, text=PEOPLE[me["login"]][0])
        made = server.create_logout_request(to, party_id(server), name_id=name_id, session_indexes=[me["index"]],
                                            sign=by_form, sign_alg=RSA_SHA256, digest_alg=SHA256)
        made = made[1] if isinstance(made, tuple) else made
        self.send_on(by, server.apply_binding(by, str(made), to, "https://evil.example/", sign=not by_form, sigalg=RSA_SHA256))


class Admin(http.server.BaseHTTPRequestHandler):
    """The side that the test sees."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        global party
        wanted = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        if self.path == "/sp":
            party = wanted["metadata"]
        elif self.path == "/mode":
            mode.update(wanted)
        answers = {"/sessions": {"sessions": list(sessions.values())}, "/seen": {"seen": list(seen)}}
        if self.path == "/seen":
            seen.clear()
        body = json.dumps(answers.get(self.path, {})).encode()
        self.send_response(200 if self.path in {"/sp", "/mode", *answers} else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(handler, tls=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls["cert"], tls["key"])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


base = f"https://127.0.0.1:{serve(Person, options['tls'])}"
admin = serve(Admin)
print(json.dumps({"base": base, "entity_id": f"{base}/metadata", "metadata": str(entity_descriptor(provider().config)), "admin": admin}), flush=True)
sys.stdin.read()
