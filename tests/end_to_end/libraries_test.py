"""Libraries that are loaded and unloaded while the program runs."""
import unittest

from support import Case, program


class Libraries(Case):
    def test_code_loaded_later_is_named_when_the_process_is_dead(self):
        for stacks in ("full", "site"):
            with self.subTest(stacks=stacks):
                self.report.unlink(missing_ok=True)
                result = self.run_supervised(program("libraries"), "inverted",
                                             flags=[f"--stacks={stacks}"])
                self.assertEqual([finding["kind"] for finding in result.findings],
                                 ["potential_deadlock"])
                # The library's locks lie in static storage, as its module says.
                self.assertEqual(result.findings[0]["confidence"], "likely")
                for thread in result.findings[0]["threads"]:
                    self.assertEqual(thread["stack"][0]["function"], "TakeBoth")

    def test_a_lock_of_a_library_that_is_gone_is_not_the_one_that_comes_after(self):
        result = self.run_supervised(program("libraries"), "reused")
        self.assertEqual((result.code, result.out, result.findings), (0, b"same address\n", []))

    def test_dlopen_sees_its_own_caller(self):
        plain = self.run_plain(program("libraries"), "caller")
        self.assertEqual(plain.out, b"dlmopen: yes\nnone: no\n")
        self.assertEqual(self.run_preloaded(program("libraries"), "caller").out, plain.out)
        result = self.run_supervised(program("libraries"), "caller")
        self.assertEqual((result.code, result.out, result.findings), (0, plain.out, []))

    def test_a_storm_of_libraries_lists_stacks_and_exceptions(self):
        plain = self.run_plain(program("libraries"), "storm")
        self.assertEqual(plain.out, b"loaded 600, listed 3000, unwound 3000, caught 600\n")
        result = self.run_supervised(program("libraries"), "storm")
        self.assertEqual((result.code, result.out, result.findings), (0, plain.out, []))

    def test_the_loaders_lock_is_never_waited_for(self):
        result = self.run_supervised(program("libraries"), "listing")
        self.assertEqual((result.code, result.out, result.findings), (0, b"took 41\n", []))


if __name__ == "__main__":
    unittest.main()
