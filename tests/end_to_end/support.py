"""What the end-to-end tests share: running programs plain, under `lockwarden run` and under
the bare preload, always with a deadline, and never leaving one behind.

LOCKWARDEN_BUILD in the environment is the build folder (bin/ and lib/ in it).
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

BUILD = pathlib.Path(os.environ["LOCKWARDEN_BUILD"])
LOCKWARDEN = BUILD / "bin" / "lockwarden"
PRELOAD = BUILD / "lib" / "liblockwarden_preload.so"
DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo"
PYTHON = "/usr/bin/python3"
NOBODY = 65534
DEADLINE = 40.0  # seconds; for everything that should take a moment


def program(name):
    """A program of tests/end_to_end/programs or of examples."""
    return str(BUILD / "bin" / name)


@dataclasses.dataclass
class Result:
    code: int  # negative: died of that signal
    out: bytes
    err: bytes
    findings: list  # of dicts, from format=json; empty after a plain run


def until(condition, what, deadline=DEADLINE):
    """Polls until condition() is true and returns its value; fails after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain: {what}")
        time.sleep(0.01)


def environment(**changes):
    """This process's environment without what would steer Lockwarden, with changes."""
    kept = {
        key: value for key, value in os.environ.items()
        if not key.startswith("LOCKWARDEN_") and key != "LD_PRELOAD"
    }
    kept.update({"LC_ALL": "C"}, **changes)
    return kept


def end(process):
    """Ends a program and what it started: asked first, so that a supervisor can clean up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            break
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


class Case(unittest.TestCase):
    """A test with a folder of its own, which is removed at the end."""
    deadline = DEADLINE

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.report = self.folder / "report.json"
        self.incidents = self.folder / "incidents"

    def start(self, command, **options):
        """Starts a program in a process group of its own; it is ended with the test."""
        process = subprocess.Popen(
            [str(part) for part in command], start_new_session=True,
            **{"env": environment(), "cwd": self.folder, **options},
        )
        self.addCleanup(end, process)
        return process

    def run_plain(self, *command, stdin=b"", **options):
        process = self.start(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **options,
        )
        try:
            out, err = process.communicate(stdin, timeout=self.deadline)
        except subprocess.TimeoutExpired:
            end(process)
            raise AssertionError(f"{command} did not end within {self.deadline:.0f} s") from None
        return Result(process.returncode, out, err, [])

    def supervised(self, *command, flags=()):
        """The command line that runs `command` under Lockwarden, reporting to self.report."""
        return [
            LOCKWARDEN, "run", "--format=json", f"--report={self.report}",
            f"--incidents={self.incidents}", *flags, "--", *command,
        ]

    def run_supervised(self, *command, flags=(), **options):
        result = self.run_plain(*self.supervised(*command, flags=flags), **options)
        result.findings = self.findings()
        return result

    def run_preloaded(self, *command, **options):
        """Under the bare preload, without a supervisor."""
        options.setdefault("env", environment(LD_PRELOAD=str(PRELOAD)))
        return self.run_plain(*command, **options)

    def findings(self):
        if not self.report.exists():
            return []
        text = self.report.read_text()
        return [json.loads(line) for line in text.split("\n")[: text.count("\n")] if line]

    def kinds(self):
        return [finding["kind"] for finding in self.findings()]


def free_port():
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(port):
    """{sample: value} of /metrics, or None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in samples}
