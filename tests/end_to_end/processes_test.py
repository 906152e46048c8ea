"""Programs that start programs: every process that carries the preload registers, is judged
by itself, and is not harmed; whoever it runs as.
"""
import os
import shutil
import stat
import subprocess
import unittest

from support import (
    BUILD, DEADLINE, LOCKWARDEN, NOBODY, PRELOAD, PYTHON, Case, environment, free_port, program,
    scrape, until,
)

SHORT_PROCESSES = 300


class Children(Case):
    def test_a_deadlock_in_a_grandchild_is_reported(self):
        result = self.run_supervised("/bin/sh", "-c", f"{program('crossing')}; true")
        self.assertEqual([finding["kind"] for finding in result.findings], ["deadlock"])
        self.assertEqual(os.path.basename(result.findings[0]["program"]), "crossing")
        self.assertEqual(result.code, 66)

    def test_a_deadlock_in_a_forked_child_names_the_child(self):
        result = self.run_supervised(program("crossing"), "fork")
        child = int(result.out.split()[1])
        self.assertEqual([finding["pid"] for finding in result.findings], [child])

    def test_hundreds_of_short_processes_all_register(self):
        port = free_port()
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        supervisor = self.start(
            self.supervised(
                "/bin/sh", "-c",
                f"i=0; while [ $i -lt {SHORT_PROCESSES} ]; do /bin/true; i=$((i + 1)); done;"
                "echo done; read line <go",
                flags=[f"--metrics=127.0.0.1:{port}"],
            ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.assertEqual(supervisor.stdout.readline(), b"done\n")
        sample = "lockwarden_processes_total"
        until(lambda: (scrape(port) or {}).get(sample, 0) > SHORT_PROCESSES, sample)
        samples = scrape(port)
        self.assertEqual(samples["lockwarden_refused_registrations_total"], 0)
        fifo.write_text("\n")
        _, err = supervisor.communicate(timeout=DEADLINE)
        self.assertEqual((supervisor.returncode, err), (0, b""))
        self.assertEqual(self.findings(), [])

    def test_the_one_bad_process_among_hundreds_is_found(self):
        result = self.run_supervised(
            "/bin/sh", "-c",
            "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i + 1)); done;" + program("inverted"),
        )
        self.assertEqual([f["kind"] for f in result.findings], ["potential_deadlock"])
        self.assertEqual(result.code, 66)

    def test_a_parallel_build_works(self):
        (self.folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(tiny C)\nadd_executable(tiny main.c "
            + " ".join(f"f{i}.c" for i in range(12)) + ")\n"
        )
        for i in range(12):
            (self.folder / f"f{i}.c").write_text(f"int f{i}(void) {{ return {i}; }}\n")
        (self.folder / "main.c").write_text(
            "".join(f"int f{i}(void);\n" for i in range(12))
            + "int main(void) { return " + " + ".join(f"f{i}()" for i in range(12)) + " - 66; }\n"
        )
        result = self.run_supervised(
            "/bin/sh", "-ec", "cmake -G Ninja -S . -B out; cmake --build out; out/tiny",
        )
        self.assertEqual(result.code, 0, result.out + result.err)
        self.assertEqual(result.findings, [])

    def test_a_threaded_program_may_fork_again_and_again(self):
        for result in (self.run_supervised(program("forker")), self.run_preloaded(program("forker"))):
            self.assertEqual((result.code, result.out), (0, b"40 children, 0 bad\n"), result.err)
            self.assertEqual(result.findings, [])


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class OtherUsers(Case):
    def setUp(self):
        super().setUp()
        # The checkout may lie where nobody may look; a copy of what was built does not.
        # The command finds the preload library relative to itself.
        for folder in ("bin", "lib"):
            (self.folder / folder).mkdir()
        for path in (LOCKWARDEN, BUILD / "bin" / "crossing", *(BUILD / "lib").glob("*.so*")):
            shutil.copy2(path, self.folder / path.parent.name)
        self.own = self.folder / "own"
        self.own.mkdir()
        os.chmod(self.folder, 0o755)
        os.chown(self.own, NOBODY, NOBODY)
        self.report = self.own / "report.json"
        self.incidents = self.own / "incidents"

    def command(self, *command):
        return [self.folder / "bin" / "lockwarden", *self.supervised(*command)[1:]]

    def test_an_unprivileged_user_gets_the_same(self):
        result = self.run_plain(
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            *self.command(self.folder / "bin" / "crossing"), cwd=self.own,
        )
        self.assertEqual(result.code, 66, result.err)
        (finding,) = self.findings()
        self.assertEqual(finding["kind"], "deadlock")
        (incident,) = self.incidents.iterdir()
        self.assertEqual(incident.stat().st_uid, NOBODY)
        self.assertEqual(stat.S_IMODE(incident.stat().st_mode), 0o700)

    def test_a_program_that_gives_up_its_privileges_is_still_judged(self):
        result = self.run_plain(*self.command(self.folder / "bin" / "crossing", "setuid"))
        self.assertEqual(result.code, 66, result.err)
        (finding,) = self.findings()
        self.assertEqual(finding["kind"], "deadlock")


class BarePreload(Case):
    def test_many_processes_leave_nothing_behind(self):
        result = self.run_preloaded(
            "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do /bin/true & done; wait; ls",
        )
        self.assertEqual((result.code, result.out, result.err), (0, b"", b""))

    def test_a_cleared_environment_does_no_harm(self):
        result = self.run_preloaded("/usr/bin/env", "-i", PYTHON, "-c", "print('well')")
        self.assertEqual((result.code, result.out, result.err), (0, b"well\n", b""))

    def test_memcached_serves_as_ever(self):
        sockets = self.folder / "sockets"
        sockets.mkdir()
        user = []
        if os.geteuid() == 0:
            os.chmod(self.folder, 0o711)
            os.chown(sockets, NOBODY, NOBODY)
            user = ["-u", "nobody"]
        server = self.start(
            ["memcached", *user, "-t", "4", "-s", sockets / "it"],
            env=environment(LD_PRELOAD=str(PRELOAD)), stderr=subprocess.PIPE,
        )
        until((sockets / "it").exists, "memcached's socket")
        load = self.run_plain(program("memcached_load"), str(sockets / "it"), "0.5", "8")
        self.assertEqual((load.code, load.err), (0, b""))
        server.terminate()
        _, err = server.communicate(timeout=DEADLINE)
        self.assertEqual(server.returncode, 0)
        self.assertNotIn(b"lockwarden", err)


if __name__ == "__main__":
    unittest.main()
