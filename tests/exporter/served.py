"""What the whole-program tests of the exporter share: the small service under a supervisor, and
requests to it, always with a deadline."""
import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "end_to_end"))
import support  # noqa: E402: what the end-to-end tests share


def get(port, path, headers=None):
    """(status, text) of a GET; (0, reason) while nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Case(support.Case):
    """A test with the service under `lockwarden run`, serving on self.port."""

    def serve(self, *flags):
        self.port = support.free_port()
        self.supervisor = self.start(
            self.supervised(support.program("service"), flags=(
                "--profile=production", f"--metrics=127.0.0.1:{self.port}", *flags)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        support.until(lambda: get(self.port, "/readyz")[0] == 200, "the program is recorded")

    def status(self):
        return json.loads(get(self.port, "/api/v1/status")[1])

    def pid(self):
        return support.until(lambda: next((it["pid"] for it in self.status()["processes"]
                                           if it["main"]), None), "its process is listed")

    def deadlock(self):
        self.supervisor.stdin.write(b"deadlock\n")
        self.supervisor.stdin.flush()
