"""The checkout keeps the project's structural rules. The checkers are in the modules beside
this one; checkers_test.py shows that each can fail.

LOCKWARDEN_PRELOAD in the environment is the preload library to look at.
"""
import os
import pathlib
import unittest

import checkout
import elf
import include_rules
import preload_rules
import text_rules

HERE = pathlib.Path(__file__).resolve().parent


class Checkout(unittest.TestCase):
    def expect_none(self, breaches):
        self.assertFalse(breaches, "\n" + "\n".join(breaches))

    def test_there_is_something_to_check(self):
        rooms = {path.split("/")[0] for path, _ in checkout.sources()}
        self.assertLessEqual(set(include_rules.ROOMS), rooms)

    def test_rooms_include_only_what_they_may(self):
        self.expect_none(include_rules.violations(checkout.sources()))

    def test_every_weak_memory_order_has_a_comment(self):
        self.expect_none(text_rules.uncommented_memory_orders(checkout.sources()))

    def test_sources_are_listed_by_name(self):
        self.expect_none(text_rules.globbed_sources(checkout.texts()))

    def test_every_file_opens_with_its_purpose(self):
        self.expect_none(text_rules.without_opening_comment(checkout.texts()))

    def test_no_file_names_a_path_of_one_machine(self):
        self.expect_none(text_rules.machine_paths(checkout.texts()))


class PreloadLibrary(unittest.TestCase):
    def test_it_asks_for_little_and_offers_what_is_listed(self):
        breaches = preload_rules.violations(
            elf.describe(os.environ["LOCKWARDEN_PRELOAD"]),
            preload_rules.read_exports(HERE / "preload_exports.txt"),
        )
        self.assertFalse(breaches, "\n" + "\n".join(breaches))


if __name__ == "__main__":
    unittest.main()
