"""The conformance table: every function that the preload takes over answers as libc does.

One program (rows/) makes the calls and prints what they return and what becomes of errno.
It runs plain, and under the preload in every way that it can be set up, and must print the
same. The list of functions is the preload's own: a hook without a row fails.

    conformance_test.py --program=ROWS --plugin=LIBRARY --build=BUILD [unittest's arguments]
"""
import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
STRUCTURE = HERE.parent / "structure"
sys.path.insert(0, str(STRUCTURE))
import elf  # noqa: E402

DEADLINE = 120.0  # seconds; a run takes less than one
ARGUMENTS = argparse.Namespace()

# What the library exports that is no function of libc.
# What only Lockwarden's own headers and types call, and what AddressSanitizer asks.
NOT_A_HOOK = {
    "lockwarden_recorder_v1", "lockwarden_order_v1", "lockwarden_thread_v1",
    "lockwarden_exempt_thread_v1",
    "lockwarden_user_about_to_wait",
    "lockwarden_user_acquired", "lockwarden_user_released", "lockwarden_user_named",
    "lockwarden_user_destroyed", "lockwarden_heartbeat_v1", "lockwarden_user_beat",
    "lockwarden_user_pause", "lockwarden_user_resume", "lockwarden_user_deadline",
    "lockwarden_user_stop", "__asan_default_options",
}


# Every error that these functions know must be met somewhere in the table.
ERRORS = (
    "EAGAIN", "EBUSY", "EDEADLK", "EINTR", "EINVAL", "ENOTRECOVERABLE", "EOPNOTSUPP", "EOVERFLOW",
    "EOWNERDEAD", "EPERM", "ETIMEDOUT",
)


def environment(**changes):
    """This process's, without what would steer Lockwarden."""
    kept = {
        key: value for key, value in os.environ.items()
        if not key.startswith("LOCKWARDEN_") and key != "LD_PRELOAD"
    }
    return {**kept, "LC_ALL": "C", **changes}


def run(*command, **changes):
    with tempfile.TemporaryDirectory(prefix="lockwarden-conformance-") as folder:
        return subprocess.run(
            [str(part) for part in command], env=environment(**changes), cwd=folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE,
            check=False,
        )


def rows(*before, **changes):
    """Runs every row, by itself or as the program of the command `before`."""
    return run(*before, ARGUMENTS.program, ARGUMENTS.plugin, **changes)


def hooks():
    lines = (STRUCTURE / "preload_exports.txt").read_text().splitlines()
    names = {line.partition("#")[0].strip().partition("@")[0] for line in lines}
    return names - NOT_A_HOOK - {""}


class EveryHook(unittest.TestCase):
    def test_has_a_row(self):
        with_a_row = set(run(ARGUMENTS.program, "--functions").stdout.split())
        self.assertGreater(len(with_a_row), 30)
        self.assertEqual(sorted(hooks() - with_a_row), [])

    def test_is_really_called_by_the_program(self):
        called = {name for name, _ in elf.undefined(elf.describe(ARGUMENTS.program))}
        self.assertEqual(sorted(hooks() - called), [])


# The table does much that deserves a finding: they go to files. One row holds a thousand locks at
# once, others leave no room on their stacks to unwind in: both are counted.
MAY_SAY = "lockwarden: (dropped records: (held_list|stack) [0-9]+|[0-9]+ findings? .*)"


class TheAnswersAreTheSame(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plain = rows()
        cls.preload = str(ARGUMENTS.build / "lib" / "liblockwarden_preload.so")
        cls.lockwarden = ARGUMENTS.build / "bin" / "lockwarden"

    def expect_same(self, other, may_say="nothing"):
        difference = "\n".join(difflib.unified_diff(
            self.plain.stdout.splitlines(), other.stdout.splitlines(), "plain", "with Lockwarden",
            lineterm="", n=6,
        ))
        if difference:
            self.fail("the answers differ:\n" + difference)
        said = re.sub(f"(?m)^{may_say}$\n", "", other.stderr)
        self.assertEqual((other.returncode, said), (self.plain.returncode, self.plain.stderr))

    def test_of_every_row_in_a_plain_run(self):
        self.assertEqual((self.plain.returncode, self.plain.stderr), (0, ""))
        self.assertGreater(self.plain.stdout.count("\n"), 2000)
        missing = [error for error in ERRORS if f" {error}" not in self.plain.stdout]
        self.assertEqual(missing, [])

    def test_when_run_again(self):
        self.expect_same(rows())

    def expect_same_preloaded(self, options="", **changes):
        self.expect_same(rows(
            LD_PRELOAD=self.preload,
            LOCKWARDEN_OPTIONS=f"report=report,incidents=incidents,{options}", **changes), MAY_SAY)

    def test_under_the_preload(self):
        self.expect_same_preloaded()

    def test_under_the_preload_without_a_helper(self):
        self.expect_same(rows(LD_PRELOAD=self.preload, LOCKWARDEN_OPTIONS="watchdog=off"))

    def test_under_the_preload_however_it_is_set(self):
        for profile in ("test", "production"):
            for stacks in ("full", "site", "off"):
                with self.subTest(profile=profile, stacks=stacks):
                    self.expect_same_preloaded(
                        f"profile={profile},stacks={stacks},on_deadlock=report")

    def test_under_the_preload_with_every_symbol_bound_at_once(self):
        self.expect_same_preloaded(LD_BIND_NOW="1")

    def test_under_a_supervisor(self):
        for profile in ("test", "production"):
            for stacks in ("full", "site", "off"):
                with self.subTest(profile=profile, stacks=stacks):
                    # The code stays the program's.
                    code = ["--exitcode=0"] if profile == "test" else []
                    self.expect_same(rows(
                        self.lockwarden, "run", f"--profile={profile}", f"--stacks={stacks}",
                        "--on-deadlock=report", *code, "--report=report",
                        "--incidents=incidents", "--",
                    ), MAY_SAY)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--plugin", required=True, type=pathlib.Path)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
