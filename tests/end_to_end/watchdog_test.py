"""lockwarden::Watchdog: a linked program that nobody supervises looks after itself."""
import signal
import subprocess
import unittest

from support import PRELOAD, Case, environment, program, until

SELF = program("self_watched")


class LinkedWatchdog(Case):
    def dog(self, mode, options="", **changes):
        return self.run_plain(
            SELF, mode, options,
            env=environment(LOCKWARDEN_OPTIONS=f"incidents={self.incidents}", **changes))

    def test_a_deadlock_is_reported_told_and_aborted(self):
        result = self.dog("deadlock", "on_deadlock=abort")
        self.assertEqual(result.code, -signal.SIGABRT)
        self.assertIn(b"told of deadlock, proven\n", result.out)
        self.assertIn(b"lockwarden: DEADLOCK: 2 threads, 2 locks", result.err)
        self.assertEqual(len(list(self.incidents.iterdir())), 1)

    def test_a_stall_is_aborted_after_its_grace(self):
        result = self.dog("stall", "on_stall=abort,stall_grace=200ms")
        self.assertEqual(result.code, -signal.SIGABRT)
        self.assertIn(b"told of stall", result.out)

    def test_it_restarts_itself_within_its_budget(self):
        options = "on_deadlock=restart,restart_max=2,restart_delay=1ms,restart_window=10m"
        result = self.dog("deadlock", options)
        self.assertEqual(result.code, 69)
        lives = [line for line in result.out.decode().splitlines() if line.startswith("life")]
        # Standard ones, and the one that the life before had kept. Nothing else stays open.
        self.assertEqual(lives, [
            f"life with 3 descriptors, {options}, after none",
            f"life with 4 descriptors, {options}, after others",
            f"life with 4 descriptors, {options}, after others",
        ])
        self.assertEqual(result.err.count(b"lockwarden: DEADLOCK"), 3)
        self.assertIn(b"(1 of 2) after a deadlock: it executes itself", result.err)
        self.assertIn(b"giving up on", result.err)

    def test_a_bad_option_is_an_error(self):
        result = self.dog("watch", "on_deadlock=sing")
        self.assertEqual(result.code, 64)
        self.assertIn(b"on_deadlock=sing", result.err)

    def expect(self, process, line):
        def says():
            process.stdin.write(b".")
            process.stdin.flush()
            return process.stdout.readline() == line
        until(says, line)

    def watching(self, command, **options):
        return self.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options)

    def test_it_acts_where_nobody_else_does(self):
        self.expect(self.watching([SELF, "watch", ""]), b"acts\n")

    def test_it_takes_over_from_a_supervisor_that_has_gone(self):
        watching = self.watching(self.supervised(SELF, "watch", ""))
        self.expect(watching, b"stands by\n")
        watching.kill()
        self.expect(watching, b"acts\n")

    def test_a_helper_goes_first(self):
        self.expect(self.watching([SELF, "watch", ""], env=environment(LD_PRELOAD=str(PRELOAD))),
                    b"stands by\n")


if __name__ == "__main__":
    unittest.main()
