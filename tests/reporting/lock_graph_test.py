"""Lock graphs: merged by `lockwarden report` in any order and any grouping they give the same
bytes, which are those of a naive twin; the cycles that it tells are those of another.
"""
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

COMMAND = pathlib.Path(os.environ["LOCKWARDEN_BUILD"]) / "bin" / "lockwarden"
MOST = {"builds": 4, "runs": 4, "threads": 4}
MOST_WITNESSES = 12
SEED = int(os.environ.get("LOCKWARDEN_SEED", "1"))


def report(*arguments):
    return subprocess.run([COMMAND, "report", *map(str, arguments)], capture_output=True, timeout=120)


def site(function, line=7):
    return f"{function}\tcode.cc\t{line}\tprogram\t0x12"


def witness(threads=("main",), modes=(1, 1), bounded=False, gates=(), sites=("f", "g")):
    return {"from_mode": modes[0], "to_mode": modes[1], "bounded": bounded,
            "gates": [list(gate) for gate in sorted(gates)], "gates_dropped": False,
            "from": site(sites[0]), "to": site(sites[1]), "count": 1,
            "threads": sorted(threads), "more_threads": False}


def process(name, orders, instances=None):
    """A file's lines as one process would leave them: {(from, to): [witnesses]}."""
    keys = sorted({key for ends in orders for key in ends} | set(instances or {}))
    lines = [{"lockwarden_lock_graph": 1, "processes": 1, "classes": len(keys),
              "orders": len(orders), "same_class": 0, "dropped": 0}]
    for number, key in enumerate(keys):
        lines.append({"class": number, "key": key, "label": key, "kind": "mutex", "processes": 1,
                      "instances": (instances or {}).get(key, 1), "builds": [name],
                      "more_builds": False})
    for (first, then), witnesses in sorted(orders.items()):
        lines.append({"order": [keys.index(first), keys.index(then)], "processes": 1,
                      "runs": [f"2026-11-21T09:30:00.123Z {name} 42 host bank"],
                      "more_runs": False, "witnesses": witnesses, "more_witnesses": False})
    return lines


def random_process(rng, number):
    keys = [f"class {letter}" for letter in "abcde"]
    orders = {}
    for _ in range(rng.randint(1, 7)):
        first, then = rng.sample(keys, 2)
        others = [key for key in keys if key not in (first, then)]
        orders.setdefault((first, then), []).append(witness(
            threads={rng.choice(["main", f"{number}:2", f"{number}:3"]) for _ in range(2)},
            modes=(rng.choice([1, 1, 2]), rng.choice([1, 1, 2])), bounded=rng.random() < .2,
            gates={(rng.choice(others), rng.choice([1, 2])) for _ in range(rng.choice([0, 0, 1, 2]))},
            sites=(rng.choice("fghi"), rng.choice("fghi"))))
    for witnesses in orders.values():  # equal ones would be one
        unique = {json.dumps({**w, "threads": 0}): w for w in witnesses}
        witnesses[:] = unique.values()
    return process(f"{number:016x}", orders, {key: rng.choice([1, 1, 2]) for key in keys})


def witness_key(entry):
    return (entry["bounded"], len(entry["gates"]), entry["gates_dropped"], entry["from_mode"],
            entry["to_mode"], entry["to"], entry["from"], entry["gates"])


def naive_merge(files):
    """All of it in memory, and cut down to the smallest at the end."""
    head = {"lockwarden_lock_graph": 1, "processes": 0, "classes": 0, "orders": 0, "same_class": 0,
            "dropped": 0}
    classes, orders = {}, {}

    def smallest(entry, name, values, more):
        merged = sorted(set(entry[name]) | set(values))
        entry[f"more_{name}"] |= more or len(merged) > MOST[name]
        entry[name] = merged[:MOST[name]]

    for lines in files:
        keys = {}
        for line in lines:
            if "lockwarden_lock_graph" in line:
                for name in ("processes", "same_class", "dropped"):
                    head[name] += line[name]
            elif "class" in line:
                keys[line["class"]] = line["key"]
                entry = classes.setdefault(line["key"], {
                    "class": 0, "key": line["key"], "label": line["label"], "kind": line["kind"],
                    "processes": 0, "instances": 0, "builds": [], "more_builds": False})
                entry["processes"] += line["processes"]
                entry["instances"] = max(entry["instances"], line["instances"])
                smallest(entry, "builds", line["builds"], line["more_builds"])
            else:
                entry = orders.setdefault(tuple(keys[end] for end in line["order"]), {
                    "order": None, "processes": 0, "runs": [], "more_runs": False,
                    "witnesses": [], "more_witnesses": False})
                entry["processes"] += line["processes"]
                smallest(entry, "runs", line["runs"], line["more_runs"])
                entry["more_witnesses"] |= line["more_witnesses"]
                for new in line["witnesses"]:
                    same = [w for w in entry["witnesses"] if witness_key(w) == witness_key(new)]
                    if not same:
                        same = [{**new, "count": 0, "threads": []}]
                        entry["witnesses"] += same
                    same[0]["count"] += new["count"]
                    smallest(same[0], "threads", new["threads"], new["more_threads"])
    head["classes"], head["orders"] = len(classes), len(orders)
    sorted_keys = sorted(classes)
    result = [head]
    for number, key in enumerate(sorted_keys):
        result.append({**classes[key], "class": number})
    for ends in sorted(orders):
        entry = orders[ends]
        entry["order"] = [sorted_keys.index(end) for end in ends]
        entry["witnesses"].sort(key=witness_key)
        entry["more_witnesses"] |= len(entry["witnesses"]) > MOST_WITNESSES
        entry["witnesses"] = entry["witnesses"][:MOST_WITNESSES]
        result.append(entry)
    return result


def naive_cycles(lines):
    """Sets of orders that different threads could close, by trying everything."""
    keys = {line["class"]: line["key"] for line in lines if "class" in line}
    single = {line["key"] for line in lines if "class" in line and line["instances"] <= 1}
    orders = {tuple(keys[end] for end in line["order"]): line["witnesses"]
              for line in lines if "order" in line}
    conflict = lambda a, b: a == 1 or b == 1
    found = set()
    for length in range(2, 6):
        for ring in itertools.permutations(sorted(set(keys.values())), length):
            if ring[0] != min(ring):
                continue
            steps = [(ring[i], ring[(i + 1) % length]) for i in range(length)]
            if not all(step in orders for step in steps):
                continue
            choices = [[(w, t) for w in orders[step] if not w["bounded"] for t in w["threads"]]
                       for step in steps]
            for chosen in itertools.product(*choices):
                if len({t for w, t in chosen}) < length:
                    continue
                if not all(conflict(chosen[i - 1][0]["to_mode"], chosen[i][0]["from_mode"])
                           for i in range(length)):
                    continue
                holds = [[(steps[i][0], chosen[i][0]["from_mode"])] +
                         [gate for gate in map(tuple, chosen[i][0]["gates"]) if gate[0] in single]
                         for i in range(length)]
                if any(a[0] == b[0] and conflict(a[1], b[1])
                       for one, other in itertools.combinations(holds, 2)
                       for a in one for b in other):
                    continue
                found.add(frozenset(steps))
                break
    return found


class LockGraphs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-graphs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, lines):
        path = self.folder / f"{name}.lockgraph"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def merge(self, paths, name="merged"):
        out = self.folder / f"{name}.out"
        result = report(*paths, f"--merge={out}", "--format=json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return out, result.stdout

    def told(self, *arguments):
        result = report(*arguments, "--format=json")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_merging_is_the_same_in_any_order_and_grouping_and_as_the_naive_twin_does_it(self):
        rng = random.Random(SEED)
        for round_number in range(12):
            files = [random_process(rng, round_number * 100 + i) for i in range(rng.randint(2, 9))]
            paths = [self.write(f"{i}", lines) for i, lines in enumerate(files)]
            out, told = self.merge(paths)
            whole = out.read_text()
            self.assertEqual([json.loads(line) for line in whole.splitlines()], naive_merge(files))
            rng.shuffle(paths)
            cut = rng.randint(1, len(paths) - 1)
            parts = [self.merge(paths[:cut], "left")[0], self.merge(paths[cut:], "right")[0]]
            again, told_again = self.merge(parts, "again")
            self.assertEqual(again.read_text(), whole, f"seed {SEED}, round {round_number}")
            self.assertEqual(told_again, told)

    def test_the_cycles_are_those_that_trying_everything_finds(self):
        rng = random.Random(SEED + 1)
        some = 0
        for round_number in range(25):
            files = [random_process(rng, i) for i in range(rng.randint(1, 4))]
            out, told = self.merge([self.write(f"{i}", lines) for i, lines in enumerate(files)])
            lines = [json.loads(line) for line in out.read_text().splitlines()]
            found = set()
            for finding in map(json.loads, told.splitlines()):
                label = {lock["id"]: lock["class"] for lock in finding["locks"]}
                found.add(frozenset((label[thread["holds"][0]["lock"]], label[thread["waits_for"]])
                                    for thread in finding["threads"]))
            self.assertEqual(found, naive_cycles(lines), f"seed {SEED + 1}, round {round_number}")
            some += len(found)
        self.assertGreater(some, 10)

    def test_a_cycle_that_no_process_saw_is_told_with_who_saw_what(self):
        one = self.write("1", process("1" * 16, {("class a", "class b"): [witness(["1:2"])]}))
        two = self.write("2", process("2" * 16, {("class b", "class a"): [witness(["2:2"])]}))
        self.assertEqual(self.told(one), [])
        (finding,) = self.told(one, two)
        self.assertEqual((finding["kind"], finding["confidence"]), ("potential_deadlock", "possible"))
        self.assertTrue(any("about classes" in line for line in finding["evidence"]))
        self.assertIn("no single process saw all of it", finding["evidence"])
        self.assertEqual(len([line for line in finding["story"] if "seen in bank (pid 42 on host" in line]), 2)
        both = process("3" * 16, {("class a", "class b"): [witness(["3:2"])],
                                  ("class b", "class a"): [witness(["3:3"])]})
        (finding,) = self.told(self.write("3", both))
        self.assertTrue(any("one process saw all of it" in line for line in finding["evidence"]))

    def test_what_cannot_close_is_not_told(self):
        def pair(first, second, **more):
            return process("1" * 16, {("class a", "class b"): [first],
                                      ("class b", "class a"): [second]}, **more)
        gate = [("class c", 1)]
        silent = {
            "main in both": pair(witness(["main"]), witness(["main"])),
            "one thread": pair(witness(["1:2"]), witness(["1:2"])),
            "a try": pair(witness(["1:2"]), witness(["1:3"], bounded=True)),
            "readers": pair(witness(["1:2"], (2, 2)), witness(["1:3"], (2, 2))),
            "a gate": pair(witness(["1:2"], gates=gate), witness(["1:3"], gates=gate),
                           instances={"class c": 1}),
        }
        for name, lines in silent.items():
            self.assertEqual(self.told(self.write("x", lines)), [], name)
        told = {
            "a gate of which there are two": pair(
                witness(["1:2"], gates=gate), witness(["1:3"], gates=gate), instances={"class c": 2}),
            "read, then written": pair(witness(["1:2"], (2, 1)), witness(["1:3"], (2, 1))),
        }
        for name, lines in told.items():
            self.assertEqual(len(self.told(self.write("x", lines))), 1, name)

    def test_a_diff_tells_what_is_new_since_the_older_merge(self):
        old = self.write("old", process("1" * 16, {
            ("class a", "class b"): [witness(["1:2"])], ("class d", "class e"): [witness()],
            ("site p:f x.cc:10", "class a"): [witness()]}))
        new = self.write("new", process("2" * 16, {
            ("class a", "class b"): [witness(["1:2"])], ("class b", "class a"): [witness(["1:3"])],
            ("site p:f x.cc:99", "class a"): [witness()]}))
        result = report(new, f"--diff={old}")
        self.assertEqual(result.returncode, 66)
        text = result.stdout.decode()
        self.assertIn("POTENTIAL DEADLOCK", text)
        changes = [line for line in text.splitlines() if line[:2] in ("+ ", "- ")]
        self.assertEqual([line.split(" (")[0] for line in changes],
                         ["+ class b before class a", "- class d before class e"])
        result = report(new, f"--diff={new}")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"nothing new was found", result.stdout)
        self.assertEqual(report(new, f"--baseline={old}").returncode, 66)
        self.assertEqual(report(new, f"--baseline={new}").returncode, 0)

    def test_the_graph_is_drawn(self):
        both = self.write("x", process("3" * 16, {("class a", "class b"): [witness(["3:2"])],
                                                  ("class b", "class a"): [witness(["3:3"])]}))
        dot = report(both, "--format=dot").stdout
        self.assertEqual(dot.count(b"color=red"), 2)
        result = report(both, "--format=svg")
        if shutil.which("dot"):
            self.assertIn(b"<svg", result.stdout)
        else:
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"needs Graphviz's dot", result.stderr)

    def test_memory_does_not_grow_with_the_number_of_files(self):
        rng = random.Random(SEED)
        for i in range(2000):
            self.write(f"{i:05}", random_process(rng, i))
        peak = []
        for paths in ([self.folder / f"{i:05}.lockgraph" for i in range(20)], [self.folder]):
            program = subprocess.Popen([COMMAND, "report", *paths, "--format=json"],
                                       stdout=subprocess.DEVNULL)
            peak.append(os.wait4(program.pid, 0)[2].ru_maxrss)
            program.returncode = 0  # it was waited for
        self.assertLess(peak[1], peak[0] + 8192, "kilobytes")


if __name__ == "__main__":
    unittest.main()
