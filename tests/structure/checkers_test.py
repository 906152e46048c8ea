"""Each checker can fail: it is shown a breach, and the harmless thing next to it."""
import unittest

import elf
import include_rules
import preload_rules
import text_rules


def includes(path, *headers):
    return include_rules.violations([(path, "".join(f"#include {h}\n" for h in headers))])


class IncludeRules(unittest.TestCase):
    def test_an_arrow_that_goes_up_is_found(self):
        for path, header in (
            ("runtime/a.h", '"watchdog/judge.h"'),
            ("runtime/a.h", '"interpose/hooks.h"'),
            ("interpose/a.cc", '"watchdog/judge.h"'),
            ("watchdog/a.cc", '"exporter/x.h"'),
            ("watchdog/a.cc", '"interpose/x.h"'),
            ("exporter/a.cc", '"tests/x.h"'),
            ("examples/a.cc", '"runtime/ledger.h"'),
        ):
            self.assertEqual(len(includes(path, header)), 1, (path, header))

    def test_an_arrow_that_goes_down_is_not(self):
        self.assertEqual(includes("exporter/a.cc", '"watchdog/judge.h"', '"runtime/ledger.h"'), [])
        self.assertEqual(includes("interpose/a.cc", '"runtime/ledger.h"', "<pthread.h>"), [])
        self.assertEqual(includes("examples/a.cc", "<lockwarden/lockwarden.h>", "<thread>"), [])

    def test_a_library_in_the_wrong_room_is_found(self):
        for path, header in (
            ("runtime/a.h", "<absl/strings/str_cat.h>"),
            ("interpose/a.cc", '"absl/base/thread_annotations.h"'),
            ("watchdog/a.cc", "<prometheus/registry.h>"),
            ("runtime/a.cc", "<nlohmann/json.hpp>"),
        ):
            self.assertEqual(len(includes(path, header)), 1, (path, header))
        self.assertEqual(includes("exporter/a.cc", "<prometheus/registry.h>"), [])
        self.assertEqual(includes("runtime/a.h", '"absl/base/thread_annotations.h"'), [])

    def test_libstdcxx_in_the_program_s_rooms_is_found(self):
        self.assertEqual(len(includes("runtime/a.h", "<vector>")), 1)
        self.assertEqual(len(includes("interpose/a.cc", "<thread>")), 1)
        self.assertEqual(includes("runtime/a.h", "<atomic>", "<cstdint>"), [])
        self.assertEqual(includes("watchdog/a.h", "<vector>"), [])

    def test_a_folder_that_is_no_room_is_found(self):
        self.assertEqual(len(includes("misc/a.h", "<stdint.h>")), 1)

    def test_it_names_file_and_line(self):
        self.assertIn("runtime/a.h:2:", includes("runtime/a.h", "<atomic>", '"watchdog/x.h"')[0])


class MemoryOrderRule(unittest.TestCase):
    def found(self, text, path="runtime/a.h"):
        return text_rules.uncommented_memory_orders([(path, text)])

    def test_an_access_without_a_comment_is_found(self):
        self.assertEqual(len(self.found("x.load(std::memory_order_acquire);")), 1)
        self.assertEqual(len(self.found("x.load(std::memory_order::relaxed);")), 1)

    def test_a_comment_four_lines_above_is_too_far(self):
        self.assertEqual(self.found("// R1\n\n\nx.load(std::memory_order_acquire);"), [])
        self.assertEqual(len(self.found("// R1\n\n\n\nx.load(std::memory_order_acquire);")), 1)

    def test_a_comment_on_the_line_will_do(self):
        self.assertEqual(self.found("x.load(std::memory_order_acquire);  // R1"), [])

    def test_tests_and_seq_cst_are_left_alone(self):
        self.assertEqual(self.found("x.load(std::memory_order_acquire);", "tests/a.cc"), [])
        self.assertEqual(self.found("x.load(std::memory_order_seq_cst);"), [])


class OtherTextRules(unittest.TestCase):
    def test_globs_are_found_but_not_in_comments(self):
        glob = text_rules.globbed_sources
        self.assertEqual(len(glob([("CMakeLists.txt", "file(GLOB sources *.cc)")])), 1)
        self.assertEqual(len(glob([("a.cmake", "file( glob_recurse x *.cc)")])), 1)
        self.assertEqual(glob([("CMakeLists.txt", "# never file(GLOB ...)\nadd_library(a a.cc)")]), [])

    def test_a_file_without_a_purpose_is_found(self):
        rule = text_rules.without_opening_comment
        self.assertEqual(len(rule([("a/x.h", "#pragma once\n// late")])), 1)
        self.assertEqual(len(rule([("scripts/x", "#!/bin/sh\nset -e\n")])), 1)
        self.assertEqual(len(rule([("x.py", "import os\n")])), 1)
        self.assertEqual(rule([("scripts/x", '#!/usr/bin/python3\n"""What."""\n')]), [])
        self.assertEqual(rule([("a/x.h", "// what\n"), ("scripts/x", "#!/bin/sh\n# what\n")]), [])

    def test_a_source_may_leave_its_purpose_to_its_own_header_only(self):
        rule = text_rules.without_opening_comment
        told, untold = ("a/x.h", "// what\n#pragma once"), ("a/x.h", "#pragma once")
        self.assertEqual(rule([told, ("a/x.cc", '#include "a/x.h"\n')]), [])
        self.assertEqual(len(rule([untold, ("a/x.cc", '#include "a/x.h"\n')])), 2)
        self.assertEqual(len(rule([told, ("a/y.cc", '#include "a/x.h"\n')])), 1)

    def test_machine_paths_are_found(self):
        rule = text_rules.machine_paths
        self.assertEqual(len(rule([("a", "cd /wo" "rk/main")])), 1)
        self.assertEqual(len(rule([("a", "see /ho" "me/somebody/x")])), 1)
        self.assertEqual(rule([("a", "docs/wo" "rk/x and build/ho" "me/y and /usr/bin/env")]), [])


GOOD_LIBRARY = """
  TLS            0x002df0 0x0000000000003df0 0x0000000000003df0 0x000000 0x000018 R   0x8
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000001e (FLAGS)              STATIC_TLS
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND dlsym@GLIBC_2.34 (2)
     2: 0000000000000000     0 NOTYPE  WEAK   DEFAULT  UND __gmon_start__
    15: 0000000000001139    22 FUNC    GLOBAL DEFAULT   13 pthread_mutex_lock
    16: 0000000000001149    22 FUNC    GLOBAL DEFAULT   13 pthread_cond_wait@@GLIBC_2.3.2
    17: 0000000000001159    22 FUNC    GLOBAL DEFAULT   13 pthread_cond_wait@GLIBC_2.2.5
"""
GOOD_EXPORTS = {
    "pthread_mutex_lock", "pthread_cond_wait@GLIBC_2.3.2", "pthread_cond_wait@GLIBC_2.2.5",
}


class PreloadRules(unittest.TestCase):
    def found(self, old="", new=""):
        self.assertIn(old, GOOD_LIBRARY)
        return preload_rules.violations(GOOD_LIBRARY.replace(old, new, 1), GOOD_EXPORTS)

    def test_the_good_library_passes(self):
        self.assertEqual(preload_rules.violations(GOOD_LIBRARY, GOOD_EXPORTS), [])

    def test_libstdcxx_is_found(self):
        self.assertEqual(len(self.found("libc.so.6", "libstdc++.so.6")), 1)
        self.assertEqual(len(self.found("dlsym@GLIBC_2.34", "_Znwm@GLIBCXX_3.4")), 1)
        self.assertEqual(len(self.found("dlsym@GLIBC_2.34", "_Unwind_Backtrace@GCC_3.3")), 1)

    def test_a_newer_libc_is_found(self):
        self.assertEqual(len(self.found("dlsym@GLIBC_2.34", "arc4random@GLIBC_2.36")), 1)

    def test_exports_too_many_and_too_few_are_found(self):
        self.assertEqual(len(self.found("pthread_mutex_lock", "helper")), 2)
        self.assertEqual(elf.exported(GOOD_LIBRARY), GOOD_EXPORTS)

    def test_too_much_tls_is_found(self):
        self.assertEqual(len(self.found("0x000018 R", "0x000048 R")), 1)

    def test_lazy_tls_is_found(self):
        self.assertEqual(len(self.found("STATIC_TLS", "BIND_NOW")), 1)
        self.assertEqual(len(self.found("STATIC_TLS", "STATIC_TLS\n 0 0 R_X86_64_DTPMOD64 0")), 1)


if __name__ == "__main__":
    unittest.main()
