"""Checks that every golden JSON file follows the published schema, and that the schema is
strict enough to refuse what it should.

    validate_json.py SCHEMA GOLDEN_DIRECTORY
"""
import copy
import json
import pathlib
import sys

import jsonschema

# What a change of the writer could break: each must be refused.
BREAKAGES = {
    "unknown kind": lambda f: f.update(kind="catastrophe"),
    "no pid": lambda f: f.pop("pid"),
    "pid as text": lambda f: f.update(pid="4242"),
    "an undocumented key": lambda f: f.update(extra=1),
    "another schema version": lambda f: f.update(schema_version=2),
    "time without a zone": lambda f: f.update(time="2026-11-21T09:30:00.123"),
    "time without milliseconds": lambda f: f.update(time="2026-11-21T09:30:00Z"),
    "unknown confidence": lambda f: f.update(confidence="sure"),
    "address as a number": lambda f: f["locks"][0].update(address=1),
    "lock without an id": lambda f: f["locks"][0].pop("id"),
    "thread without a stack": lambda f: f["threads"][0].pop("stack"),
    "undocumented key in a thread": lambda f: f["threads"][0].update(colour="red"),
    "hold without a lock": lambda f: f["threads"][0]["holds"][0].pop("lock"),
    "fingerprint too short": lambda f: f.update(fingerprint="abc"),
    "cycle of names": lambda f: f.update(cycle=["a"]),
}


def main(schema_path, golden_directory):
    schema = json.loads(pathlib.Path(schema_path).read_text(encoding="utf-8"))
    validator_class = jsonschema.validators.validator_for(schema)
    validator_class.check_schema(schema)
    validator = validator_class(schema)
    failures = []

    files = sorted(pathlib.Path(golden_directory).glob("*.json"))
    if not files:
        failures.append(f"no JSON files in {golden_directory}")
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) != 1:
            failures.append(f"{path.name}: {len(lines)} lines, expected one")
        for error in validator.iter_errors(json.loads(lines[0])):
            failures.append(f"{path.name}: {error.json_path}: {error.message}")

    sample = json.loads((pathlib.Path(golden_directory) / "deadlock.json").read_text("utf-8"))
    for name, breakage in BREAKAGES.items():
        broken = copy.deepcopy(sample)
        breakage(broken)
        if validator.is_valid(broken):
            failures.append(f"the schema accepts: {name}")

    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(files)} files, {len(BREAKAGES)} breakages, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: validate_json.py SCHEMA GOLDEN_DIRECTORY")
    sys.exit(main(sys.argv[1], sys.argv[2]))
