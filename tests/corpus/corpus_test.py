"""Runs every program of the corpus under `lockwarden run` and compares what is found with the
program's first line (see corpus.h).

    corpus_test.py silent|stuck|possible|misuse     one of the parts; a few programs at a time
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["LOCKWARDEN_BUILD"])
LOCKWARDEN = BUILD / "bin" / "lockwarden"
AT_ONCE = 4  # they sleep more than they work
DEADLINE = 40.0
DEADLOCKS = {"deadlock", "self_deadlock"}
GRADED = {"lost_wakeup", "nested_monitor"}  # told, and nothing is done about it


def expectation(source):
    first = source.read_text().split("\n", 1)[0]
    found = re.fullmatch(r"(?://|#) expect: (nothing|no deadlock|misuse [a-z_]+(, [a-z_]+)*|[a-z_]+( or [a-z_]+)?)", first)
    if not found:
        raise ValueError(f"{source}: the first line says not what to expect")
    return found[1]


def command(source):
    if source.suffix == ".py":
        return ["/usr/bin/python3", source]
    return [BUILD / "bin" / "corpus" / source.name.replace(".", "_")]


def run(source, folder):
    """(exit code, findings, standard error); the code is None past the deadline."""
    report = folder / f"{source.name}.json"
    environment = {
        key: value for key, value in os.environ.items()
        if not key.startswith("LOCKWARDEN_") and key != "LD_PRELOAD"
    }
    process = subprocess.Popen(
        [LOCKWARDEN, "run", "--predict=joins", "--format=json", f"--report={report}",
         f"--incidents={folder / 'incidents'}", "--",
         *command(source)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, cwd=folder, env=environment,
    )
    try:
        out, _ = process.communicate(timeout=DEADLINE)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        code = None
    lines = report.read_text().splitlines() if report.exists() else []
    return code, [json.loads(line) for line in lines], out.decode(errors="replace")


def names(findings):
    """Their kinds, and of misuse the sort."""
    return sorted(
        f"misuse {finding['misuse']}" if finding["kind"] == "misuse" else finding["kind"]
        for finding in findings
    )


def verdict(expected, code, findings):
    """What is wrong; empty if nothing is."""
    kinds = [finding["kind"] for finding in findings]
    if code is None:
        return f"did not end within {DEADLINE:.0f} s"
    if expected == "nothing":
        return "" if (code, kinds) == (0, []) else "expected silence"
    if expected == "no deadlock":
        alarm = DEADLOCKS.intersection(kinds)
        return "" if not alarm and code == (66 if kinds else 0) else "expected no deadlock"
    if expected.startswith("misuse "):
        sorts = sorted(f"misuse {sort}" for sort in expected.removeprefix("misuse ").split(", "))
        return "" if (code, names(findings)) == (66, sorts) else f"expected {sorts}"
    # Whose holder has ended is misuse as well, of that sort and no other.
    kinds = [f["kind"] for f in findings if f.get("misuse") != "exit_holding"]
    # (A prediction leaves the program alone, a deadlock ends it: 66 both.)
    one = code == (0 if expected in GRADED else 66) and len(kinds) == 1 and kinds[0] in expected.split(" or ")
    return "" if one else f"expected one {expected}"


def main(part):
    sources = sorted(p for p in (HERE / part).iterdir() if p.suffix in (".c", ".cc", ".py"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lockwarden-corpus-"))
    failed = 0
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for source, (code, findings, out) in zip(
                sources, pool.map(lambda source: run(source, folder), sources)
            ):
                wrong = verdict(expectation(source), code, findings)
                print(f"{'FAILED' if wrong else 'ok':7}{source.name}: exit {code}, {names(findings)}")
                if wrong:
                    failed += 1
                    print(f"       {wrong}\n{out}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(sources)} programs, {failed} failed")
    return 1 if failed or not sources else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
