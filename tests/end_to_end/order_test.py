"""Declared lock orders of the linked types: a violation is reported once, with both stacks,
although the program goes on, and the order itself is not."""
import signal
import unittest

from support import Case, program

WHY = {
    "rank": "The lock that it holds has the higher rank.",
    "declared": "The declared order of their classes is the opposite.",
    "set": "It acquires a set of locks whose lowest is not above all that it holds.",
    "no_locks": "It enters code in which no lock may be held.",
}
LOCKS = {"rank": {"tables", "rows"}, "declared": {"requests", "replies"}, "set": {"one", "two"},
         "no_locks": {"one"}}
# Where the lock is asked for, and where the other one was taken.
PLACES = {"rank": ("Inner", "Outer"), "declared": ("Inner", "Outer"),
          "set": ("AcquireSetWhileHolding", "AcquireSetWhileHolding"),
          "no_locks": ("CallBack", "main")}
# Way: sort, what the program prints three times, what the headline says.
MISUSE = {
    "unlock": ("unlock_not_owner", b"error 1\n", 'released "one"'),
    "unlock_free": ("unlock_not_owner", b"error 1\n", 'released "one"'),
    "relock": ("relock", b"error 35\n", 'locked again, while holding it, "one"'),
    "destroy": ("destroy_held", b"", 'destroyed "gone"'),
    "shared_unlock": ("unlock_not_owner", b"error 1\n", 'released "shared"'),
    "shared_relock": ("relock", b"error 35\n", 'locked again, while holding it, "shared"'),
    "shared_destroy": ("destroy_held", b"", 'destroyed "gone"'),
    "overrun": ("unit_overrun", b"error 75\n", 'released more units than it may have to "slots"'),
    "wait": ("unlock_not_owner", b"error 1\n", 'released "one"'),
}
BY_ANOTHER = {"unlock", "shared_unlock"}
OF_NOBODY = {"unlock_free", "overrun", "wait"}


def named(stack):
    return " ".join(frame["function"] or "?" for frame in stack)


class Order(Case):
    def order(self, *arguments, flags=()):
        self.report.unlink(missing_ok=True)
        return self.run_supervised(program("order"), *arguments, flags=flags)

    def test_each_way_to_go_against_it_is_told_once_with_both_stacks(self):
        for way, why in WHY.items():
            with self.subTest(way=way):
                result = self.order(way)
                self.assertEqual((result.code, result.out), (66, b"done\n"))
                self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])
                finding = result.findings[0]
                self.assertIn("LOCK-ORDER VIOLATION: thread ", finding["headline"])
                self.assertIn(why, finding["story"])
                self.assertIn("seen as it happened, before the call could block",
                              finding["evidence"])
                self.assertEqual({lock["name"] for lock in finding["locks"]}, LOCKS[way])
                thread = finding["threads"][0]
                asked, taken = PLACES[way]
                self.assertIn(asked, named(thread["stack"]))
                self.assertIn(taken, named(thread["holds"][0]["stack"]))

    def test_a_class_is_told_by_its_name(self):
        locks = self.order("rank").findings[0]["locks"]
        self.assertEqual({lock["class"] for lock in locks}, {"tables", "rows"})

    def test_it_is_told_in_production_and_without_stacks(self):
        for flag in ("--profile=production", "--stacks=site"):
            with self.subTest(flag=flag):
                result = self.order("rank", flags=[flag, "--exitcode=0"])
                self.assertEqual(result.code, 0)
                self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])

    def test_under_throw_the_call_is_refused_and_told_once(self):
        for way in WHY:
            with self.subTest(way=way):
                result = self.order(way, "throw")
                self.assertEqual(result.code, 66)
                self.assertEqual(result.out.count(b"refused: lockwarden: "), 3)
                self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])

    def test_the_policy_may_be_given_from_outside(self):
        refused = self.order("declared", flags=["--order=throw"])
        self.assertEqual(refused.out.count(b"refused: lockwarden: "), 3)
        silent = self.order("rank", flags=["--order=off"])
        self.assertEqual((silent.code, silent.out, silent.findings), (0, b"done\n", []))
        aborted = self.order("rank", flags=["--order=abort"])
        self.assertEqual(aborted.code, -signal.SIGABRT)
        itself = self.order("rank", "throw", flags=["--order=off"])  # the program's word is the last
        self.assertEqual(itself.out.count(b"refused: lockwarden: "), 3)
        wrong = self.order("rank", flags=["--order=perhaps"])
        self.assertEqual(wrong.code, 64)

    def test_under_abort_the_report_comes_out_all_the_same(self):
        result = self.order("rank", "abort")
        self.assertEqual(result.code, -signal.SIGABRT)
        self.assertIn(b"is held, of a higher rank\n", result.err)
        self.assertEqual([f["kind"] for f in result.findings], ["order_violation"])

    def test_what_the_types_refuse_is_told_as_misuse_once_with_both_stacks(self):
        for way, (sort, said, headline) in MISUSE.items():
            with self.subTest(way=way):
                result = self.order(way)
                self.assertEqual((result.code, result.out), (66, 3 * said + b"done\n"))
                self.assertEqual([(f["kind"], f["misuse"]) for f in result.findings],
                                 [("misuse", sort)])
                finding = result.findings[0]
                self.assertIn(headline, finding["headline"])
                self.assertTrue(finding["threads"][0]["stack"])
                if way not in OF_NOBODY:
                    holder = finding["threads"][1 if way in BY_ANOTHER else 0]
                    self.assertTrue(holder["holds"][0]["stack"])

    def test_what_keeps_the_order_is_not_told(self):
        result = self.order("healthy")
        self.assertEqual((result.code, result.out, result.findings), (0, b"done\n", []))


if __name__ == "__main__":
    unittest.main()
