"""The linked types beside the standard library's and others: what bench/side_by_side.cc measured,
as a section of docs/performance.md."""
import statistics
import subprocess

TITLE = "The linked types"
# Case -> what our type may cost at most; the first of each case's variants is 1.
TARGETS = {
    "pair": 0.95,
    "two nested pairs": 0.95,
    "contended by 2": 1.1,
    "contended by 8": 1.1,
    "contended by 64": 1.1,
    "read pair": 1.0,
    "2 readers": 1.0,
    "8 readers": 1.0,
    "three at once": 1.2,
    "semaphore": 1.1,
    "condition, in turn": 1.1,
    "queue, alone": 1.1,
    "queue, between two": 1.1,
}
OURS = {"Lock", "SharedLock", "acquire", "Semaphore", "Condition", "Queue"}
# The recorder alone, without a supervisor: as a program that links the types runs.
SETTINGS = {
    "test, stacks=site": "profile=test,stacks=site",
    "test, stacks=full": "profile=test,stacks=full",
    "production, stacks=full": "profile=production,stacks=full",
}


def measure(program, pairs, environment):
    """{settings: {(case, unit): {variant: (value, ratios)}}}, the variants in order."""
    results = {}
    for title, options in SETTINGS.items():
        done = subprocess.run(
            [str(program), str(pairs)], capture_output=True, text=True, timeout=1800, check=True,
            env={**environment, "LOCKWARDEN_OPTIONS": options})
        found = results.setdefault(title, {})
        for line in done.stdout.splitlines():
            case, variant, unit, value, *ratios = line.split("\t")
            found.setdefault((case, unit), {})[variant] = (float(value), [float(r) for r in ratios])
    return results


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def ours_of(variants):
    return next(name for name in variants if name in OURS)


def table_of_ours(results):
    first = next(iter(results.values()))
    lines = ["| case | beside | ns | at most | " + " | ".join(results) + " |",
             "|---|---|---|---|" + "---|" * len(results)]
    for case, unit in first:
        if unit != "ns":
            continue
        variants = first[case, unit]
        ours, reference = ours_of(variants), next(iter(variants))
        cells = []
        for found in results.values():
            ratios = found[case, unit][ours][1]
            reached = statistics.median(ratios) <= TARGETS[case] + 0.005
            cells.append(spread(ratios) + ("" if reached else ", **not reached**"))
        lines.append(f"| {case}: `{ours}` | `{reference}` | {variants[reference][0]:.1f} | "
                     f"{TARGETS[case]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table_of_others(results):
    """Each variant of the cases that have more than two, with the first settings."""
    title, first = next(iter(results.items()))
    lines = [f"| case | `Lock` with {title} | | of the first |", "|---|---|---|---|"]
    for (case, unit), variants in first.items():
        if len(variants) < 3 or case == "sizeof":
            continue
        what = "ns" if unit == "ns" else "us, longest wait"
        for name, (value, ratios) in variants.items():
            lines.append(f"| {case} | {name} | {value:.1f} {what} | "
                         + (spread(ratios) if ratios else "1") + " |")
    return "\n".join(lines)


def section(results, where):
    sizes = next(iter(results.values()))["sizeof", "bytes"]
    return f"""What `lockwarden::Lock` and the others cost beside what they stand in for, with everything recorded,
in one process with several threads; no preload. `test` also records the order of locks, `full` whole
stacks. {where}

{table_of_ours(results)}

What stands in the way where a target is not reached is told in
[architecture](architecture.md#the-linked-types). Cases of several threads mean little where other
processes wanted a processor, as the ranges show.

The same beside other peers, and how long the unluckiest had to wait for a contended lock:

{table_of_others(results)}

Sizes in bytes: {", ".join(f"`{name}` {size:.0f}" for name, (size, _) in sizes.items())}."""
