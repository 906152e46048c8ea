"""Locks in signal handlers: told when a handler could wait for what it interrupted, and only
then; and at once when it does."""
import unittest

from support import Case, program


class SignalHandlers(Case):
    def findings_of(self, way, *flags):
        result = self.run_supervised(program("handlers"), way, flags=["--exitcode=0", *flags])
        return result, [(finding["kind"], finding["confidence"]) for finding in result.findings]

    def test_a_lock_that_a_handler_takes_and_other_code_too_is_told_once(self):
        ways = {"predicted": "likely", "twice": "likely", "altstack": "likely", "raw": "likely",
                "unrelated": "likely", "reader": "possible", "doubtful": "possible"}
        for way, confidence in ways.items():
            with self.subTest(way=way):
                self.report.unlink(missing_ok=True)
                result, found = self.findings_of(way)
                self.assertEqual((result.code, result.out), (0, b"done\n"))
                self.assertEqual(found, [("signal_unsafe_lock", confidence)])

    def test_both_places_are_named(self):
        result, _ = self.findings_of("predicted")
        thread = result.findings[0]["threads"][0]
        self.assertEqual(thread["stack"][0]["function"], "OnSignal")
        functions = [frame.get("function") for frame in thread["holds"][0]["stack"]]
        self.assertIn("OrdinaryCode", functions)
        self.assertIn("LOCK IN SIGNAL HANDLER: OnSignal takes mutex",
                      result.findings[0]["headline"])

    def test_what_a_handler_may_do_is_not_told(self):
        for way in ("harmless", "cancelled", "blocked"):
            with self.subTest(way=way):
                result, found = self.findings_of(way)
                self.assertEqual((result.code, result.out, found), (0, b"done\n", []))

    def test_a_handler_that_waits_for_what_it_interrupted_is_a_self_deadlock(self):
        result, found = self.findings_of("stuck")
        self.assertEqual(found, [("self_deadlock", "proven")])
        self.assertIn("waits in the signal handler OnSignal",
                      " ".join(result.findings[0]["story"]))

    def test_that_deadlock_is_found_without_stacks_as_well(self):
        _, found = self.findings_of("stuck", "--stacks=site")
        self.assertEqual(found, [("self_deadlock", "proven")])


if __name__ == "__main__":
    unittest.main()
