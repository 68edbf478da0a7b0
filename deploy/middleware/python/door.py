"""The door of a product in Python: it lets in whoever the gateway says is there, and nobody else.

    pip install cryptography
    from door import Door
    application = Door(application, issuer="https://id.example.com", product="trello")      # WSGI: Django, Flask, Pyramid
    # behind it: environ["fedgate.person"]["sub"]

What it checks is in docs/middleware.md. It reads no other field: X-Fedgate-User and its siblings prove nothing.
"""
import base64
import json
import re
import threading
import time
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

SKEW = 60           # seconds that two clocks may differ
LONGEST = 300       # seconds that the gateway lets an assertion live
KEPT = 300          # seconds that the keys are kept
AGAIN = 30          # an unknown key has them fetched anew, so often at most (seconds)
LARGEST = 65536     # bytes of an assertion, and of the key set


class Refused(Exception):
    """Nothing that the gateway wrote for this product, now."""


class NoKeys(Exception):
    """The gateway's keys cannot be had."""


def fetch(url):
    """The key set. An https address alone; the certificate is verified, and redirects are not followed."""
    if not url.startswith("https://"):
        raise NoKeys("the issuer is no https address")

    class Straight(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    with urllib.request.build_opener(Straight).open(url, timeout=5) as answer:
        return answer.read(LARGEST)


def unpack(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise Refused("no base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def table(data):
    """A JSON object in which nothing is said twice."""
    def once(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("said twice")
        return dict(pairs)
    value = json.loads(data, object_pairs_hook=once)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


class Keys:
    """The gateway's public keys, by their ids."""

    def __init__(self, issuer, fetch, clock=time.monotonic):
        self.url, self.fetch, self.clock = issuer.rstrip("/") + "/.well-known/jwks.json", fetch, clock
        self.known, self.fetched, self.lock = {}, None, threading.Lock()

    def find(self, kid):
        with self.lock:
            age = None if self.fetched is None else self.clock() - self.fetched
            if age is None or age >= KEPT or (kid not in self.known and age >= AGAIN):
                self.known = self.load()    # an old set is not used on when the new one cannot be had
                self.fetched = self.clock()
            return self.known.get(kid)

    def load(self):
        try:
            keys = table(self.fetch(self.url))["keys"]
            return {key["kid"]: point(key) for key in keys if key.get("kty") == "EC" and key.get("crv") == "P-256"}
        except Exception as why:
            self.known, self.fetched = {}, None
            raise NoKeys(str(why)) from why


def point(key):
    x, y = (int.from_bytes(unpack(key[name]), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def verify(token, keys, issuer, product, now):
    """The claims of an assertion, or Refused, or NoKeys."""
    try:
        if len(token) > LARGEST:
            raise Refused("too long")
        signed, _, signature = token.rpartition(".")
        head, _, body = signed.partition(".")
        header, signature = table(unpack(head)), unpack(signature)
        # The algorithm is ours to say, not the token's: what names another one is not looked at.
        if header.get("alg") != "ES256" or header.get("typ") != "fedgate+jwt" or "crit" in header or len(signature) != 64:
            raise Refused("no fedgate+jwt by ES256")
        key = keys.find(header.get("kid"))
        if key is None:
            raise Refused("no key of the gateway")
        halves = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        key.verify(encode_dss_signature(*halves), signed.encode(), ec.ECDSA(SHA256()))
        claims = table(unpack(body))
    except (InvalidSignature, ValueError, TypeError) as why:
        raise Refused("not signed by the gateway") from why
    return judged(claims, issuer, product, now)


def judged(claims, issuer, product, now):
    audience, issued, ends = claims.get("aud"), claims.get("iat"), claims.get("exp")
    audience = [audience] if isinstance(audience, str) else audience
    if claims.get("iss") != issuer or not isinstance(audience, list) or product not in audience:
        raise Refused("not for this product")
    if type(issued) is not int or type(ends) is not int:
        raise Refused("no times")
    if now >= ends + SKEW or issued > now + SKEW or now >= issued + LONGEST + SKEW:
        raise Refused("too old, or of the future")
    if not all(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
        raise Refused("nobody")
    return claims


class Door:
    """A WSGI application in front of another."""

    def __init__(self, inside, issuer, product, fetch=fetch, now=time.time):
        self.inside, self.issuer, self.product, self.now = inside, issuer, product, now
        self.keys = Keys(issuer, fetch)

    def __call__(self, environ, start_response):
        # Servers join two fields of one name with a comma, which is in no assertion.
        token = environ.get("HTTP_FEDGATE_ASSERTION", "")
        try:
            environ["fedgate.person"] = verify(token, self.keys, self.issuer, self.product, self.now())
        except Refused:
            return refuse(start_response, "401 Unauthorized", b"open this product through the gateway\n")
        except NoKeys:
            return refuse(start_response, "503 Service Unavailable", b"the keys of the gateway cannot be had\n")
        return self.inside(environ, start_response)


def refuse(start_response, status, text):
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"), ("Content-Length", str(len(text)))]
    start_response(status, fields)
    return [text]
