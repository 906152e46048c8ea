"""Locks of a program's own making, annotated: a deadlock among them is told, with their names
and stacks; healthy use is not; and the same program runs without Lockwarden."""
import subprocess
import unittest

from support import Case, end, program, until

# Way: how sure the finding is. Asleep in a futex wait on the lock the kernel agrees; a thread
# that goes round is only said to wait, by the program.
STUCK = {"futex": "strong", "spin": "likely", "yield": "likely", "mixed": "strong"}


class OwnLocks(Case):
    def test_a_deadlock_among_them_is_told(self):
        for way, confidence in STUCK.items():
            with self.subTest(way=way):
                self.report.unlink(missing_ok=True)
                supervisor = self.start(
                    self.supervised(program("own_lock"), way, flags=["--on-deadlock=report"]),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                findings = until(self.findings, f"a report of {way}")
                end(supervisor)
                self.assertEqual([(f["kind"], f["confidence"]) for f in findings],
                                 [("deadlock", confidence)])
                locks = {(lock.get("name"), lock["kind"]) for lock in findings[0]["locks"]}
                self.assertIn(("first", "user_lock"), locks)
                other = (None, "mutex") if way == "mixed" else ("second", "user_lock")
                self.assertIn(other, locks)
                for thread in findings[0]["threads"][:2]:
                    where = [frame["function"] for frame in thread["stack"]]
                    self.assertTrue({"up", "down"} & set(where), where)

    def test_their_order_is_predicted_from(self):
        result = self.run_supervised(program("own_lock"), "inverted", flags=["--exitcode=0"])
        self.assertEqual((result.code, result.out), (0, b"done\n"))
        self.assertEqual([f["kind"] for f in result.findings], ["potential_deadlock"])

    def test_healthy_use_is_not_told(self):
        for way in ("futex", "spin", "yield"):
            with self.subTest(way=way):
                self.report.unlink(missing_ok=True)
                result = self.run_supervised(program("own_lock"), way, "healthy")
                self.assertEqual((result.code, result.out, result.findings),
                                 (0, b"done\n", []))

    def test_those_that_give_up_are_not_told(self):
        result = self.run_supervised(program("own_lock"), "gives_up")
        self.assertEqual((result.code, result.out, result.findings), (0, b"done\n", []))

    def test_it_runs_alone(self):
        for run in (self.run_plain, self.run_preloaded):
            result = run(program("own_lock"), "futex", "healthy")
            self.assertEqual((result.code, result.out, result.err), (0, b"done\n", b""))


if __name__ == "__main__":
    unittest.main()
