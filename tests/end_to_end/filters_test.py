"""Which findings are told: each order once, however all locks are taken, by a fingerprint that
runs and rebuilds do not change; and not what is suppressed or known. However the program ends."""
import signal
import unittest

from support import Case, program

PAIRS = {"a": {"Deposit", "Withdraw"}, "b": {"Publish", "Retract"}, "c": {"Open", "Close"}}


class Filters(Case):
    def wrapped(self, pairs, ending="exit", flags=(), name="wrapped"):
        self.report.unlink(missing_ok=True)
        return self.run_supervised(program(name), pairs, ending, flags=flags)

    def functions(self, finding):
        """Of the program's own, which call the function that takes both locks."""
        return {
            frame["function"] for thread in finding["threads"] for frame in thread["stack"]
        } & set().union(*PAIRS.values())

    def pairs_of(self, result):
        self.assertEqual({finding["kind"] for finding in result.findings},
                         {"potential_deadlock"} if result.findings else set())
        return sorted(pair for finding in result.findings for pair, functions in PAIRS.items()
                      if self.functions(finding) == functions)

    def fingerprints(self, result):
        return {finding["fingerprint"] for finding in result.findings}

    def test_one_wrapper_hides_nothing(self):
        result = self.wrapped("abc")
        self.assertEqual(result.code, 66, result.err)
        self.assertEqual(self.pairs_of(result), ["a", "b", "c"])
        self.assertEqual(len(self.fingerprints(result)), 3)

    def test_fingerprints_survive_another_run_and_a_rebuild(self):
        first = self.fingerprints(self.wrapped("abc"))
        self.assertEqual(self.fingerprints(self.wrapped("cba")), first)
        self.assertEqual(self.fingerprints(self.wrapped("abc", name="wrapped_again")), first)

    def test_a_program_that_ends_at_once_is_judged_at_its_end_however_it_ends(self):
        endings = {"exit": 66, "_exit": 66, "abort": -signal.SIGABRT, "segv": -signal.SIGSEGV,
                   "kill": -signal.SIGKILL}
        for ending, code in endings.items():
            with self.subTest(ending=ending):
                result = self.wrapped("ab", ending)
                self.assertEqual((result.code, self.pairs_of(result)), (code, ["a", "b"]))

    def test_the_story_comes_first_and_then_what_to_do(self):
        result = self.run_plain(*self.supervised(program("wrapped"), "a", "exit",
                                                 flags=["--format=text"]))
        text = self.report.read_text()
        self.assertEqual(result.code, 66)
        places = [text.index(words) for words in (
            "lockwarden: POTENTIAL DEADLOCK: lock-order cycle of 2 locks", " while it holds ",
            "#0 ", "confidence", "how to fix it", "fingerprint")]
        self.assertEqual(places, sorted(places), text)

    def suppressed(self, text, pairs="ab", flags=()):
        file = self.folder / "known.supp"
        file.write_text(text)
        return self.wrapped(pairs, flags=[f"--suppressions={file}", *flags])

    def test_what_is_suppressed_is_counted_and_not_told(self):
        result = self.suppressed("# ours\npotential_deadlock:Depos?t\nmisuse:Publish\n")
        self.assertEqual((result.code, self.pairs_of(result)), (66, ["b"]))
        self.assertIn(b"lockwarden: 1 finding suppressed\n", result.err)
        self.assertIn(b"known.supp:3: misuse:Publish\n", result.err)
        self.assertNotIn(b"known.supp:2:", result.err)
        self.assertFalse(any("Deposit" in (path / "report.txt").read_text()
                             for path in self.incidents.iterdir()))

    def test_modules_and_sources_can_be_suppressed_whole(self):
        for glob in ("wrapped", "*/bin/wrapped", "wrapped.c*", "*"):
            result = self.suppressed(f"potential_deadlock:{glob}\n", flags=["--verbose"])
            self.assertEqual((result.code, result.findings), (0, []), glob)
            self.assertIn(b"not told, suppressed: POTENTIAL DEADLOCK", result.err)

    def test_a_suppression_that_makes_no_sense_is_an_error_with_its_line(self):
        for text, what in (("\npotential_deadlok:f\n", b":2: 'potential_deadlok' is no kind"),
                           ("misuse\n", b":1: must be 'KIND:FUNCTION_OR_MODULE', is 'misuse'"),
                           ("deadlock:f\n", b":1: a deadlock is happening when it is told")):
            result = self.suppressed(text)
            self.assertEqual((result.code, result.out), (64, b""))
            self.assertIn(what, result.err)
        result = self.wrapped("a", flags=["--suppressions=/nowhere"])
        self.assertEqual(result.code, 64)
        self.assertIn(b"cannot read /nowhere: No such file or directory", result.err)

    def test_only_what_is_new_to_the_baseline_fails_the_run(self):
        file = self.folder / "baseline"
        written = self.wrapped("ab", flags=[f"--write-baseline={file}"])
        self.assertEqual(written.code, 66)
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        self.assertEqual({line.split()[0] for line in lines}, self.fingerprints(written))
        self.assertTrue(all("potential_deadlock in " in line for line in lines), lines)

        known = self.wrapped("ab", flags=[f"--baseline={file}"])
        self.assertEqual((known.code, known.findings), (0, []))
        self.assertIn(b"lockwarden: 2 findings known from the baseline\n", known.err)
        rebuilt = self.wrapped("ab", flags=[f"--baseline={file}"], name="wrapped_again")
        self.assertEqual((rebuilt.code, rebuilt.findings), (0, []))

        more = self.wrapped("bc", flags=[f"--baseline={file}", f"--write_baseline={file}"])
        self.assertEqual((more.code, self.pairs_of(more)), (66, ["c"]))
        self.assertIn(b"in the baseline, not seen: ", more.err)
        everything = self.wrapped("bc", flags=[f"--baseline={file}"])
        self.assertEqual((everything.code, everything.findings), (0, []))

    def test_a_baseline_that_makes_no_sense_or_cannot_be_written_is_an_error(self):
        file = self.folder / "baseline"
        file.write_text("# fine\n0011223344556677 fine\nxyz\n")
        result = self.wrapped("a", flags=[f"--baseline={file}"])
        self.assertEqual((result.code, result.out), (64, b""))
        self.assertIn(b"baseline:3: must begin with a fingerprint", result.err)
        result = self.wrapped("a", flags=["--write_baseline=/nowhere/baseline"])
        self.assertEqual((result.code, result.findings), (64, []))
        self.assertIn(b"cannot write /nowhere/baseline: No such file", result.err)

    def test_cycles_that_cannot_close_are_listed_with_the_reason_when_asked(self):
        result = self.run_supervised(program("corpus/ordered_by_join_c"), flags=["--verbose"])
        self.assertEqual((result.code, result.findings), (0, []))
        self.assertIn(b"lockwarden: not told, ordered by create and join: lock-order cycle: ",
                      result.err)
        result = self.run_supervised(program("corpus/opposite_order_behind_gate_c"),
                                     flags=["--verbose"])
        self.assertEqual(result.findings, [])
        self.assertIn(b"not told, guarded: ", result.err)


if __name__ == "__main__":
    unittest.main()
