"""The table of exit codes in README.md, one row a test, through a real `lockwarden run`.
Bad input is tested with the supervisor.
"""
import signal
import subprocess
import unittest

from support import DEADLINE, PYTHON, Case, program


class ExitCodes(Case):
    def expect(self, code, *command, flags=()):
        self.assertEqual(self.run_supervised(*command, flags=flags).code, code)

    def test_the_program_s_own_exit_code_is_passed_on(self):
        self.expect(0, "/bin/true")
        self.expect(7, "/bin/sh", "-c", "exit 7")
        self.expect(255, "/bin/sh", "-c", "exit 255")

    def test_death_by_a_signal_is_passed_on(self):
        self.expect(-signal.SIGTERM, "/bin/sh", "-c", "kill -TERM $$")
        self.expect(-signal.SIGKILL, "/bin/sh", "-c", "kill -KILL $$")

    def test_a_finding_turns_0_into_66_in_the_test_profile(self):
        self.expect(66, program("inverted"))
        self.expect(3, program("inverted"), flags=["--exitcode=3"])
        self.expect(0, program("inverted"), flags=["--profile=production"])

    def test_the_program_s_own_non_zero_status_wins(self):
        self.expect(5, program("inverted"), "5")

    def test_our_own_abort_of_a_deadlock_is_66(self):
        self.expect(66, program("crossing"))

    def test_in_production_our_own_abort_is_death_by_that_signal(self):
        self.expect(
            -signal.SIGABRT, program("crossing"),
            flags=["--profile=production", "--on-deadlock=abort"],
        )

    def test_the_spent_restart_budget_is_69(self):
        self.expect(
            69, program("crossing"),
            flags=["--on-deadlock=restart", "--restart=on-failure", "--restart-max=1"],
        )

    def test_a_program_that_does_not_exist_is_127_and_one_that_cannot_run_126(self):
        self.expect(127, "/does/not/exist")
        data = self.folder / "data"
        data.write_text("no program")
        self.expect(126, data)

    def test_a_signal_to_the_supervisor_reaches_the_program(self):
        supervisor = self.start(
            self.supervised(
                PYTHON, "-c",
                # Blocked, then waited for: it may come at any moment after "up".
                "import signal, sys; waited_for = {signal.SIGTERM};"
                "signal.pthread_sigmask(signal.SIG_BLOCK, waited_for);"
                "print('up', flush=True); signal.sigwait(waited_for); sys.exit(9)",
            ),
            stdout=subprocess.PIPE,
        )
        self.assertEqual(supervisor.stdout.readline(), b"up\n")
        supervisor.terminate()
        self.assertEqual(supervisor.wait(DEADLINE), 9)


if __name__ == "__main__":
    unittest.main()
