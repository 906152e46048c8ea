"""A rules file: orders that a program never declared are held against its locks, its own or
the C library's, by variable, class and place."""
import unittest

from support import Case, program


class Rules(Case):
    def ruled(self, text, *command, flags=()):
        rules = self.folder / "order.rules"
        rules.write_text(text)
        self.report.unlink(missing_ok=True)
        return self.run_supervised(*command, flags=[f"--rules={rules}", "--exitcode=0", *flags])

    def test_mutexes_are_known_by_their_variables(self):
        result = self.ruled("order first before second\n", program("inverted"),
                            flags=["--profile=production"])
        self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])
        finding = result.findings[0]
        self.assertIn("order.rules:1 says: first before second.", finding["story"][1])
        functions = [frame["function"] for frame in finding["threads"][0]["stack"]]
        self.assertIn("down", functions)

    def test_locks_are_known_by_their_class(self):
        result = self.ruled("# wrong way round\norder rows before tables\n", program("order"),
                            "healthy")
        self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])
        self.assertIn("order.rules:2 says: rows before tables.",
                      result.findings[0]["story"][1])

    def test_what_keeps_the_rules_is_not_told(self):
        for text in ("order tables before rows\n", "", "order nothing before nobody\n"):
            result = self.ruled(text, program("order"), "healthy")
            self.assertEqual((result.code, result.findings), (0, []))

    def test_a_file_that_makes_no_sense_is_an_error_with_its_line(self):
        result = self.ruled("order a before b\norder b behind a\n", program("order"), "healthy")
        self.assertEqual((result.code, result.out), (64, b""))
        self.assertIn(b"order.rules:2: must be 'order A before B', is 'order b behind a'\n",
                      result.err)
        result = self.run_supervised(program("order"), flags=["--rules=/nowhere"])
        self.assertEqual(result.code, 64)
        self.assertIn(b"cannot read /nowhere: No such file or directory", result.err)


if __name__ == "__main__":
    unittest.main()
