"""Processes on their cores, and what they cost: CPU by process and by core, memory, ports."""
import os
import re
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = "0", "1"
BOTH = "0,1"


class Unusable(Exception):
    """A measurement that must not be shown: something was missing, or answers were wrong."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=20):
    for _ in range(seconds * 20):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unusable(f"nothing listens on {port}")


class Processes:
    """Everything that was started, to be ended by id."""

    def __init__(self, run):
        self.run = run
        self.all = []

    def start(self, name, command, cores=PROXY_CORE, **environment):
        """Starts it on its cores; what it prints goes to run/NAME.log. Its standard input stays open while we live."""
        with open(self.log(name), "wb") as log:
            process = subprocess.Popen(["taskset", "-c", cores, *command], stdout=log, stderr=subprocess.STDOUT,
                                       stdin=subprocess.PIPE, env=os.environ | environment)
        self.all.append(process)
        return process.pid

    def log(self, name):
        return os.path.join(self.run, f"{name}.log")

    def stop(self, pid):
        for process in [one for one in self.all if one.pid == pid]:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.all.remove(process)

    def stop_all(self):
        for process in self.all[::-1]:
            self.stop(process.pid)


def tree(pid):
    """The process and its descendants."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    found.extend(int(child) for child in children.read().split())
        except OSError:
            pass
    return list(dict.fromkeys(found))


def cpu_seconds(pid):
    """User and system time of the process tree."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICK


def core_seconds(core=PROXY_CORE):
    """Busy seconds of a core with its interrupts, and the interrupts alone (no process is charged for them)."""
    with open("/proc/stat") as stat:
        line = next(line for line in stat if line.startswith(f"cpu{core} "))
    user, nice, system, _, _, irq, softirq = (int(field) for field in line.split()[1:8])
    return (user + nice + system + irq + softirq) / TICK, (irq + softirq) / TICK


def memory(pid):
    """Bytes that the process tree alone accounts for (proportional set size)."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup") as rollup:
                total += int(re.search(r"^Pss:\s+(\d+)", rollup.read(), re.M)[1])
        except OSError:
            pass
    return total * 1024


class Meter:
    """What core 0 did between two moments, and how much of it was somebody else's work."""

    def __init__(self, pid):
        self.pid = pid
        self.own, (self.busy, self.interrupts) = cpu_seconds(pid), core_seconds()

    def read(self):
        own = cpu_seconds(self.pid) - self.own
        busy, interrupts = (after - before for after, before in zip(core_seconds(), (self.busy, self.interrupts)))
        foreign = max(0.0, busy - own - interrupts) / busy if busy else 0.0
        return {"core": busy, "own": own + interrupts, "cpu": own, "foreign": foreign}
