"""The HTML report in a real Chromium. With LOCKWARDEN_SCREENSHOTS=DIR each state is also saved
there as a picture, for a person to look at.
"""
import base64
import json
import os
import pathlib
import unittest

import browser_test
import support

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "reporting" / "golden"
HOSTILE = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>\"&"


class ReportPage(support.Case):
    def setUp(self):
        super().setUp()
        self.browser = browser_test.Browser(self)

    def show(self, *paths, size=(1100, 1500)):
        page = self.folder / "report.html"
        result = self.run_plain(support.LOCKWARDEN, "report", "--format=html", f"--output={page}",
                                f"--source-root={self.folder}", *paths)
        self.assertEqual((result.code, result.err), (0, b""))
        self.browser.size(*size, False)
        self.browser.go(page.as_uri())

    def philosophers(self):
        source = self.folder / "philosophers.c"
        source.write_text("".join(f"  line {number};\n" for number in range(1, 90)))
        os.utime(source, (1_600_000_000, 1_600_000_000))
        return GOLDEN / "deadlock.json"

    def is_hidden(self, selector):
        return self.browser.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.hidden)")

    def test_a_deadlock_is_drawn_and_its_stacks_fold(self):
        self.show(self.philosophers())
        self.assertEqual(self.browser.text("h1"), "1 finding")
        self.assertEqual(self.browser.run("document.querySelectorAll('svg .node.stuck').length"), 4)
        self.assertEqual(self.outside(), [])
        self.assertIn("line 31", self.browser.text(".source b"))
        opened = "document.querySelectorAll('details[open]').length"
        self.assertEqual(self.browser.run(opened), 2)
        self.browser.run("(document.getElementById('open').click(), 1)")
        self.assertEqual(self.browser.run(opened), 8)
        self.browser.run("(document.getElementById('close').click(), 1)")
        self.assertEqual(self.browser.run(opened), 0)
        self.assertEqual(self.browser.complaints(), [])

    def test_it_fits_wide_and_narrow_light_and_dark(self):
        for name, width in (("wide", 1100), ("phone", 390)):
            self.show(self.philosophers(), GOLDEN / "potential_deadlock.json", size=(width, 1500))
            for scheme in ("light", "dark"):
                self.browser.color_scheme(scheme)
                self.assertFalse(self.browser.run("document.documentElement.scrollWidth > innerWidth"),
                                 name)
                brightness = self.browser.run(
                    "getComputedStyle(document.documentElement).backgroundColor"
                    ".match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0)")
                (self.assertLess if scheme == "dark" else self.assertGreater)(brightness, 380)
                self.browser.picture(f"report-{name}-{scheme}")

    def test_the_filter_leaves_what_has_all_its_words(self):
        self.show(*sorted(GOLDEN.glob("*.json")))
        self.assertEqual(len(self.is_hidden("article")), 4)
        self.browser.run("(document.getElementById('filter').value = 'GRAB_fork mutex',"
                         "document.getElementById('filter').dispatchEvent(new Event('input')), 1)")
        self.assertEqual(self.is_hidden("article").count(False), 1)
        self.assertEqual(self.browser.text("#shown"), "1 of 4 shown")
        self.browser.picture("report-filtered")

    def test_hostile_names_run_nothing(self):
        finding = json.loads((GOLDEN / "deadlock.json").read_text())

        def spoil(value):
            if isinstance(value, dict):
                return {key: spoil(entry) for key, entry in value.items()}
            if isinstance(value, list):
                return [spoil(entry) for entry in value]
            keep = value in ("deadlock", "proven", "cycle", "behind", "other", "exclusive")
            return HOSTILE if isinstance(value, str) and not keep else value
        path = self.folder / "hostile.json"
        path.write_text(json.dumps(spoil(finding)))
        self.show(path)
        self.assertEqual(self.browser.run("window.hit ?? 0"), 0)
        self.assertEqual(self.browser.run("document.scripts.length"), 1)
        self.assertEqual(self.browser.run("document.images.length"), 0)
        self.assertIn("<img src=x", self.browser.text("article h2"))
        self.assertEqual(self.browser.complaints(), [])
        # And had one slipped through: the page's policy runs no script but its own.
        self.browser.run("(document.body.append(Object.assign(document.createElement('script'),"
                         " {textContent: 'window.hit = 1'})), 1)")
        self.assertEqual(self.browser.run("window.hit ?? 0"), 0)

    def test_it_prints_with_everything_open(self):
        self.show(self.philosophers())
        printed = self.browser.call("POST", "/print", {})
        self.assertTrue(base64.b64decode(printed).startswith(b"%PDF"))
        folder = os.environ.get("LOCKWARDEN_SCREENSHOTS")
        if folder:
            (pathlib.Path(folder) / "report.pdf").write_bytes(base64.b64decode(printed))
        self.browser.run("(dispatchEvent(new Event('beforeprint')), 1)")
        self.assertEqual(self.browser.run("document.querySelectorAll('details:not([open])').length"), 0)
        self.browser.run("(dispatchEvent(new Event('afterprint')), 1)")
        self.assertEqual(self.browser.run("document.querySelectorAll('details[open]').length"), 2)

    def outside(self):
        """Boxes of the drawing that overlap, or that are outside of the picture."""
        return self.browser.run("""(() => {
          const svg = document.querySelector('figure svg').getBoundingClientRect();
          const boxes = [...document.querySelectorAll('figure rect')].map(r => r.getBoundingClientRect());
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
