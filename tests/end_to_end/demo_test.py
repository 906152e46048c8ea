"""The parts of scripts/demo, which check themselves: what a newcomer sees is what is tested.
Part 4, memcached, is with the promise that it keeps (promises_test.py).
"""
import re
import unittest

from support import BUILD, DEMO, LOCKWARDEN, Case, program


class Demo(Case):
    def expect_good(self, part):
        result = self.run_plain(DEMO, f"--build={BUILD}", f"--part={part}")
        self.assertEqual(result.code, 0, (result.out + result.err).decode("utf-8", "replace"))
        self.assertRegex(result.out.decode(), rf"(?m)^  {part}  .* ok$")

    def test_a_c_program_hangs_is_explained_and_restarted_once(self):
        self.expect_good(1)

    def test_a_python_script_hangs(self):
        self.expect_good(2)

    def test_a_program_that_could_deadlock_but_did_not(self):
        self.expect_good(3)

    def test_metrics_are_served_while_the_program_hangs(self):
        self.expect_good(5)

    def test_bad_usage_is_refused(self):
        result = self.run_plain(DEMO, "--part=6")
        self.assertEqual(result.code, 64)
        self.assertIn(b"--part=N", result.err)


class Readme(Case):
    SHOWN = "    $ build/bin/lockwarden run -- build/bin/philosophers"

    def test_the_readme_shows_a_command_and_its_true_output(self):
        lines = (DEMO.parents[1] / "README.md").read_text().split("\n")
        begin = lines.index(self.SHOWN) + 1
        self.assertLess(begin, 20)
        shown = lines[begin:lines.index("", begin)]
        self.assertGreater(len(shown), 5)
        result = self.run_plain(
            LOCKWARDEN, "run", f"--incidents={self.incidents}", "--", program("philosophers"),
        )
        said = [without_ids(line) for line in result.err.decode().split("\n")]
        for line in shown:
            if line.strip() != "[...]":
                self.assertIn(without_ids(line.removeprefix("    ")), said)


def without_ids(line):
    """What differs from run to run: process and thread ids."""
    return re.sub(r"\b(pid|tid|thread) \d+", r"\1 N", line)


if __name__ == "__main__":
    unittest.main()
