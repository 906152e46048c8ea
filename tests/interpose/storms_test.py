"""Storms (storms/) with and without Lockwarden: the same results, and nothing to report.

Each runs from several seeds: plain, under the bare preload in both profiles, and supervised,
when the supervisor reads the ledger all the while.

    storms_test.py STORM --program=STORMS --plugin=LIBRARY --build=BUILD
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

DEADLINE = 240.0  # seconds; a run takes about one
SEEDS = (1, 2)
ARGUMENTS = argparse.Namespace()

# What a storm is known to leave unrecorded: the code that calls a library's constructors
# and destructors has no unwind tables, and signals and hooks come from there too.
MAY_DROP = {"mixed": "stack", "libraries": "stack"}


def environment(**changes):
    kept = {
        key: value for key, value in os.environ.items()
        if not key.startswith("LOCKWARDEN_") and key != "LD_PRELOAD"
    }
    return {**kept, "LC_ALL": "C", **changes}


class Storm(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-storm-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # Copies, so that several libraries come and go.
        self.plugins = [self.folder / f"plugin{i}.so" for i in range(3)]
        for copy in self.plugins:
            shutil.copy(ARGUMENTS.plugin, copy)

    def storm(self, seed, *before, **changes):
        result = subprocess.run(
            [str(part) for part in (*before, ARGUMENTS.program, ARGUMENTS.storm, seed, 0, *self.plugins)],
            env=environment(**changes), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=DEADLINE, check=False,
        )
        allowed = f"lockwarden: dropped records: (?:{MAY_DROP.get(ARGUMENTS.storm, '(?!)')}) [0-9]+\n"
        return result.returncode, result.stdout, re.sub(allowed, "", result.stderr)

    def findings(self):
        report = self.folder / "report"
        return [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []

    def test_the_results_are_the_same(self):
        preload = str(ARGUMENTS.build / "lib" / "liblockwarden_preload.so")
        for seed in SEEDS:
            plain = self.storm(seed)
            self.assertEqual((plain[0], plain[2]), (0, ""))
            for options in ("profile=production", "profile=test", "profile=test,stacks=site"):
                with self.subTest(seed=seed, options=options):
                    self.assertEqual(
                        self.storm(seed, LD_PRELOAD=preload, LOCKWARDEN_OPTIONS=options), plain
                    )
            for profile in ("test", "production"):
                with self.subTest(seed=seed, supervised=profile):
                    supervised = self.storm(
                        seed, ARGUMENTS.build / "bin" / "lockwarden", "run", f"--profile={profile}",
                        "--format=json", "--report=report", "--incidents=incidents",
                        "--on-deadlock=abort", "--",
                    )
                    self.assertEqual(self.findings(), [])
                    self.assertEqual(supervised, plain)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("storm")
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--plugin", required=True, type=pathlib.Path)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
