"""A person who logs in: follows redirects and hop pages, fills in the address and the provider's form, keeps cookies by host."""
import html
import http.client
import re
import socket
import ssl
import urllib.parse

from .machine import Unusable

TRUST_ALL = ssl.create_default_context()
TRUST_ALL.check_hostname = False
TRUST_ALL.verify_mode = ssl.CERT_NONE


class Browser:
    """Names resolve to loopback. Cookies are kept by host and port, as separate programs share the address here."""

    def __init__(self, answers):
        self.answers = answers
        self.jars = {}
        self.lines = {}

    def cookie(self, url):
        return "; ".join(f"{name}={value}" for name, value in self.jars.get(urllib.parse.urlsplit(url).netloc, {}).items())

    def forget(self, url):
        self.jars.pop(urllib.parse.urlsplit(url).netloc, None)

    def ask(self, url, form=None):
        parts = urllib.parse.urlsplit(url)
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        jar = self.jars.setdefault(parts.netloc, {})
        fields = {"Host": parts.netloc, "Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        if jar:
            fields["Cookie"] = self.cookie(url)
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            fields |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
                       "Origin": f"{parts.scheme}://{parts.netloc}"}
        answer, text = self.exchange((parts.hostname, port, tls), "POST" if form is not None else "GET",
                                     urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, "")), body, fields)
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";", 1)[0].partition("=")
            gone = value in ("", "deleted") or re.search(r"max-age=0\b|01[ -]Jan[ -]1970", cookie, re.I)
            jar.pop(name.strip(), None) if gone else jar.__setitem__(name.strip(), value)
        return answer.status, answer.headers.get("Location"), text

    def exchange(self, where, *request):
        """On the connection that is open to that place, as browsers do; a new one where the server closed it."""
        for kept in (True, False):
            line = self.lines.pop(where, None) if kept else connect(*where)
            if line is None:
                continue
            try:
                line.request(*request)
                answer = line.getresponse()
                text = answer.read().decode("utf-8", "replace")
            except (http.client.HTTPException, OSError):
                line.close()
                if kept:
                    continue
                raise
            self.lines[where] = line
            return answer, text
        raise Unusable(f"{where} cannot be asked")

    def go(self, url):
        """Until a page answers that asks for nothing."""
        form = None
        for _ in range(40):
            status, location, text = self.ask(url, form)
            if location and 300 <= status < 400:
                url, form = urllib.parse.urljoin(url, location), None
                continue
            hop = re.search(r'http-equiv="refresh" content="\d+;\s*url=([^"]+)"', text, re.I)
            if hop:
                url, form = urllib.parse.urljoin(url, html.unescape(hop[1])), None
                continue
            asked = re.search(r'<form\b([^>]*)>(.*?)</form>', text, re.S)
            if status == 200 and not asked:
                return text
            if not asked:
                break
            action = re.search(r'action="([^"]*)"', asked[1])
            url, form = urllib.parse.urljoin(url, html.unescape(action[1]) if action else ""), self.fill(asked[2])
        raise Unusable(f"the login at {url} ended with {status}: {text[:300]}")

    def fill(self, inside):
        filled = {}
        for tag in re.findall(r"<input\b[^>]*>", inside):
            name = re.search(r'name="([^"]+)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name:
                filled[name[1]] = self.answers.get(name[1], html.unescape(value[1]) if value else "")
        return filled


def connect(host, port, tls):
    line = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=TRUST_ALL) if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if tls:
        # The name goes into the handshake though the address is loopback's.
        plain = socket.create_connection(("127.0.0.1", port), 20)
        line.sock = TRUST_ALL.wrap_socket(plain, server_hostname=host)
    return line
