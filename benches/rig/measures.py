"""What is measured, one function a row of the table, and what must hold (the right columns)."""
import contextlib
import math
import os
import random
import socket
import sqlite3
import ssl
import statistics
import subprocess
import time

from . import load
from .machine import BOTH, LOAD_CORE, Meter, Unusable, cpu_seconds, memory
from .walk import TRUST_ALL, Browser

# A point during which others used more of core 0 than this is repeated once, then kept out of the `core` medians.
QUIET = 0.05

# How fast each proxy is asked: name, what, how.
PHASES = {
    "h1": "HTTP/1.1, 64 connections, 1 KiB",
    "tls": "TLS 1.3, HTTP/1.1, 64 connections, 1 KiB",
    "h2": "TLS 1.3, HTTP/2, 64 connections of 4 streams, 1 KiB",
    "64k": "TLS 1.3, HTTP/1.1, 64 connections, 64 KiB",
    "hs": "TLS 1.3 full handshake and one request a connection",
}


def ask(phase, proxy, seconds, script=None):
    if phase == "h1":
        return load.wrk(proxy, "http", "/1k", 64, seconds, script=script)
    if phase == "tls":
        return load.wrk(proxy, "https", "/1k", 64, seconds, script=script)
    if phase == "64k":
        return load.wrk(proxy, "https", "/64k", 64, seconds)
    if phase == "hs":
        return load.wrk(proxy, "https", "/1k", 64, seconds, close=True)
    return load.h2(proxy, "/1k", 64, 4, seconds)


def cost(phase, proxy, seconds, script=None):
    """Microseconds per request: `core` is busy time of core 0 with its interrupts, `own` the same without other processes."""
    for attempt in range(2):
        meter = Meter(proxy.pid)
        served = ask(phase, proxy, seconds, script)
        spent = meter.read()
        if spent["foreign"] <= QUIET or attempt == 1:
            return {"core": 1e6 * spent["core"] / served, "own": 1e6 * spent["own"] / served, "rate": served / seconds,
                    "quiet": spent["foreign"] <= QUIET}


def rounds(phase, proxies, seconds, repeats):
    """A list of points for each proxy, in rounds: everybody once a round, the order reversed every time."""
    points = {proxy.name: [] for proxy in proxies}
    for proxy in proxies:
        ask(phase, proxy, 1)
    for turn in range(repeats):
        for proxy in proxies if turn % 2 == 0 else proxies[::-1]:
            points[proxy.name].append(cost(phase, proxy, seconds))
    return points


def ratio(base, other):
    """How many times cheaper the other is, by round: median, least, most and the column that it comes from."""
    pairs = [(a, b) for a, b in zip(base, other) if a["quiet"] and b["quiet"]]
    column, pairs = ("core", pairs) if len(pairs) * 2 >= len(base) else ("own", list(zip(base, other)))
    found = sorted(a[column] / b[column] for a, b in pairs)
    return statistics.median(found), found[0], found[-1], column


def latency(proxies, rate, seconds, repeats, run):
    """p50 and p99 in milliseconds at a constant rate: medians of the rounds."""
    found = {proxy.name: [] for proxy in proxies}
    for turn in range(repeats):
        for proxy in proxies if turn % 2 == 0 else proxies[::-1]:
            times = load.paced(proxy, "/1k", rate, seconds, run)
            found[proxy.name].append((times[len(times) // 2], times[math.ceil(len(times) * 0.99) - 1]))
    return {name: tuple(statistics.median(column) for column in zip(*rows)) for name, rows in found.items()}


def idle(proxy, count, tls):
    """KiB of the proxy per idle connection after one request each."""
    before = memory(proxy.pid)
    held = []
    try:
        for _ in range(count):
            held.append(one_request(proxy, tls))
        time.sleep(2)
        return (memory(proxy.pid) - before) / count / 1024
    finally:
        for line in held:
            line.close()


def one_request(proxy, tls):
    line = socket.create_connection(("127.0.0.1", proxy.tls if tls else proxy.plain), 20)
    if tls:
        line = TRUST_ALL.wrap_socket(line, server_hostname=(proxy.host or "localhost").split(":")[0])
    head = "".join(f"{field}\r\n" for field in load.fields(proxy, not tls))
    line.sendall(f"GET /1k HTTP/1.1\r\n{head}\r\n".encode())
    answer = b""
    while len(answer.partition(b"\r\n\r\n")[2]) < 1024:
        part = line.recv(8192)
        answer += part
        if not part or not answer.startswith(b"HTTP/1.1 200"):
            raise Unusable(f"{proxy.name} answered {answer[:80]!r}")
    return line


def everybody(proxy, run):
    """Each person's cookie once, so that all sessions are known; a script for wrk that does just that."""
    with open(os.path.join(run, "cookies"), "w") as out:
        out.writelines(f"{cookie}\n" for cookie in proxy.cookies)
    return script(run, "all", proxy, """
  at = at % #cookies + 1
  return wrk.format("GET", "/1k", { ["Host"] = host, ["X-Forwarded-Proto"] = "https", ["Cookie"] = cookies[at] })""")


def drawn(proxy, run, count, name):
    """People drawn by Zipf's law (s = 1) from the first `count`: the draws are made beforehand, so that the load costs the same."""
    generator = random.Random(7)
    weights, total = [], 0.0
    for rank in range(1, count + 1):
        total += 1 / rank
        weights.append(total)
    draws = generator.choices(range(1, count + 1), cum_weights=weights, k=1_000_000)
    with open(os.path.join(run, f"draws-{name}"), "w") as out:
        out.writelines(f"{draw}\n" for draw in draws)
    return script(run, name, proxy, """
  at = at % #draws + 1
  return wrk.format("GET", "/1k", { ["Host"] = host, ["X-Forwarded-Proto"] = "https", ["Cookie"] = cookies[draws[at]] })""", True)


def script(run, name, proxy, body, with_draws=False):
    path = os.path.join(run, f"{name}.lua")
    with open(path, "w") as out:
        out.write(f'host = "{proxy.host}"\ncookies = {{}}\nfor line in io.lines("{run}/cookies") do cookies[#cookies + 1] = line end\n')
        if with_draws:
            out.write(f'draws = {{}}\nfor line in io.lines("{run}/draws-{name}") do draws[#draws + 1] = tonumber(line) end\n')
        out.write(f"at = os.time() * 7919\nrequest = function(){body}\nend\n")
    return path


def touch_all(proxy, run):
    """Until every session has been asked for; the cache is warm then."""
    path, left, tries = everybody(proxy, run), len(proxy.cookies), 0
    while left > 0:
        tries += 1
        # The script begins anew each time, so one run must cover all.
        seconds = max(2, math.ceil(len(proxy.cookies) / 4000)) * tries
        left = len(proxy.cookies) - load.wrk(proxy, "http", "/1k", 64, seconds, script=path)


def transfer(proxy, run, upload):
    """One body of 1 GiB: seconds on the wall, busy seconds of core 0, and how far the proxy's memory rose above its rest."""
    rest, peak = memory(proxy.pid), 0
    url = f"http://127.0.0.1:{proxy.plain}/{'dav/upload' if upload else '1g'}"
    command = ["taskset", "-c", LOAD_CORE, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{size_upload}"]
    command += [part for field in load.fields(proxy, True) for part in ("-H", field)]
    if upload:
        command += ["-T", os.path.join(run, "1g"), "-H", "Sec-Fetch-Site: same-origin", "-H", "Expect:"]
    meter, began = Meter(proxy.pid), time.monotonic()
    moving = subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True)
    while moving.poll() is None:
        peak = max(peak, memory(proxy.pid))
        time.sleep(0.1)
    took, spent = time.monotonic() - began, meter.read()
    code, down, up = moving.stdout.read().split()
    if int(up if upload else down) != 1 << 30 or code not in ("200", "201", "204"):
        raise Unusable(f"{proxy.name} moved {down} down, {up} up, with {code}")
    return {"seconds": took, "core": spent["own"], "grew": max(0, peak - rest) / 2**20}


def logins(proxy, count, who):
    """CPU milliseconds of the gateway per login by authorization code; the provider knows the browser already."""
    again = logger_in(proxy, who)
    again(1)
    before = cpu_seconds(proxy.pid)
    again(count)
    return (cpu_seconds(proxy.pid) - before) * 1000 / count


def logger_in(proxy, who):
    """Logs one person in, so many times, as a browser that has forgotten all but the provider."""
    url = f"https://{proxy.host}/1k"
    hosts = {url, f"https://id.{proxy.host}/"}
    browser = Browser(who)

    def again(count):
        for _ in range(count):
            for host in hosts:
                browser.forget(host)
            browser.go(url)
    return again


def written(proxy, state, count, who):
    """What a login leaves in the store: rows by table, and what of the write-ahead log it fills: commits (each is one sync), pages
    and bytes. Until the log was not begun anew meanwhile."""
    again, file = logger_in(proxy, who), os.path.join(state, "fedgate.db")
    again(1)
    for _ in range(5):
        (salt, *before), rows = journal(f"{file}-wal"), counted(file)
        again(count)
        (same, *after), more = journal(f"{file}-wal"), counted(file)
        if salt == same:
            commits, pages, size = ((late - early) / count for early, late in zip(before, after))
            grown = {table: (more[table] - rows[table]) / count for table in more if more[table] != rows[table]}
            return {"commits": commits, "pages": pages, "bytes": size, "rows": grown}
    raise Unusable("the store's log begins anew all the time")


def journal(path):
    """A write-ahead log's salt, and of its present generation commits, pages and bytes (https://www.sqlite.org/fileformat.html#walformat)."""
    with open(path, "rb") as log:
        content = log.read()
    page, salt = int.from_bytes(content[8:12], "big"), content[16:24]
    commits = pages = 0
    for at in range(32, len(content) - page - 23, page + 24):
        if content[at + 8:at + 16] != salt:
            break
        pages += 1
        commits += content[at + 4:at + 8] != bytes(4)
    return salt, commits, pages, pages * (page + 24)


def counted(file):
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        tables = [name for name, in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        return {name: store.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
