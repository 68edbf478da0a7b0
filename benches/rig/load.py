"""Load generators on core 1, and the counts that they report. Wrong answers end a measurement."""
import os
import re
import subprocess

from .machine import LOAD_CORE, Unusable


def run(command, **more):
    return subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True, **more).stdout


def fields(proxy, plain=False):
    """The fields that a logged-in browser would send through a front end that speaks TLS."""
    cookie = (proxy.plain_cookie if plain else "") or proxy.cookie
    host = proxy.host or f"localhost:{proxy.plain if plain else proxy.tls}"
    listed = [("Host", host), ("X-Forwarded-Proto", "https"), ("Cookie", cookie)]
    return [f"{name}: {value}" for name, value in listed if value]


def wrk(proxy, scheme, path, connections, seconds, close=False, script=None):
    """HTTP/1.1 on kept connections, or with `close` a new one for each request."""
    port = proxy.tls if scheme == "https" else proxy.plain
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    if script:
        command += ["-s", script]
    else:
        command += [part for field in fields(proxy, scheme == "http") for part in ("-H", field)]
    if close:
        command += ["-H", "Connection: close"]
    text = run([*command, f"{scheme}://127.0.0.1:{port}{path}"])
    served = re.search(r"(\d+) requests in", text)
    if not served:
        raise Unusable(f"wrk said: {text}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    connect, read, _, late = (int(count) for count in errors.groups()) if errors else (0, 0, 0, 0)
    refused = int(bad[1]) if bad else 0
    return judged(proxy, int(served[1]) - refused, refused + connect + late + (0 if close else read))


def h2(proxy, path, connections, streams, seconds):
    """HTTP/2 over TLS."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", *h2_target(proxy, path)]
    text = run(command)
    total = re.search(r"requests: .* (\d+) succeeded, (\d+) failed", text)
    good = re.search(r"status codes: (\d+) 2xx", text)
    if not total or not good:
        raise Unusable(f"h2load said: {text}")
    return judged(proxy, int(good[1]), int(total[1]) + int(total[2]) - int(good[1]))


def h2_target(proxy, path):
    name = proxy.host or f"localhost:{proxy.tls}"
    target = [f"--connect-to=127.0.0.1:{proxy.tls}", f"https://{name}{path}"]
    return (["-H", f"cookie: {proxy.cookie}"] if proxy.cookie else []) + target


def paced(proxy, path, rate, seconds, run_folder, lines=4):
    """Latencies in milliseconds, sorted, of HTTP/1.1 requests at a constant rate. A few programs with a connection each: one program
    would let all its connections ask at the same instant, and measure its own bursts."""
    name = proxy.host or f"localhost:{proxy.plain}"
    sent = [part for field in fields(proxy, True) if not field.startswith("Host") for part in ("-H", field)]
    logs = [os.path.join(run_folder, f"latency-{number}.log") for number in range(lines)]
    asking = []
    for log in logs:
        if os.path.exists(log):
            os.unlink(log)
        command = ["h2load", "--h1", "-t1", "-c1", "-m1", f"--rps={rate / lines}", f"-D{seconds}", f"--log-file={log}", *sent]
        command += [f"--connect-to=127.0.0.1:{proxy.plain}", f"http://{name}{path}"]
        asking.append(subprocess.Popen(["taskset", "-c", LOAD_CORE, *command], stdout=subprocess.DEVNULL))
    rows = []
    for one, log in zip(asking, logs):
        one.wait()
        with open(log) as written:
            rows += [line.split("\t") for line in written]
    judged(proxy, sum(row[1] == "200" for row in rows), sum(row[1] != "200" for row in rows))
    began = min(int(row[0]) for row in rows)
    # The first second holds the connecting.
    return sorted(int(row[2]) / 1000 for row in rows if int(row[0]) > began + 1_000_000)


def judged(proxy, served, wrong):
    if served == 0 or wrong > served / 1000:
        raise Unusable(f"{proxy.name}: {wrong} of {served + wrong} answers were wrong")
    return served
