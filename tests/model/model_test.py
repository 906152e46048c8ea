"""Checks the Spin models exhaustively, and that each broken step is noticed.

    model_test.py      needs spin and gcc; a few seconds a core

copy.pml is one record and its reader; verdict.pml the double collect. Every -DBREAK_... that
they know is listed here, and a model that no longer fails when it is broken fails the test.
"""
import pathlib
import re
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = 300  # seconds a search

# (model, flags of the whole one): what breaks it
MODELS = {
    ("copy.pml", ()): (
        "P1_AFTER_P2", "P3_AFTER_P6", "P4_AFTER_P6", "PUSH_BEFORE_ACQUIRE", "P5_MISSING",
        "P7_AFTER_RELEASE", "WAITS_DO_NOT_MOVE", "DETAILS_LEFT_BEHIND", "COUNT_NOT_READ_AGAIN",
        "Q6_MISSING", "COUNTERS_NOT_COMPARED",
    ),
    ("verdict.pml", ()): (
        "WAIT_NOT_PUBLISHED", "TIME_LIMIT_NOT_PUBLISHED", "COLLECTED_ONCE",
    ),
    ("verdict.pml", ("-DCHEATS",)): (
        "LOCK_WORD_NOT_ASKED", "KERNEL_NOT_ASKED", "NOT_READ_ONCE_MORE",
    ),
}


def search(model, flags):
    """Spin's report of the whole state space, or of the first error in it."""
    with tempfile.TemporaryDirectory(prefix="lockwarden-model-") as folder:
        for command in (
            ["spin", "-a", *flags, HERE / model],
            # Every state, in full: no hashing that could lose one, no reduction.
            ["gcc", "-O1", "-w", "-DSAFETY", "-DNOFAIR", "-DNOREDUCE", "-o", "pan", "pan.c"],
        ):
            made = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                  timeout=DEADLINE)
            if made.returncode != 0:
                raise AssertionError(f"{command[0]}: {made.stdout}{made.stderr}")
        # -E: that the program is stuck is no error.
        return subprocess.run(["./pan", "-E", "-m1000000", "-w22"], cwd=folder, timeout=DEADLINE,
                              capture_output=True, text=True, check=True).stdout


def errors(report):
    """How many; None if the search was not exhaustive."""
    if "max search depth too small" in report or "Full statespace search" not in report:
        return None
    return int(re.search(r"errors: (\d+)", report)[1])


class ModelTest(unittest.TestCase):
    def test_every_interleaving_keeps_what_is_asserted(self):
        for model, flags in MODELS:
            with self.subTest(model=model, flags=flags):
                report = search(model, flags)
                self.assertEqual(errors(report), 0, report)
                print(model, *flags, re.search(r"\d+ states, stored", report)[0])

    def test_every_broken_step_is_noticed(self):
        for (model, flags), steps in MODELS.items():
            for step in steps:
                with self.subTest(model=model, broken=step):
                    report = search(model, (*flags, f"-DBREAK_{step}"))
                    self.assertIn("assertion violated", report)

    def test_every_step_that_can_be_broken_is_listed(self):
        for model in {model for model, _ in MODELS}:
            named = set(re.findall(r"BREAK_(\w+)", (HERE / model).read_text())) - {""}
            listed = {step for (of, _), steps in MODELS.items() if of == model for step in steps}
            self.assertEqual(named, listed)


if __name__ == "__main__":
    unittest.main()
