"""The status page in a real Chromium, driven by the WebDriver protocol.

With LOCKWARDEN_SCREENSHOTS=DIR in the environment each state is also saved there as a picture,
for a person to look at.
"""
import base64
import json
import os
import pathlib
import signal
import unittest
import urllib.request

import served
import support


class Browser:
    """One Chromium window, of a chromedriver of its own."""

    def __init__(self, case):
        port = support.free_port()
        case.start(["chromedriver", f"--port={port}"], stdout=-3, stderr=-3)
        self.base = f"http://127.0.0.1:{port}"
        support.until(self.is_up, "chromedriver")
        profile = case.folder / "profile"
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-dev-shm-usage", "--window-size=1100,1300", f"--user-data-dir={profile}"]},
        }}})
        self.base += "/session/" + session["sessionId"]
        case.addCleanup(self.call, "DELETE", "")

    def is_up(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.base + path, method=method, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": "return " + script, "args": []})

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")

    def devtools(self, command, **parameters):
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def color_scheme(self, scheme):
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])

    def size(self, width, height, mobile):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=mobile)

    def complaints(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def picture(self, name):
        folder = os.environ.get("LOCKWARDEN_SCREENSHOTS")
        if folder:
            picture = base64.b64decode(self.call("GET", "/screenshot"))
            (pathlib.Path(folder) / f"{name}.png").write_bytes(picture)


class StatusPage(served.Case):
    def setUp(self):
        super().setUp()
        self.serve()
        self.browser = Browser(self)
        self.browser.go(f"http://127.0.0.1:{self.port}/")

    def wait_for_verdict(self, text):
        support.until(lambda: text in self.browser.text("#banner"), text)

    def test_it_loads_and_renews_itself_from_its_own_port_only(self):
        self.wait_for_verdict("No deadlock")
        self.assertEqual(self.browser.text("#program"), "service")
        support.until(lambda: "Transfer" in self.browser.text("#classes"), "classes")
        first = self.browser.text("#updated")
        support.until(lambda: self.browser.text("#updated") != first, "it renews itself")
        elsewhere = self.browser.run(
            "performance.getEntriesByType('resource').map(e => e.name)"
            ".filter(name => !name.startsWith(location.origin) && !name.startsWith('data:'))")
        self.assertEqual(elsewhere, [])
        self.assertEqual(self.browser.complaints(), [])
        self.browser.picture("well-light")

    def test_a_deadlock_appears_and_leads_to_its_report(self):
        self.wait_for_verdict("No deadlock")
        self.deadlock()
        self.wait_for_verdict("1 deadlock")
        self.assertIn("The process is not answering; this is its ledger",
                      self.browser.text("#detail"))
        support.until(lambda: self.browser.run("document.querySelectorAll('.node.stuck').length") == 4,
                      "two threads and two locks in the ring")
        # Two more threads stand behind. Nothing overlaps, and nothing is cut off.
        self.assertEqual(self.browser.run("document.querySelectorAll('.node').length"), 6)
        for name, width, mobile in (("wide", 1100, False), ("phone", 390, True)):
            self.browser.size(width, 1500, mobile)
            for scheme in ("light", "dark"):
                self.browser.color_scheme(scheme)
                support.until(lambda: self.browser.run("innerWidth") == width, "the size")
                self.browser.run("(dispatchEvent(new Event('resize')), 1)")
                self.assertEqual(self.overlaps(), [], name)
                self.assertEqual(self.browser.run("document.documentElement.scrollWidth > innerWidth"),
                                 False, name)
                brightness = self.browser.run(
                    "getComputedStyle(document.documentElement).backgroundColor"
                    ".match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0)")
                (self.assertLess if scheme == "dark" else self.assertGreater)(brightness, 380)
                self.browser.picture(f"deadlock-{name}-{scheme}")
        support.until(lambda: self.browser.text("#incidents a"), "the incident is listed")
        self.browser.run("(document.querySelector('#incidents a').click(), 1)")
        support.until(lambda: "how to fix it" in self.browser.text("#report"), "its report")
        self.browser.picture("report")
        self.assertEqual(self.browser.complaints(), [])

    def test_a_stopped_program_is_said_to_be_stopped(self):
        self.wait_for_verdict("No deadlock")
        os.kill(self.pid(), signal.SIGSTOP)
        self.wait_for_verdict("Stopped by a signal")
        self.browser.picture("stopped")
        os.kill(self.pid(), signal.SIGCONT)
        self.wait_for_verdict("No deadlock")

    def test_it_says_that_nobody_answers_and_shows_what_it_knew(self):
        self.wait_for_verdict("No deadlock")
        support.end(self.supervisor)
        self.wait_for_verdict("No answer from Lockwarden")
        self.assertIn("what it said last: No deadlock", self.browser.text("#detail"))

    def overlaps(self):
        """Pairs of boxes of the graph that overlap, or boxes that are outside of the picture."""
        return self.browser.run("""(() => {
          const svg = document.querySelector('#graph svg').getBoundingClientRect();
          const boxes = [...document.querySelectorAll('#graph rect')].map(r => r.getBoundingClientRect());
          const bad = boxes.filter(b => b.left < svg.left || b.right > svg.right ||
            b.top < svg.top || b.bottom > svg.bottom).map(() => 'outside');
          boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
            if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
              bad.push(i + ' and ' + (i + 1 + j));
          }));
          return bad;
        })()""")


if __name__ == "__main__":
    unittest.main()
