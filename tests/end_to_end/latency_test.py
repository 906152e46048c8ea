"""A report appears within one second of the deadlock. The program says when it is about to
block, the finding says when it was made, the file system when the report was written; all
three are CLOCK_REALTIME of one machine.
"""
import datetime
import subprocess
import unittest

from support import Case, end, program, until

PROMISE = 1.0  # seconds
TRIES = 5      # other work on the machine may be in the way of a try, not of all


class Latency(Case):
    def test_a_report_appears_within_a_second_of_the_deadlock(self):
        delays = []
        for _ in range(TRIES):
            delays.append(self.one_try())
            if max(delays[-1]) <= PROMISE:
                return
        self.fail(f"(until made, until written), in seconds: {delays}")

    def one_try(self):
        self.report.unlink(missing_ok=True)
        supervisor = self.start(
            self.supervised(program("crossing"), flags=["--on-deadlock=report"]),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        blocked = max(int(supervisor.stdout.readline().split()[1]) for _ in range(2)) / 1e9
        finding = until(self.findings, "a report")[0]
        written = self.report.stat().st_mtime
        end(supervisor)
        made = seconds(finding["time"])
        self.assertEqual(finding["kind"], "deadlock")
        return made - blocked, written - blocked


def seconds(time):
    """A finding's time, RFC 3339, as seconds since 1970."""
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    unittest.main()
