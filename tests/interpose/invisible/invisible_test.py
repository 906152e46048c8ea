"""Programs in hostile surroundings behave as without the preload: same output, same end;
what cannot be recorded is said in one line and counted.

Each situation of the program `situations` runs plain, under the bare preload and under
`lockwarden run`; standard error may differ by the lines that a test names, and by no other.
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "end_to_end"))

from support import (  # noqa: E402: found beside the other tests
    BUILD, LOCKWARDEN, NOBODY, PRELOAD, Case, environment, program,
)

ASIDE = "lockwarden: not recording in this process: "
FILTERED = ASIDE + "a seccomp filter forbids what the recorder needs"
NO_ROOM = ASIDE + "the limits on memory or file size leave no room for a ledger"
NO_MEMFD = ASIDE + "memfd_create failed"
GIVEN_UP = "lockwarden: recording was given up in {}"
DROPPED = "lockwarden: dropped records: {} {}"


class Situations(Case):
    binary = "situations"

    def same(self, name, bare=(), run=(), binary=None, wanted=None, crash=None,
             certainly=True, **options):
        """Runs the situation in all three ways; `bare` and `run` are the lines that are due, and
        `crash` the signal of which `run` tells that the program died of it."""
        command = [program(binary or self.binary), name]
        plain = self.run_plain(*command, **options)
        self.assertNotEqual(plain.code, 90, plain.err)
        self.assertNotEqual(plain.code, 91, plain.err)
        if wanted is not None:
            self.assertEqual(plain.code, wanted, plain.err)
        base = options.pop("env", None) or environment()
        env = dict(base, LD_PRELOAD=":".join(
            filter(None, [str(PRELOAD), base.get("LD_PRELOAD")])))
        self.expect("bare", plain, self.run_plain(*command, env=env, **options), bare)
        supervised = self.run_supervised(*command, env=base, **options)
        told = [line for line in supervised.err.decode().splitlines(keepends=True)
                if line.startswith("lockwarden: CRASH: ")]
        self.assertLessEqual(len(told), int(crash is not None), supervised.err)
        self.assertTrue(told or crash is None or not certainly)
        for line in told:
            self.assertIn(f" was killed by {crash}; ", line)
            supervised.err = supervised.err.replace(line.encode(), b"")
        self.expect("run", plain, supervised, run)
        self.assertEqual(supervised.findings, [])
        return plain

    def expect(self, how, plain, other, lines):
        self.assertEqual((how, other.code, other.out), (how, plain.code, plain.out), other.err)
        self.assertEqual(self.lines(other), self.lines(plain) + list(lines), how)

    def lines(self, result):
        return result.err.decode().splitlines()


def situation(name, **expected):
    def test(self):
        with self.subTest(name):
            self.same(name, **expected)
    return test


def add(case, *names):
    for name in names:
        setattr(case, "test_" + name.replace("-", "_"), situation(name))


class ProcessLife(Situations):
    def test_threads_behind_libcs_back(self):
        # Where their stacks end is not known.
        self.same("raw-threads", run=[DROPPED.format("stack", 2)])

    def test_a_death_with_locks_held_is_told_by_run(self):
        for name, signal in (("end-abort", "SIGABRT"), ("end-fault", "SIGSEGV")):
            with self.subTest(name):
                self.same(name, crash=signal)

    def test_end_kill(self):
        # Whether a lock is held at that moment is luck; only then it is told.
        self.same("end-kill", crash="SIGKILL", certainly=False)


add(ProcessLife, "fork-inherited-locks", "fork-generations", "fork-in-handler", "fork-raw",
    "fork-handlers-that-lock", "vfork-exit", "vfork-exec", "daemon", "end-return", "end-exit",
    "end-_exit", "end-quick_exit", "end-terminate",
    "end-fault-handler", "end-from-a-thread", "end-main-thread-exits", "shell")


class NewImages(Situations):
    def test_an_environment_without_the_preload_is_counted(self):
        self.same("exec-every-way", run=[DROPPED.format("exec", 5)])

    def test_so_is_one_given_to_posix_spawn(self):
        self.same("spawn", run=[DROPPED.format("exec", 2)])

    def test_one_that_is_gone_is_counted_once(self):
        self.same("exec-cleared-twice", run=[DROPPED.format("exec", 1)])

    def test_an_exec_that_fails_is_none(self):
        self.same("exec-fails")

    def test_a_command_that_clears_its_environment_is_counted(self):
        command = ["/usr/bin/env", "-i", program("situations"), "workout"]
        result = self.run_supervised(*command)
        self.assertEqual((result.code, result.out), (0, b"threads: works\n"))
        self.assertEqual(self.lines(result), [DROPPED.format("exec", 1)])

    def test_a_static_program_is_said_to_be_one(self):
        static = program("situations_static_pie")
        plain = self.run_plain(static, "fork-inherited-locks")
        bare = self.run_preloaded(static, "fork-inherited-locks")
        run = self.run_supervised(static, "fork-inherited-locks")
        self.assertEqual((plain.code, plain.out), (bare.code, bare.out))
        self.assertEqual((plain.code, plain.out), (run.code, run.out))
        self.assertEqual(len(self.lines(run)), 1)
        self.assertIn(b"is statically linked", run.err)


add(NewImages, "exec-while-threads-run", "exec-from-a-thread")


class OddPrograms(Situations):
    def test_coroutines(self):
        # Two calls of each are made on a stack whose end is not known.
        self.same("odd-coroutines", run=[DROPPED.format("stack", 6)])


add(OddPrograms, "odd-cancelled-waits", "odd-destructors", "odd-forks-out-of-a-wait",
    "odd-jumps-out-of-waits", "odd-memory-of-many-kinds", "odd-memory-that-goes",
    "odd-vfork-storm")


class Sandboxes(Situations):
    def test_a_forked_child_is_counted(self):
        self.same("seccomp-fork", run=[DROPPED.format("fork", 1)], wanted=0)

    def test_memfd_create_fails(self):
        self.same("image-without-memfd", wanted=0, bare=[NO_MEMFD],
                  run=[NO_MEMFD, GIVEN_UP.format("1 process")])

    def test_memfd_create_kills(self):
        self.same("image-deadly-memfd", wanted=0, bare=[FILTERED],
                  run=[FILTERED, GIVEN_UP.format("1 process")])

    @unittest.skipUnless(os.geteuid() == 0, "only root can join groups")
    def test_memfd_create_kills_a_member_of_many_groups(self):
        self.same("image-with-many-groups", wanted=0, bare=[FILTERED],
                  run=[FILTERED, GIVEN_UP.format("1 process")])

    def test_a_socket_kills(self):
        self.same("image-deadly-socket", wanted=0, bare=[FILTERED],
                  run=[FILTERED, GIVEN_UP.format("1 process")])

    def test_a_new_process_kills(self):
        # Nothing can be tried, not even a line.
        self.same("image-deadly-clone", wanted=0, run=[GIVEN_UP.format("1 process")])

    def test_a_filter_that_nobody_has_made_a_process_under(self):
        self.same("image-own-filter", wanted=0, run=[GIVEN_UP.format("1 process")])


add(Sandboxes, "seccomp-from-the-start", "seccomp-after-threads", "seccomp-all-threads",
    "seccomp-detached-threads",
    "prctl-for-other-things", "seccomp-strict-mode", "image-harmless-filter")


class Confined(Situations):
    def test_no_line_goes_into_the_programs_own_file(self):
        self.same("closed-and-limited", wanted=0, run=[GIVEN_UP.format("2 processes")])

    def test_no_descriptor_is_left_for_a_child(self):
        self.same("no-descriptors-left", wanted=0, bare=[NO_MEMFD],
                  run=[NO_MEMFD, DROPPED.format("fork", 1)])

    def test_no_file_may_grow(self):
        for name in ("image-with-small-files", "small-files"):
            with self.subTest(name):
                self.same(name, wanted=0, bare=[NO_ROOM],
                          run=[NO_ROOM, GIVEN_UP.format("1 process")])

    def test_no_file_may_grow_and_standard_error_is_one(self):
        command = [program("situations"), "image-with-small-files"]
        for env in (environment(), environment(LD_PRELOAD=str(PRELOAD))):
            with open(self.folder / "err", "wb") as err:
                process = self.start(command, env=env, stdout=subprocess.PIPE, stderr=err)
                out, _ = process.communicate(timeout=30)
            self.assertEqual((process.returncode, out), (0, b"threads: works\n"))
            self.assertEqual((self.folder / "err").read_bytes(), b"")

    def test_a_line_that_nobody_reads_neither_blocks_nor_kills(self):
        env = environment(LD_PRELOAD=str(PRELOAD))
        for full in (True, False):
            with self.subTest(full=full):
                read_end, write_end = os.pipe()
                if full:
                    os.set_blocking(write_end, False)
                    try:
                        while True:
                            os.write(write_end, b"x" * 4096)
                    except BlockingIOError:
                        os.set_blocking(write_end, True)
                else:
                    os.close(read_end)
                process = self.start([program("situations"), "image-with-small-files"], env=env,
                                     stdout=subprocess.PIPE, stderr=write_end)
                out, _ = process.communicate(timeout=30)
                self.assertEqual((process.returncode, out), (0, b"threads: works\n"))
                os.close(write_end)
                if full:
                    os.close(read_end)


add(Confined, "setns", "descriptors", "descriptors-again", "closed-descriptors",
    "closed-in-a-new-image", "image-with-few-descriptors", "image-with-256m", "image-with-1g",
    "image-with-4g", "image-with-64m", "memory-locked", "memory-taken-later",
    "memory-to-the-full")


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class OtherUsers(Situations):
    def test_an_unprivileged_user(self):
        # The checkout may lie where nobody may look; a copy of what was built does not.
        for folder in ("bin", "lib"):
            (self.folder / folder).mkdir()
        for path in (LOCKWARDEN, BUILD / "bin" / "situations", *(BUILD / "lib").glob("*.so*")):
            shutil.copy2(path, self.folder / path.parent.name)
        os.chmod(self.folder, 0o755)
        own = self.folder / "own"
        own.mkdir()
        os.chown(own, NOBODY, NOBODY)
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        situations = self.folder / "bin" / "situations"
        preload = self.folder / "lib" / PRELOAD.name
        for name in ("workout", "fork-inherited-locks", "seccomp-after-threads", "vfork-exec"):
            with self.subTest(name):
                plain = self.run_plain(*become, situations, name, cwd=own)
                bare = self.run_plain(*become, situations, name, cwd=own,
                                      env=environment(LD_PRELOAD=str(preload)))
                run = self.run_plain(*become, self.folder / "bin" / "lockwarden", "run", "--",
                                     situations, name, cwd=own)
                self.expect("bare", plain, bare, [])
                self.expect("run", plain, run, [])

    def test_a_setuid_program_is_left_alone(self):
        setuid = self.folder / "setuid"
        shutil.copy2(BUILD / "bin" / "situations", setuid)
        os.chown(setuid, NOBODY, NOBODY)
        os.chmod(setuid, 0o4755)
        os.chmod(self.folder, 0o755)
        for result in (self.run_preloaded(setuid, "workout"), self.run_plain(setuid, "workout")):
            self.assertEqual((result.code, result.out), (0, b"threads: works\n"), result.err)


add(OtherUsers, "setuid", "setuid-threads", "chroot", "unshare-user", "unshare-pid", "no-proc",
    "full-shared-memory", "no-devices", "read-only-root")


class Allocators(Situations):
    def with_allocator(self, name):
        env = environment(LD_PRELOAD=name)
        for what in ("workout", "fork-inherited-locks", "fork-generations", "vfork-exec",
                     "end-from-a-thread", "end-main-thread-exits"):
            with self.subTest(what):
                plain = self.same(what, env=env)
                self.assertNotIn(b"cannot be preloaded", plain.err)

    def test_jemalloc(self):
        self.with_allocator("libjemalloc.so.2")

    def test_tcmalloc(self):
        self.with_allocator("libtcmalloc_minimal.so.4")

    def test_mimalloc(self):
        self.with_allocator("libmimalloc.so.2.0")


class Sanitizers(Situations):
    def check(self, kind):
        for name in ("workout", "vfork-exec", "end-from-a-thread", "end-return", "memory-locked"):
            with self.subTest(name):
                self.same(name, binary=f"situations_{kind}")
        result = self.run_supervised(program(f"inverted_{kind}"))
        kinds = [finding["kind"] for finding in result.findings]
        self.assertEqual(kinds, ["potential_deadlock"], result.err)

    def test_address_sanitizer(self):
        self.check("address")

    def test_thread_sanitizer(self):
        self.check("thread")

    def test_children_with_address_sanitizer(self):
        command = ["/bin/sh", "-c", program("situations_address") + " workout; exit 3"]
        for result in (self.run_preloaded(*command), self.run_supervised(*command)):
            self.assertEqual((result.code, result.out, result.err), (3, b"threads: works\n", b""))

    def test_a_program_with_default_options_of_its_own(self):
        source = self.folder / "own.c"
        source.write_text('const char* __asan_default_options(void) { return "verbosity=0"; }\n'
                          "int main(void) { return 7; }\n")
        own = self.folder / "own"
        subprocess.run([os.environ["LOCKWARDEN_CC"], "-fsanitize=address", "-o", own, source],
                       check=True)
        for result in (self.run_plain(own), self.run_supervised(own)):
            self.assertEqual((result.code, result.err), (7, b""))

    def test_an_error_is_still_found(self):
        source = self.folder / "bad.c"
        source.write_text("#include <stdlib.h>\n"
                          "int main(void) { char* p = malloc(4); free(p); return p[1]; }\n")
        bad = self.folder / "bad"
        subprocess.run([os.environ["LOCKWARDEN_CC"], "-O0", "-fsanitize=address", "-o", bad,
                        source], check=True)
        for result in (self.run_plain(bad), self.run_preloaded(bad), self.run_supervised(bad)):
            self.assertEqual(result.code, 1)
            self.assertIn(b"heap-use-after-free", result.err)


class Loading(Situations):
    def plugins(self):
        return [str(path) for path in sorted((BUILD / "lib").glob("libloading_plugin_*.so"))] or [
            str(path) for path in sorted(BUILD.rglob("libloading_plugin_*.so"))]

    def same_command(self, *command, **changes):
        plain = self.run_plain(*command, env=environment(**changes))
        bare = self.run_plain(*command, env=environment(LD_PRELOAD=str(PRELOAD), **changes))
        run = self.run_supervised(*command, env=environment(**changes))
        self.expect("bare", plain, bare, [])
        self.expect("run", plain, run, [])
        return plain

    def test_little_static_thread_local_storage_is_left(self):
        plain = self.same_command(program("loading"), "tls", *self.plugins())
        self.assertIn(b": 2\n", plain.out)

    def test_a_library_with_a_libc_of_its_own(self):
        plain = self.same_command(program("loading"), "namespace", self.plugins()[0])
        self.assertEqual(plain.out, b"1: 2\n")

    def test_everything_is_bound_at_once(self):
        self.same_command(program("situations"), "workout", LD_BIND_NOW="1")

    def test_many_preloads(self):
        many = ["libm.so.6", "libdl.so.2", "librt.so.1", "libjemalloc.so.2", "libutil.so.1",
                "libresolv.so.2"]
        self.same("workout", env=environment(LD_PRELOAD=":".join(many)))

    def test_options_that_are_wrong_cost_a_line_or_two(self):
        for options, words in (("stacks=never", "bad value for stacks: never"),
                               ("nonsense=1", "unknown key nonsense"),
                               ("stacks='full", "quote after stacks= is never closed")):
            with self.subTest(options):
                result = self.run_plain(
                    program("situations"), "workout",
                    env=environment(LD_PRELOAD=str(PRELOAD), LOCKWARDEN_OPTIONS=options))
                self.assertEqual((result.code, result.out), (0, b"threads: works\n"))
                # The recorder's, of what it acts upon itself; and the helper's, which then ends.
                lines = self.lines(result)
                self.assertIn(words, lines[0])
                self.assertLessEqual(len(lines), 2)
                for line in lines:
                    self.assertTrue(line.startswith("lockwarden: "), line)

    def test_help_lists_the_keys_and_the_program_runs(self):
        result = self.run_plain(program("situations"), "workout",
                                env=environment(LD_PRELOAD=str(PRELOAD),
                                                LOCKWARDEN_OPTIONS="help"))
        self.assertEqual((result.code, result.out), (0, b"threads: works\n"))
        self.assertTrue(self.lines(result)[0].startswith("profile\t"))

    def test_little_memory_from_the_start(self):
        for bytes_allowed in (32 << 20, 128 << 20, 512 << 20, 2 << 30):
            def limit(size=bytes_allowed):
                resource.setrlimit(resource.RLIMIT_AS, (size, size))
            with self.subTest(bytes_allowed):
                results = [
                    self.run_plain(program("situations"), "nothing", preexec_fn=limit,
                                   env=environment(**extra))
                    for extra in ({}, {"LD_PRELOAD": str(PRELOAD)})]
                self.assertEqual((results[0].code, results[0].out),
                                 (results[1].code, results[1].out))


class Crowds(Situations):
    deadline = 200.0  # seconds; a crowd takes ten, on a machine of its own

    def test_ten_thousand_threads_at_once(self):
        self.same("ten-thousand-threads", wanted=0)

    def test_a_hundred_thousand_one_after_another(self):
        self.same("hundred-thousand-threads", wanted=0)

    def test_more_threads_than_places(self):
        command = [program("situations"), "more-threads-than-places"]
        plain = self.run_plain(*command)
        run = self.run_supervised(*command)
        self.assertEqual((run.code, run.out), (plain.code, plain.out), run.err)
        self.assertIn(b"dropped records: threads ", run.err)
        self.assertEqual(run.findings, [])


if __name__ == "__main__":
    unittest.main()
