"""What the tests of real programs share: one scenario run three ways, its results compared.

A scenario is a method that starts a program with `way.start` or runs it with `way.run`, gives
it a bounded load, and returns whatever must be the same each time. The three ways are plain,
under the bare preload and under `lockwarden run` with the test profile. What ran, and how
long, is written to real-programs/ in the build folder; scripts/test shows it.
"""
import dataclasses
import re
import shutil
import subprocess
import time

from support import BUILD, PRELOAD, Case, end, environment, until

LOG = BUILD / "real-programs"


@dataclasses.dataclass
class Way:
    """How a scenario's program is run. Each has a folder of its own."""
    name: str
    case: Case
    folder: object
    deadline: float

    def __post_init__(self):
        self.folder.mkdir()
        self.errors = self.folder / "stderr"

    def environment(self, **changes):
        if self.name == "preload":
            changes["LD_PRELOAD"] = str(PRELOAD)
        return environment(**changes)

    def command(self, *command):
        if self.name != "supervised":
            return command
        return self.case.supervised(*command, flags=["--exitcode=0"])  # findings are read apart

    def start(self, *command, env=None, **options):
        """Starts a server; what it says on standard error is in self.errors."""
        with open(self.errors, "ab") as errors:
            return self.case.start(
                self.command(*command), cwd=self.folder, env=self.environment(**(env or {})),
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors,
                   **options},
            )

    def run(self, *command, env=None, stdin=b""):
        """Runs a program to its end: its exit code and what it printed."""
        process = self.start(*command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            out, _ = process.communicate(stdin, timeout=self.deadline)
        except subprocess.TimeoutExpired:
            end(process)
            raise AssertionError(
                f"{self.name}: {command[0]} did not end within {self.deadline:.0f} s; "
                f"standard error: {self.said()}"
            ) from None
        return process.returncode, out

    def load(self, *command, code=0, env=None, stdin=b""):
        """Runs a client, always plain, which must succeed: what it printed."""
        result = subprocess.run(
            [str(part) for part in command], cwd=self.folder, env=environment(**(env or {})),
            input=stdin, capture_output=True, timeout=self.deadline, check=False,
        )
        if result.returncode != code:
            raise AssertionError(
                f"{self.name}: {command} ended with {result.returncode}: "
                f"{(result.stdout + result.stderr).decode(errors='replace')[-2000:]}; "
                f"the server said: {self.said()}"
            )
        return result.stdout.decode(errors="replace")

    def answers(self, *command):
        """True as soon as a client command succeeds; for `until`."""
        return subprocess.run(
            [str(part) for part in command], cwd=self.folder, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=self.deadline, check=False,
        ).returncode == 0

    def ended(self, process):
        """Waits for the end of what `start` started: its exit code."""
        try:
            return process.wait(self.deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name}: the server did not end; it said {self.said()}") from None

    def said(self):
        return self.errors.read_text(errors="replace")[-4000:] if self.errors.exists() else ""


class RealProgram(Case):
    DEADLINE = 300.0  # seconds for any one step

    def needs(self, *programs):
        missing = [name for name in programs if shutil.which(name) is None]
        self.assertEqual(missing, [], "run scripts/setup heavy")

    def expect_same(self, scenario, what, may_drop="(?!)", known=lambda finding: False):
        """`may_drop`: tables of the ledger that this program is known to fill; `known`:
        findings that were examined."""
        results, seconds = {}, {}
        for name in ("plain", "preload", "supervised"):
            way = Way(name, self, self.folder / name, self.DEADLINE)
            begin = time.monotonic()
            results[name] = scenario(way)
            seconds[name] = time.monotonic() - begin
            found = [brief(finding) for finding in self.findings() if not known(finding)]
            self.assertEqual(found, [], "\n".join([name, *found]))
            complaints = [
                line for line in re.findall(r"(?m)^lockwarden: (.*)$", way.said())
                if not re.fullmatch(f"dropped records: (?:{may_drop}) [0-9]+", line)
                and not (self.findings() and re.match("[0-9]+ findings? ", line))
            ]
            self.assertEqual(complaints, [], name)
            if name != "plain":
                self.assertEqual(results[name], results["plain"], name)
        LOG.mkdir(exist_ok=True)
        times = ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items())
        findings = f"{len(self.findings())} known finding(s)" if self.findings() else "no finding"
        (LOG / f"{self.id().rpartition('.')[2]}.txt").write_text(
            f"{what}: {times}; same results, {findings}\n"
        )


def brief(finding):
    """A finding in a few lines, for the message of a test that fails."""
    lines = [f"{finding['kind']} ({finding.get('confidence')}), pid {finding['pid']}"]
    for thread in finding.get("threads", []):
        for held in thread.get("holds", []):
            lines.append(f"  {thread.get('name')} holds {places(held.get('stack'))}")
        lines.append(f"  {thread.get('name')} at {places(thread.get('stack'))}")
    return "\n".join(lines)


def places(stack):
    return " < ".join(str(frame.get("function") or frame.get("module")) for frame in (stack or [])[:8])


__all__ = ["RealProgram", "Way", "until"]
