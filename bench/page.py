"""docs/performance.md, from what scripts/bench has measured: one section a part, so that a part
that was measured anew replaces its own section and no other."""
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

import linked_types

# What production may cost in a process with several threads, with full stacks.
TARGETS_MET = {
    "pair": 1.35,
    "two nested pairs": 1.4,
    "read pair": 1.35,
    "contended pair/real_time/threads:2": 1.1,
    "contended ping-pong/real_time/threads:2": 1.1,
}
# Throughput of whole programs, of plain: at most 1.03 times as long, or 1.10 under test.
PROGRAM_TARGETS = {"production": 1 / 1.03, "test": 1 / 1.10}
PRODUCTION = "preload, production, stacks=full"

# Google Benchmark's name -> ours. The contended cases exist with several threads only.
CASES = {
    "pair": "pair",
    "two nested pairs": "two nested pairs",
    "pair over N locks/64": "pair, 64 locks in turn",
    "pair over N locks/4096": "pair, 4,096 locks in turn",
    "pair at 128 sites": "pair, 128 call sites in turn",
    "read pair": "read lock pair",
    "spin pair": "spin lock pair",
    "semaphore pair": "semaphore wait and post",
    "futex wake": "futex system call",
    "contended pair/real_time/threads:2": "pair, contended by two threads",
    "contended ping-pong/real_time/threads:2": "condition, ping-pong",
}


def spread(ratios):
    if not ratios:
        return "–"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def table(results, threads):
    cases = [name for name in CASES
             if threads == "several" or not name.startswith("contended")]
    cases = [name for name in cases
             if any(plain_ns.get(name) for _, plain_ns, _ in results[threads].values())]
    plain = {name: [] for name in cases}
    for _, (_, plain_ns, _) in results[threads].items():
        for name in cases:
            plain[name] += plain_ns.get(name, [])
    lines = ["| | " + " | ".join(CASES[name] for name in cases) + " |",
             "|---|" + "---|" * len(cases),
             "| **glibc, ns** | "
             + " | ".join(f"**{statistics.median(plain[name]):.1f}**" for name in cases) + " |"]
    for title, (ratios, _, _) in results[threads].items():
        lines.append(f"| {title} | " + " | ".join(spread(ratios.get(name, [])) for name in cases) + " |")
    return "\n".join(lines)


def verdict(results):
    if PRODUCTION not in results["several"]:
        return ""
    ratios = results["several"][PRODUCTION][0]
    lines = ["| production, stacks=full | at most | measured | |", "|---|---|---|---|"]
    for name, target in TARGETS_MET.items():
        if name not in ratios:
            continue
        ratio = statistics.median(ratios[name])
        reached = "reached" if round(ratio, 2) <= target else "**not reached**"
        lines.append(f"| {CASES[name]} | {target} | {ratio:.2f} | {reached} |")
    return "\n".join(lines)


def footprint_table(footprint):
    titles = list(next(iter(footprint.values())))
    lines = ["| more than plain | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for variant, found in footprint.items():
        lines.append(f"| {variant} | " + " | ".join(spread(found[t]) for t in titles) + " |")
    return "\n".join(lines)


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    virtual = " (virtual machine)" if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True)
    return (f"{model}, {len(os.sched_getaffinity(0))} cores{virtual}; "
            f"Linux {platform.release()}, {' '.join(platform.libc_ver())}; "
            f"{compiler.stdout.splitlines()[0]}; RelWithDebInfo (-O2)")


def table_of_programs(programs):
    """`programs`: variant's title -> program's title and unit -> (ratios, plain rates)."""
    titles = list(next(iter(programs.values())))
    lines = ["| | " + " | ".join(f"{title}, {unit}" for title, unit in titles) + " |",
             "|---|" + "---|" * len(titles)]
    plain = [statistics.median([rate for found in programs.values() for rate in found[t][1]])
             for t in titles]
    lines.append("| **glibc** | " + " | ".join(f"**{rate:,.0f}**" for rate in plain) + " |")
    for variant, found in programs.items():
        cells = []
        for title in titles:
            ratios = found[title][0]
            target = PROGRAM_TARGETS["production" if "production" in variant else "test"]
            reached = "" if statistics.median(ratios) >= round(target, 2) else ", **not reached**"
            cells.append(spread(ratios) + reached)
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


MANY = "Lock and unlock, several threads in the process"
ONE = "Lock and unlock, one thread in the process"
FOOTPRINT = "Start and memory"
PROGRAMS = "Whole programs"
WATCHDOG = "The watchdog's looks"
ORDER = [MANY, ONE, linked_types.TITLE, FOOTPRINT, PROGRAMS, WATCHDOG, "How it is measured"]


def conditions(pairs, load):
    """When a section was measured, and how quiet the machine was."""
    return (f"{machine()}. Medians of {pairs} pairs; "
            f"{load:.1f} other processes wanted a processor when it began.")


def section_of_many(results, where):
    return f"""What a threaded program pays. {where}

{verdict(results)}

What stands in the way where a target is not reached is told in
[architecture](architecture.md#what-a-lock-costs-and-why-it-is-not-less).

{table(results, "several")}"""


def section_of_one(results, where):
    return f"""glibc leaves out the bus lock while a process has a single thread, so the same nanoseconds are a
larger ratio here. {where}

{table(results, "one")}"""


def section_of_footprint(footprint, sizes, where):
    return f"""What a process takes beyond the same process without Lockwarden: to start and end `/bin/true`
({sizes['starts']} times a run; under `lockwarden run` with the supervisor's own start and end), by
fork and exec and by posix_spawn; resident memory for each of {sizes['locks']:,} mutexes that were
taken, and for each of {sizes['threads']:,} living threads that took one. {where}

{footprint_table(footprint)}"""


def section_of_programs(programs, where):
    return f"""Throughput of Debian's programs under a bounded load, as a part of what the same program does
without Lockwarden: more is better, 1.00 is as fast. Production may lose 3 per cent, test 10. The load
runs plain, on the same machine. {where}

{table_of_programs(programs)}"""


# Milliseconds a look may take when nothing has changed, and with 10,000 new edges.
QUIET_TARGET, NEW_EDGES_TARGET = 10, 100


def watchdog_table(rows):
    lines = ["| threads | locks | lock classes | order edges | nothing changed, ms | the longest, ms "
             "| 10,000 new edges, ms | longest look while all are read, ms | memory, MiB |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['threads']:,} | {row['locks']:,} | {row['classes']:,} | {row['edges']:,} "
            f"| {row['quiet_ms']:.2f} | {row['quiet_longest_ms']:.2f} | {row['new_edges_ms']:.1f} "
            f"| {row['loading_ms']:.1f} | {row['heap_bytes'] / 2**20:.1f} |")
    return "\n".join(lines)


def section_of_watchdog(rows, load):
    largest = rows[-1]
    verdicts = [
        f"{what}: at most {target} ms, {largest[key]:.1f} measured"
        + ("" if largest[key] <= target else ", **not reached**")
        for what, target, key in (
            ("Nothing changed", QUIET_TARGET, "quiet_ms"),
            ("10,000 new edges", NEW_EDGES_TARGET, "new_edges_ms"))
    ]
    return f"""What a look at one process costs the supervisor, which looks ten times a second, and what it keeps in
memory for that beside the ledger. {machine()}; {load:.1f} other processes wanted a processor when it began.

At the largest size: {'. '.join(verdicts)}. How: [architecture](architecture.md#how-the-watchdog-scales).

{watchdog_table(rows)}"""


HOW = """- `bench_mutex` is a Google Benchmark program that knows nothing of Lockwarden: `std::mutex`, which is
  `pthread_mutex_lock` and `pthread_mutex_unlock`. Every variant but the peers is this very file.
- "Several threads" is one more thread, which sleeps: enough to switch glibc's single-thread shortcut off.
- A run is seven repetitions of 5 ms a case in one process. The processor time of the best of them counts.
  One busy thread is pinned to one processor; the contended cases and whole programs may use them all.
- The contended case has an empty critical section: a worst case. There luck decides who spins and who
  sleeps, so the median of the seven counts, in wall-clock time per pair.
- Locks and call sites "in turn" are more than any small cache holds: 4,096 locks, and 128 places that
  lock, each visited once a round, is the worst order for a cache.
- The futex system call is a wake-up of nobody: what `syscall` costs beyond the kernel.
- The preload that only forwards is what any interposition costs before it records anything.
- `lockwarden::Lock` is compared with `std::mutex` in the plain program.
- The linked types are compared within one process, `side_by_side`: the two of a pair alternate, and the
  contended ones read the clock around each lock, to know the longest wait.
- absl::Mutex is linked, as Debian ships it; ThreadSanitizer is g++'s, with its deadlock detection on.
- The watchdog's looks: `bench/bench_tick.cc` writes the ledger in its own memory as the recorder would, at
  full capacity. One thread in a hundred runs, the others wait for a condition or for a mutex of one that
  runs, and hold two locks each. Edges come in any order, and agree with one order of all locks. Processor
  time counts: of 21 looks at a program that does nothing the median and the longest, of four with 10,000
  new edges the median.
- memcached: eight connections pipeline thirty requests each and check every byte. redis: redis-benchmark,
  32 clients, 8 in a pipeline, set and get. mariadb: mariadb-slap, mixed load on InnoDB. rocksdb:
  db_bench, fillrandom and readrandom. pbzip2: blocks of 100 kB. `bench/programs.py` has each."""

INTRODUCTION = """# Performance

Written by `scripts/bench`; run it again to get this page for your machine. Each section says where and
how it was measured: parts can be measured alone (`scripts/bench --part=programs`).

Each cell is how many times longer the case takes than with plain glibc: the median over pairs of runs,
with the lowest and the highest in brackets. The two runs of a pair follow each other directly and take
turns in who goes first, so that what else happens on the machine hits both alike.
"""


def write(path, sections):
    """Replaces these sections of the page, by title, and leaves the others as they are."""
    known = {}
    if path.exists():
        for part in re.split(r"^## ", path.read_text(), flags=re.M)[1:]:
            title, _, text = part.partition("\n")
            known[title] = text.strip()
    known.update(sections)
    known["How it is measured"] = HOW
    path.write_text(INTRODUCTION + "".join(
        f"\n## {title}\n\n{known[title].strip()}\n" for title in ORDER if title in known))
