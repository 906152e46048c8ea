"""The exporter as an operator meets it, without a browser or a Prometheus."""
import json
import os
import re
import signal
import subprocess
import unittest

import served
import support
from served import get


class Exporter(served.Case):
    def test_a_stopped_program_does_not_black_it_out(self):
        self.serve()
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        support.until(lambda: self.status()["not_answering"] == "stopped", "it is seen")
        before = support.scrape(self.port)["lockwarden_watchdog_checks_total"]
        support.until(lambda: support.scrape(self.port)["lockwarden_watchdog_checks_total"] > before,
                      "the watchdog goes on")
        self.assertEqual(get(self.port, "/livez")[0], 200)

    def test_a_deadlock_is_shown_while_it_lasts(self):
        self.serve()
        self.assertEqual(get(self.port, "/livez")[0], 200)
        # What is counted for a lock reaches its class.
        support.until(lambda: support.scrape(self.port).get(
            'lockwarden_lock_contentions_total{lock_class="Transfer service.c:18"}', 0) > 0, "counts")
        self.deadlock()
        support.until(lambda: get(self.port, "/livez")[0] == 503, "liveness fails")
        self.assertIn("DEADLOCK", get(self.port, "/livez")[1])
        status = support.until(
            lambda: (it := self.status())["not_answering"] == "deadlocked" and it["incidents"] and it,
            "the status")
        self.assertEqual(sum(thread["deadlocked"] for thread in status["threads"]), 4)
        self.assertIn("Audit", get(self.port, f"/incidents/{status['incidents'][0]['number']}")[1])
        samples = support.scrape(self.port)
        self.assertEqual(samples["lockwarden_deadlock_cycles"], 1)
        waiters = sum(value for name, value in samples.items()
                      if name.startswith("lockwarden_lock_waiters{"))
        self.assertEqual(waiters, 4)

    def test_no_label_holds_an_address_or_a_path(self):
        self.serve()
        support.until(lambda: "Transfer" in get(self.port, "/metrics")[1], "classes")
        for line in get(self.port, "/metrics")[1].splitlines():
            for value in re.findall(r'="([^"]*)"', line.split("# ")[0]):
                self.assertNotRegex(value, r"0x[0-9a-f]{6}|/")

    def test_promtool_finds_nothing_to_complain_about(self):
        self.serve()
        support.until(lambda: "Transfer" in get(self.port, "/metrics")[1], "classes")
        page = get(self.port, "/metrics")[1]
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), timeout=30,
                                 capture_output=True)
        self.assertEqual((checked.returncode, checked.stderr), (0, b""))

    def test_a_password_is_asked_for(self):
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text("me:secret\n")
        self.serve(f"--metrics_password={password}")
        self.assertEqual(get(self.port, "/metrics")[0], 401)
        self.assertEqual(get(self.port, "/metrics", {"Authorization": "Basic bWU6c2VjcmV0"})[0], 200)

    def test_a_password_that_others_can_read_is_refused(self):
        password = self.folder / "password"
        for mode, text, why in ((0o644, "me:secret\n", b"chmod 600"), (0o600, "secret", b"one line"),
                                (0o600, "a:b\nc:d\n", b"one line")):
            password.write_text(text)
            password.chmod(mode)
            result = self.run_supervised("/bin/true", flags=(f"--metrics_password={password}",))
            self.assertEqual(result.code, 64)
            self.assertIn(why, result.err)

    def test_the_textfile_says_why_after_everybody_has_gone(self):
        textfile = self.folder / "service.prom"
        result = self.run_supervised(support.program("crossing"), flags=(
            "--profile=production", "--on_deadlock=abort", f"--textfile={textfile}"))
        self.assertNotEqual(result.code, 0)
        self.assertIn('lockwarden_deadlocks_total{kind="deadlock"} 1\n', textfile.read_text())
        self.assertIn("lockwarden_program_up 0\n", textfile.read_text())
        self.assertEqual(textfile.stat().st_mode & 0o777, 0o644)
        self.assertEqual([path.name for path in self.folder.glob("service.prom*")], ["service.prom"])
        nowhere = self.run_supervised("/bin/true", flags=("--textfile=/nonexistent/a.prom",))
        self.assertEqual(nowhere.code, 64)
        self.assertIn(b"textfile /nonexistent/a.prom: No such file", nowhere.err)

    def test_serve_finds_what_is_supervised_and_forgets_what_has_gone(self):
        self.start(self.supervised(support.program("service"), flags=("--profile=production",)),
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.serve()
        port, targets = support.free_port(), self.folder / "targets.json"
        self.start([support.LOCKWARDEN, "serve", f"--metrics=127.0.0.1:{port}",
                    f"--file_sd={targets}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def paths():  # other tests may run beside this one
            return [it["path"] for it in json.loads(get(port, "/api/v1/processes")[1])["processes"]
                    if it["process"] == "service" and it.get("recorded")]
        support.until(lambda: get(port, "/readyz")[0] == 200, "serve looks")
        mine = support.until(lambda: len(found := paths()) >= 2 and found, "both are found")
        samples = support.scrape(port)
        running = [name for name in samples if name.startswith(
            'lockwarden_program_up{process="service",slot="')]
        self.assertGreaterEqual(len(running), 2)
        self.assertEqual(get(port, f"/{mine[0]}")[0], 200)
        self.assertEqual(json.loads(get(port, f"/{mine[0]}api/v1/status")[1])["program"], "service")
        support.until(lambda: len(json.loads(targets.read_text())) >= 2, "file_sd")
        page = get(port, "/metrics")[1]
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), timeout=30,
                                 capture_output=True)
        self.assertEqual((checked.returncode, checked.stderr), (0, b""))
        # A supervisor that is stopped holds up nobody.
        self.supervisor.send_signal(signal.SIGSTOP)
        self.addCleanup(self.supervisor.send_signal, signal.SIGCONT)
        support.until(lambda: support.scrape(port)["lockwarden_serve_silent_supervisors"] >= 1,
                      "it is said to be silent")
        self.supervisor.send_signal(signal.SIGCONT)
        before = len(paths())
        support.end(self.supervisor)
        support.until(lambda: len(paths()) < before, "it is forgotten")

    def test_what_is_printed_fits_the_run(self):
        def printed(what):
            result = self.run_supervised("./my server", "--port=80%",
                                         flags=("--metrics=9999", f"--print={what}"))
            self.assertEqual((result.code, result.err), (0, b""))
            return result.out.decode()
        rules = self.folder / "rules.yml"
        rules.write_text(printed("rules"))
        subprocess.run(["promtool", "check", "rules", rules], check=True, timeout=30,
                       stdout=subprocess.DEVNULL)
        self.assertIn('targets: ["127.0.0.1:9999"]', rules.read_text())
        unit = printed("unit")
        self.assertIn('-- "./my server" "--port=80%%"\n', unit)
        self.assertNotIn("print", unit)
        self.assertIn("containerPort: 9999", printed("probes"))
        self.assertIn("Lockwarden: my server", printed("dashboard"))


if __name__ == "__main__":
    unittest.main()
