"""Test runners under `lockwarden run`: GoogleTest with the listener, ctest, pytest."""
import re
import unittest

import support

PYTESTS = """
import threading
def test_clean():
    with threading.Lock(): pass
def test_crosswise():
    a, b, each_holds_one = threading.Lock(), threading.Lock(), threading.Barrier(2)
    def take(first, then):
        with first:
            each_holds_one.wait()
            with then: pass
    threads = [threading.Thread(target=take, args=pair) for pair in ((a, b), (b, a))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


class GoogleTest(support.Case):
    def outcomes(self, text):
        """{test: OK or FAILED}, of the lines that end each test."""
        return {name: outcome for outcome, name in
                re.findall(r"\[ +(OK|FAILED) +\] Accounts\.(\w+) \(", text.decode())}

    def test_the_test_in_which_it_was_found_fails_and_names_it(self):
        result = self.run_supervised(support.program("tested"))
        self.assertEqual(self.outcomes(result.out), {
            "AreCleanAtFirst": "OK", "AreTakenInBothOrders": "FAILED",
            "AreTakenInBothOrdersAgain": "OK", "AreCleanAtLast": "OK"})
        self.assertEqual(result.code, 1)
        self.assertIn(b"POTENTIAL DEADLOCK: lock-order cycle of 2 locks", result.out)
        (finding,) = result.findings
        self.assertIn("This was in the test Accounts.AreTakenInBothOrders.", finding["story"])

    def test_a_deadlock_is_reported_with_the_name_of_its_test(self):
        result = self.run_supervised(support.program("tested"), "--gtest_also_run_disabled_tests",
                                     "--gtest_filter=*Deadlock")
        self.assertEqual(result.code, 66)
        (finding,) = [f for f in result.findings if f["kind"] == "deadlock"]
        self.assertIn("This was in the test Accounts.DISABLED_Deadlock.", finding["story"])

    def test_without_lockwarden_nothing_changes(self):
        result = self.run_plain(support.program("tested"))
        self.assertEqual(result.code, 0)
        self.assertNotIn("FAILED", self.outcomes(result.out).values())

    def test_a_supervisor_that_has_gone_or_a_forged_name_harms_nothing(self):
        for value in ("0" * 32 + ":/nonexistent/socket", "short", "0" * 33 + ":x", ":" * 200):
            result = self.run_plain(support.program("tested"),
                                    env=support.environment(LOCKWARDEN_SOCKET=value))
            self.assertEqual(result.code, 0, value)


class Runners(support.Case):
    def test_ctest(self):
        (self.folder / "CTestTestfile.cmake").write_text(
            f'add_test(good "{support.program("tested")}" --gtest_filter=*AtFirst)\n'
            f'add_test(bad "{support.program("inverted")}")\n')
        result = self.run_supervised("ctest")
        self.assertIn(b"100% tests passed, 0 tests failed out of 2", result.out)
        self.assertEqual([finding["kind"] for finding in result.findings], ["potential_deadlock"])
        self.assertIn("inverted", result.findings[0]["program"])
        self.assertEqual(result.code, 66)

    def test_pytest(self):
        probe = self.run_plain(support.PYTHON, "-c", "import pytest")
        if probe.code != 0:
            self.skipTest("pytest is not installed")
        (self.folder / "test_locks.py").write_text(PYTESTS)
        pytest = (support.PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        clean = self.run_supervised(*pytest, "-k", "clean")
        self.assertEqual((clean.code, clean.findings), (0, []), clean.out)
        result = self.run_supervised(*pytest)
        self.assertEqual([finding["kind"] for finding in result.findings], ["deadlock"])
        self.assertEqual(result.code, 66)


if __name__ == "__main__":
    unittest.main()
