"""`lockwarden report` over the findings in golden/: each format as it is kept there, checked by a
parser of its own, with hostile names, with baselines, and with what is no report at all.

LOCKWARDEN_UPDATE_GOLDEN=1 writes golden/ anew. LOCKWARDEN_SARIF_SCHEMA=FILE also checks against
OASIS's schema (sarif-schema-2.1.0.json), which is not kept here.
"""
import base64
import hashlib
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

COMMAND = pathlib.Path(os.environ["LOCKWARDEN_BUILD"]) / "bin" / "lockwarden"
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
NAMES = ["deadlock", "misuse", "missing_symbols", "potential_deadlock"]
ENDINGS = {"html": "html", "sarif": "sarif", "junit": "xml", "dot": "dot", "svg": "svg",
           "folded": "folded", "github": "github"}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&;\n::error::x\x1b[31m\u0085\\ \U0001f512"

# What code scanning services refuse a file for, by section of SARIF 2.1.0.
SARIF_RULES = {
    "type": "object", "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {
            "type": "object", "required": ["tool", "results"],
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name", "rules"],
                    "properties": {"rules": {"type": "array", "items": {
                        "type": "object", "required": ["id", "shortDescription"]}}}}}},
                "results": {"type": "array", "items": {
                    "type": "object",
                    "required": ["ruleId", "ruleIndex", "level", "message", "partialFingerprints"],
                    "properties": {
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "message": {"required": ["text"]},
                        "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                        "relatedLocations": {"type": "array",
                                             "items": {"$ref": "#/$defs/location"}},
                        "partialFingerprints": {"additionalProperties": {"type": "string"}},
                    }}},
            }}},
    },
    "$defs": {"location": {
        "type": "object", "required": ["physicalLocation"],
        "properties": {"physicalLocation": {
            "type": "object", "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {"required": ["uri"], "properties": {
                    "uri": {"type": "string", "pattern": "^[!-~]*$"}}},
                "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
            }}}}},
}


def report(*arguments, stdin=None, cwd="/"):
    return subprocess.run([COMMAND, "report", *map(str, arguments)], input=stdin, cwd=cwd,
                          capture_output=True, timeout=60)


def golden(name):
    return GOLDEN / f"{name}.json"


class Markup(html.parser.HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


class ReportCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-report-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def good(self, *arguments, **options):
        result = report(*arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout.decode()

    def hostile(self):
        """A finding whose every name is markup, a command or a control sequence."""
        finding = json.loads(golden("deadlock").read_text())

        def spoil(value, key=None):
            if isinstance(value, dict):
                return {k: spoil(v, k) for k, v in value.items()}
            if isinstance(value, list):
                return [spoil(entry, key) for entry in value]
            free = isinstance(value, str) and key in (
                "name", "label", "function", "file", "module", "program", "headline", "story",
                "evidence", "advice", "class", "kind of lock", "incident")
            return HOSTILE if free else value
        path = self.folder / "hostile.json"
        path.write_text(json.dumps(spoil(finding)))
        return path


class Formats(ReportCase):
    def test_each_format_is_as_kept_in_golden(self):
        for name in NAMES:
            for form, ending in ENDINGS.items():
                with self.subTest(name=name, form=form):
                    text = self.good(golden(name), f"--format={form}")
                    path = GOLDEN / f"{name}.{ending}"
                    if os.environ.get("LOCKWARDEN_UPDATE_GOLDEN"):
                        path.write_text(text)
                    self.assertEqual(text, path.read_text())

    def test_json_and_text_come_back_as_they_were_written(self):
        for name in NAMES:
            self.assertEqual(self.good(golden(name), "--format=json"), golden(name).read_text())
            # A report does not know where the incidents lay.
            text = (GOLDEN / f"{name}.txt").read_text().replace("./lockwarden-incidents/", "")
            self.assertEqual(self.good(golden(name)), text + "\n")

    def test_sarif_is_what_services_take(self):
        schemas = [SARIF_RULES]
        if os.environ.get("LOCKWARDEN_SARIF_SCHEMA"):
            schemas.append(json.loads(pathlib.Path(os.environ["LOCKWARDEN_SARIF_SCHEMA"]).read_text()))
        for paths in ([golden(name) for name in NAMES], [self.hostile()]):
            log = json.loads(self.good(*paths, "--format=sarif"))
            for schema in schemas:
                jsonschema.validate(log, schema)
            run = log["runs"][0]
            for result in run["results"]:
                self.assertEqual(run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"],
                                 result["ruleId"])
        result = json.loads(self.good(golden("deadlock"), "--format=sarif"))["runs"][0]["results"][0]
        self.assertEqual(result["partialFingerprints"], {"lockwarden/v1": "00112233445566aa"})
        said = [location["message"]["text"] for location in result["relatedLocations"]]
        for place in ("wants mutex 2 here", "took mutex 1 here", "wants mutex 1 here",
                      "took mutex 2 here"):
            self.assertTrue(any(place in text for text in said), (place, said))

    def test_sarif_names_sources_below_the_root_relative_to_it(self):
        finding = json.loads(golden("deadlock").read_text())
        finding["threads"][0]["stack"][1]["file"] = "/src/my project/a.c"
        path = self.folder / "finding.json"
        path.write_text(json.dumps(finding))
        run = json.loads(self.good(path, "--format=sarif", "--source-root=/src"))["runs"][0]
        place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        self.assertEqual(place, {"uri": "my%20project/a.c", "uriBaseId": "SRCROOT"})
        self.assertEqual(run["originalUriBaseIds"]["SRCROOT"]["uri"], "file:///src/")

    def test_junit_counts_failures_and_passes_when_nothing_was_found(self):
        for paths in ([golden(name) for name in NAMES], [self.hostile()]):
            root = xml.etree.ElementTree.fromstring(self.good(*paths, "--format=junit"))
            cases = root.findall("./testsuite/testcase")
            self.assertEqual(len(cases), len(paths))
            self.assertEqual(int(root.get("failures")), len(root.findall(".//failure")))
            self.assertEqual(int(root.get("tests")), len(cases))
        baseline = self.folder / "baseline"
        baseline.write_text("8899aabbccddeeff\n")
        root = xml.etree.ElementTree.fromstring(
            self.good(golden("potential_deadlock"), f"--baseline={baseline}", "--format=junit"))
        self.assertEqual((root.get("tests"), root.get("failures")), ("1", "0"))

    def test_svg_is_well_formed_and_has_no_script(self):
        for path in [golden(name) for name in NAMES] + [self.hostile()]:
            root = xml.etree.ElementTree.fromstring(self.good(path, "--format=svg"))
            tags = {element.tag.split("}")[1] for element in root.iter()}
            self.assertLessEqual(tags, {"svg", "title", "style", "path", "polygon", "text", "rect", "g"})

    def test_dot_is_read_by_graphviz(self):
        if not shutil.which("dot"):
            self.skipTest("Graphviz is not installed")
        for path in [golden(name) for name in NAMES] + [self.hostile()]:
            drawn = subprocess.run(["dot", "-Tsvg"], input=self.good(path, "--format=dot").encode(),
                                   capture_output=True, timeout=60)
            self.assertEqual((drawn.returncode, drawn.stderr), (0, b""))

    def test_folded_lines_end_in_microseconds(self):
        lines = self.good(golden("deadlock"), "--format=folded").splitlines()
        self.assertIn("philosophers;dine;grab_fork;[waits for mutex 2] 1240000", lines)
        for line in self.good(self.hostile(), "--format=folded").splitlines():
            self.assertRegex(line, r"^[^\x00-\x1f]*;[^;]* \d+$")

    def test_github_has_one_command_a_finding(self):
        for path in (golden("deadlock"), self.hostile()):
            lines = self.good(path, "--github").splitlines()
            self.assertEqual(len(lines), 1)
            self.assertRegex(lines[0], r"^::(error|warning|notice) (file=[^:,]*,line=\d+,)?title=[^:,]*::")

    def test_html_asks_for_nothing_and_runs_only_its_own_script(self):
        for path in (golden("deadlock"), self.hostile()):
            text = self.good(path, "--format=html")
            page = Markup(text)
            tags = {tag for tag, attributes in page.elements}
            self.assertNotIn("img", tags)
            self.assertEqual([a for t, a in page.elements if t == "script"], [{}])
            for tag, attributes in page.elements:
                self.assertFalse([key for key in attributes if key.startswith("on")], attributes)
                for key in ("src", "href", "action"):
                    self.assertIn(attributes.get(key), (None, "data:,"), (tag, attributes))
            script = re.search(r"<script>(.*)</script>", text, re.DOTALL).group(1)
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            self.assertIn(f"script-src 'sha256-{digest}'", text,
                          "html_page.h must name the digest of its script")
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f]")
        self.assertIn("<img src=x onerror=alert(1)>", page.text)  # as text

    def test_html_shows_source_lines_that_are_as_old_as_the_finding(self):
        source = self.folder / "philosophers.c"
        source.write_text("".join(f"line {number} <b>\n" for number in range(1, 60)))
        os.utime(source, (1_600_000_000, 1_600_000_000))
        text = self.good(golden("deadlock"), "--format=html", f"--source-root={self.folder}")
        self.assertIn("<b>   31  line 31 &lt;b&gt;</b>", text)
        os.utime(source, (4_000_000_000, 4_000_000_000))
        text = self.good(golden("deadlock"), "--format=html", f"--source-root={self.folder}")
        self.assertNotIn("line 31", text)

    def test_html_never_reads_what_is_no_source_file(self):
        (self.folder / "secret").write_text("password\n" * 50)
        finding = json.loads(golden("deadlock").read_text())
        for thread in finding["threads"]:
            for frame in thread["stack"]:
                frame["file"], frame["line"] = str(self.folder / "secret"), 31
        path = self.folder / "finding.json"
        path.write_text(json.dumps(finding))
        self.assertNotIn("password", self.good(path, "--format=html"))


class Inputs(ReportCase):
    def test_directories_are_searched_and_repeats_are_counted(self):
        for number in range(3):
            incident = self.folder / f"incidents/{number}"
            incident.mkdir(parents=True)
            finding = json.loads(golden("deadlock").read_text())
            finding["time"] = f"2026-11-2{number}T09:30:00.000Z"
            (incident / "report.json").write_text(json.dumps(finding) + "\n")
            (incident / "notes.json").write_text("not ours")
        text = self.good(self.folder)
        self.assertEqual(text.count("DEADLOCK: 2 threads"), 1)
        self.assertIn("seen 3 times, from 2026-11-20T09:30:00.000Z to 2026-11-22T09:30:00.000Z", text)
        log = json.loads(self.good(self.folder, "--format=sarif"))
        self.assertEqual(log["runs"][0]["results"][0]["occurrenceCount"], 3)

    def test_lines_of_several_findings_and_pretty_printed_ones_are_read(self):
        lines = "".join(golden(name).read_text() for name in NAMES)
        (self.folder / "all.jsonl").write_text(lines)
        self.assertEqual(len(self.good(self.folder / "all.jsonl", "--format=json").splitlines()), 4)
        pretty = json.dumps(json.loads(golden("misuse").read_text()), indent=2)
        self.assertEqual(self.good("-", "--format=json", stdin=pretty.encode()),
                         golden("misuse").read_text())

    def test_what_cannot_be_read_is_said_and_the_rest_is_reported(self):
        bad = {"missing": None, "empty": b"", "text": b"hello\n", "broken": b'{"kind": ',
               "other": b'{"a": 1}', "newer": b'{"kind": "deadlock", "schema_version": 9}',
               "bytes": b"{\xff\xfe\x00", "deep": b'{"a":' * 100000, "number": b'{"kind": 7, "schema_version": 1}',
               "graph": b'{"lockwarden_lock_graph": 2}\n',
               "cut": b'{"lockwarden_lock_graph": 1, "classes": 3, "orders": 1}\n'}
        for name, content in bad.items():
            with self.subTest(name=name):
                path = self.folder / name
                if content is not None:
                    path.write_bytes(content)
                result = report(path, golden("misuse"))
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
                self.assertIn(str(path).encode(), result.stderr)
                self.assertIn(b"MISUSE", result.stdout)
                self.assertEqual(report(path).stdout, b"")  # not "nothing was found"

    def test_odd_values_are_left_out_and_harm_nothing(self):
        finding = json.loads(golden("deadlock").read_text())
        for change in ({"pid": -1}, {"pid": 1e300}, {"threads": 7}, {"cycle": [99, -1, "x", 0]},
                       {"locks": [1, None, {"id": -5}]}, {"time": "yesterday"},
                       {"time": "9999-12-31T23:59:59.999Z"}, {"image_id": "zz"},
                       {"threads": [{"holds": [{"lock": 1e99}], "blocked_seconds": -1e308,
                                     "stack": [{"line": 1e14, "pc": "0xzz"}]}]}):
            path = self.folder / "odd.json"
            path.write_text(json.dumps({**finding, **change}))
            for form in ["text", "json", *ENDINGS]:
                self.good(path, f"--format={form}")

    def test_a_baseline_leaves_out_what_is_known_and_exit_code_66_says_there_is_more(self):
        baseline = self.folder / "baseline"
        baseline.write_text("8899aabbccddeeff known\n")
        result = report(golden("potential_deadlock"), golden("misuse"), f"--baseline={baseline}")
        self.assertEqual(result.returncode, 66)
        self.assertNotIn(b"POTENTIAL", result.stdout)
        self.assertIn(b"nothing new was found",
                      report(golden("potential_deadlock"), f"--baseline={baseline}").stdout)

    def test_usage_errors_are_one_line_and_exit_code_64(self):
        for arguments in ([], ["--format=pdf", golden("misuse")], ["--frmat=json", golden("misuse")],
                          ["-x", golden("misuse")], [golden("misuse"), "--output"],
                          [golden("misuse"), "--baseline=/nonexistent"]):
            result = report(*arguments)
            self.assertEqual((result.returncode, result.stderr.count(b"\n")), (64, 1), arguments)

    def test_the_output_file_is_replaced_whole(self):
        path = self.folder / "out.html"
        path.write_text("before")
        self.assertEqual(self.good(golden("misuse"), "--format=html", "--output", path), "")
        self.assertTrue(path.read_text().startswith("<!DOCTYPE html>"))


if __name__ == "__main__":
    unittest.main()
