"""Heartbeats of a program that is only preloaded: which are told as stalls, what is said of the
thread, and what on_stall does."""
import signal
import unittest

from support import Case, program

EXIT_BUDGET_SPENT = 69


class Stalls(Case):
    def stalls_of(self, way, *flags):
        result = self.run_supervised(program("heartbeats"), way, flags=["--stall_grace=0", *flags])
        return result, [finding for finding in result.findings if finding["kind"] == "stall"]

    def test_a_stalled_thread_is_told_with_what_it_does_and_aborted(self):
        # A loaded machine may give the spinning thread no processor when it is looked at.
        for way, causes in (("lock", {"lock"}), ("read", {"system_call"}),
                            ("spin", {"running", "starved"})):
            with self.subTest(way=way):
                self.report.unlink(missing_ok=True)
                result, stalls = self.stalls_of(way, "--on_stall=abort")
                self.assertEqual(result.code, -signal.SIGABRT)
                self.assertEqual([stall["heartbeat"] for stall in stalls], ["worker"])
                self.assertIn(stalls[0]["cause"], causes)
                self.assertIn("STALL: heartbeat \"worker\" has not beaten for",
                              stalls[0]["headline"])

    def test_the_holder_of_the_lock_is_named_with_where_it_took_it(self):
        _, stalls = self.stalls_of("lock", "--on_stall=abort")
        waiter, holder = stalls[0]["threads"]
        self.assertEqual(waiter["stack"][0]["function"], "Stuck")
        self.assertEqual(holder["holds"][0]["stack"][0]["function"], "main")

    def test_a_restart_is_counted_against_the_budget(self):
        result, _ = self.stalls_of("read", "--on_stall=restart", "--restart_max=1",
                                   "--restart_delay=0")
        self.assertEqual(result.code, EXIT_BUDGET_SPENT)
        self.assertIn(b"after a stall", result.err)

    def test_what_is_idle_paused_slow_or_stopped_is_not_told(self):
        result, stalls = self.stalls_of("good")
        self.assertEqual((result.code, result.out, stalls), (0, b"done\n", []))


if __name__ == "__main__":
    unittest.main()
