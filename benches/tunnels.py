"""WebSockets over HTTP/2 (RFC 8441), many on one connection: as much of a client as holding them takes, in frames of its own.

Requests are written with literal fields, so no table has to be kept; of answers only the status is read.
"""
import struct
import sys

import holding

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_HEADERS, ACK = 4, 1
ENABLE_CONNECT, MAX_STREAMS, HEADER_TABLE = 8, 3, 1

WEBSOCKET_PING, WEBSOCKET_PONG = b"\x89\x80\0\0\0\0", b"\x8a\0"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def text(value):
    """A string of HPACK without Huffman's code; lengths from 127 on go into a second and third byte."""
    raw, rest = value.encode(), len(value) - 127
    length = bytes((len(raw),)) if rest < 0 else bytes((127, rest)) if rest < 128 else bytes((127, rest & 127 | 128, rest >> 7))
    return length + raw


class Tunnels:
    """One connection, and the WebSockets on it."""

    def __init__(self, stream, where, people):
        """Opens a WebSocket for each of the people."""
        self.stream, self.unread, self.granted, self.settings, self.heard = stream, b"", set(), {}, {}
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, struct.pack(">HI", HEADER_TABLE, 0)))
        self.read_until(lambda: self.settings)
        if self.settings.get(ENABLE_CONNECT) != 1 or self.settings.get(MAX_STREAMS, len(people)) < len(people):
            sys.exit(f"so many WebSockets are not offered on a connection: {self.settings}")
        self.ids = [1 + 2 * place for place in range(len(people))]
        for number, person in zip(self.ids, people):
            stream.sendall(frame(HEADERS, END_HEADERS, number, self.head(where, person)))
        self.read_until(lambda: len(self.granted) == len(people))

    @staticmethod
    def head(where, person):
        authority = f"{holding.HOST}:{where['https']}"
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/socket")]
        fields += [(":authority", authority), ("sec-websocket-version", "13"), ("origin", f"https://{authority}")]
        fields += [("x-forwarded-for", holding.address(person)), ("x-forwarded-proto", "https"), ("cookie", where["cookies"][person])]
        return b"".join(b"\0" + text(name) + text(value) for name, value in fields)

    def ask(self):
        """Pings the product through every WebSocket; a tunnel that had been let go would not bring its answer."""
        self.heard = dict.fromkeys(self.ids, b"")
        for number in self.ids:
            self.stream.sendall(frame(DATA, 0, number, WEBSOCKET_PING))
        self.read_until(lambda: all(said == WEBSOCKET_PONG for said in self.heard.values()))

    def read_until(self, done):
        while not done():
            piece = self.stream.recv(65_536)
            if not piece:
                sys.exit("a connection with idle WebSockets was closed")
            self.unread += piece
            while len(self.unread) >= 9 and len(self.unread) >= 9 + (length := int.from_bytes(self.unread[:3])):
                kind, flags = self.unread[3:5]
                self.take(kind, flags, int.from_bytes(self.unread[5:9]), self.unread[9 : 9 + length])
                self.unread = self.unread[9 + length :]

    def take(self, kind, flags, number, payload):
        if kind in (RESET, GOAWAY):
            sys.exit(f"stream {number} was ended: {payload[-4:].hex()}")
        if kind == SETTINGS and not flags & ACK:
            self.settings = {key: value for key, value in struct.iter_unpack(">HI", payload)}
            self.stream.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.stream.sendall(frame(PING, ACK, 0, payload))
        elif kind == HEADERS:
            # 0x20 to 0x3f resize the table; 0x88 is `:status: 200`.
            if payload.lstrip(bytes(range(0x20, 0x40)))[:1] != b"\x88":
                sys.exit(f"a WebSocket was refused after {len(self.granted)} on this connection: {payload[:20].hex()}")
            self.granted.add(number)
        elif kind == DATA:
            self.heard[number] = self.heard.get(number, b"") + payload

    def close(self):
        self.stream.close()
