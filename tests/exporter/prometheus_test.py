"""A real Prometheus scrapes a program that deadlocks: the alerts that are shipped fire in it. And a
real node_exporter shows the file that is left of one that has gone."""
import json
import unittest
import urllib.parse
import urllib.request

import served
import support

RULES = served.HERE.parents[1] / "exporter" / "shipped" / "lockwarden.rules.yml"
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: lockwarden
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class RealPrometheus(served.Case):
    def prometheus(self):
        config = self.folder / "prometheus.yml"
        config.write_text(CONFIG.format(rules=RULES, port=self.port))
        port = support.free_port()
        self.api = f"http://127.0.0.1:{port}/api/v1/"
        self.start(["prometheus", f"--config.file={config}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
                   stdout=-3, stderr=-3)
        support.until(lambda: self.query("up") == [1.0], "Prometheus scrapes")

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.api + path, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def query(self, expression):
        data = self.ask("query?" + urllib.parse.urlencode({"query": expression}))
        return [float(it["value"][1]) for it in data["result"]] if data else []

    def firing(self):
        alerts = (self.ask("alerts") or {"alerts": []})["alerts"]
        return {it["labels"]["alertname"] for it in alerts if it["state"] == "firing"}

    def test_a_deadlock_is_firing_and_what_is_behind_it_is_not(self):
        self.serve()
        self.prometheus()
        self.assertEqual(self.firing(), set())
        self.deadlock()
        support.until(lambda: "LockwardenDeadlock" in self.firing(), "the alert")
        self.assertEqual(self.firing(), {"LockwardenDeadlock"})
        self.assertEqual(self.query("up"), [1.0])

    def test_a_restart_ends_the_deadlock_and_is_told_itself(self):
        self.serve("--on_deadlock=restart")
        self.prometheus()
        acquired = "sum(lockwarden_lock_acquisitions_total)"
        before = support.until(lambda: self.query(acquired), "counts")[0]
        self.deadlock()
        support.until(lambda: "LockwardenDeadlockRestarted" in self.firing(), "the alert")
        support.until(lambda: "LockwardenDeadlock" not in self.firing(), "the deadlock is over")
        # The restart did not set counters back: over the whole time none did.
        support.until(lambda: self.query(acquired)[0] > before, "it counts on")
        self.assertEqual(self.query("sum(resets(lockwarden_lock_acquisitions_total[5m]))"), [0])
        self.assertEqual(self.query('lockwarden_restarts_total{reason="deadlock"}'), [1])

    def test_node_exporter_shows_why_after_everybody_has_gone(self):
        result = self.run_supervised(support.program("crossing"), flags=(
            "--profile=production", "--on_deadlock=abort",
            f"--textfile={self.folder / 'service.prom'}"))
        self.assertNotEqual(result.code, 0)
        port = support.free_port()
        self.start(["prometheus-node-exporter", "--collector.disable-defaults",
                    "--collector.textfile", f"--collector.textfile.directory={self.folder}",
                    f"--web.listen-address=127.0.0.1:{port}"], stdout=-3, stderr=-3)
        samples = support.until(lambda: support.scrape(port), "node_exporter answers")
        self.assertEqual(samples['lockwarden_deadlocks_total{kind="deadlock"}'], 1)
        self.assertEqual(samples["lockwarden_program_up"], 0)
        self.assertEqual(samples["node_textfile_scrape_error"], 0)
        self.assertTrue(any(name.startswith("lockwarden_lock_wait_seconds_bucket{")
                            for name in samples))


if __name__ == "__main__":
    unittest.main()
