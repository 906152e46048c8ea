"""`lockwarden selftest`: every scene is as it should be. Three seconds are a promise, so a busy
machine gets a second chance, as in latency_test.py.
"""
import unittest

from support import LOCKWARDEN, Case, environment


class Selftest(Case):
    deadline = 400.0
    attempts = 3

    def test_every_scene_is_as_it_should_be(self):
        wanting = []
        for _ in range(self.attempts):
            result = self.run_plain(LOCKWARDEN, "selftest", *wanting,
                                    env=environment(TMPDIR=str(self.folder)))
            lines = [line.split(None, 2) for line in result.out.decode().splitlines()]
            self.assertEqual(result.err, b"")
            self.assertEqual(result.code, int(any(line[0] == "BAD" for line in lines)))
            if not wanting:
                self.assertGreaterEqual(len(lines), 10)
            wanting = [line[1] for line in lines if line[0] != "ok"]
            if not wanting:
                break
        self.assertEqual(wanting, [], result.out.decode())
        self.assertEqual(list(self.folder.iterdir()), [])  # nothing is left behind

    def test_an_unknown_scene_is_an_error(self):
        result = self.run_plain(LOCKWARDEN, "selftest", "nonsense")
        self.assertEqual((result.code, result.out), (64, b""))
        self.assertIn(b"nonsense", result.err)


if __name__ == "__main__":
    unittest.main()
