"""Which room may include what. Arrows only go down:

    exporter -> watchdog -> runtime        interpose -> runtime

Each room lists the rooms of ours and the libraries that it may name. Public headers
(<lockwarden/...>) belong to runtime. tests/ and bench/ may look everywhere; nobody may
look into them.
"""
import re

# Headers of C and of the system, and those of C++ that need no run time library.
OPEN_TO_ALL = "system"

ROOMS = {
    "runtime": {"rooms": {"runtime"}, "libraries": {"absl/base/thread_annotations.h"}},
    "interpose": {"rooms": {"interpose", "runtime"}, "libraries": set()},
    "watchdog": {
        "rooms": {"watchdog", "runtime"},
        "libraries": {"absl/", "nlohmann/", "CLI/", "elfutils/", "libunwind"},
    },
    "exporter": {
        "rooms": {"exporter", "watchdog", "runtime"},
        "libraries": {"absl/", "nlohmann/", "prometheus/"},
    },
    # What a user has after an installation.
    "examples": {"rooms": set(), "libraries": {"lockwarden/"}},
}
# Headers for a user's own tests, which no file of ours includes: what each adapts.
ADAPTERS = {"runtime/include/lockwarden/gtest.h": "gtest/"}
UNCHECKED = {"tests", "bench"}

# Libraries that somebody might reach for. A header below one of these is not a system
# header, so a room that does not list it must not use it.
KNOWN_LIBRARIES = (
    "absl/", "nlohmann/", "CLI/", "elfutils/", "libunwind", "prometheus/", "gtest/", "gmock/",
    "benchmark/", "lockwarden/", "boost/", "fmt/", "civetweb", "google/",
)

# C++ headers whose use needs libstdc++ at run time, or allocates.
NEEDS_LIBSTDCXX = {
    "any", "deque", "filesystem", "forward_list", "fstream", "functional", "future", "iomanip",
    "ios", "iostream", "istream", "list", "locale", "map", "memory_resource", "ostream", "queue",
    "random", "regex", "set", "sstream", "stack", "stdexcept", "string", "strstream", "thread",
    "unordered_map", "unordered_set", "vector",
}
# Rooms that run inside the program: none of those headers there. The headers below are
# the exceptions, public types that only programs with libstdc++ include.
WITHOUT_LIBSTDCXX = {"runtime", "interpose"}
PUBLIC_FOLDERS = ("runtime/lockwarden/", "runtime/include/lockwarden/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def violations(files):
    """One line for each include that breaks a rule. `files` yields (path, text)."""
    found = []
    for path, text in files:
        room = path.split("/")[0]
        if room in UNCHECKED:
            continue
        for match in INCLUDE.finditer(text):
            reason = why_not(room, path, match.group(1), match.group(2))
            if reason:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path}:{line}: includes {match.group(2)}: {reason}")
    return found


def why_not(room, path, bracket, header):
    """Why a file of this room must not include this header; None when it may."""
    if room not in ROOMS:
        return f"{room}/ is not a room; list it in tests/structure/include_rules.py"
    allowed = ROOMS[room]
    target = header.split("/")[0]
    if target in UNCHECKED:
        return f"nobody looks into {target}/"
    if target in ROOMS:
        if target not in allowed["rooms"]:
            return f"{room} must not look into {target}"
        return None if bracket == '"' else "a header of ours is included with quotes"
    if header.startswith("lockwarden/") and "runtime" in allowed["rooms"]:
        return None
    if header.startswith(KNOWN_LIBRARIES):
        if any(header.startswith(library) for library in allowed["libraries"]):
            return None
        if header.startswith(ADAPTERS.get(path, "\0")):
            return None
        return f"{room} does not use that library"
    if bracket == '"':
        return "paths are given from the top of the checkout"
    if room in WITHOUT_LIBSTDCXX and header in NEEDS_LIBSTDCXX:
        if not path.startswith(PUBLIC_FOLDERS):
            return f"{room} must do without libstdc++"
    return None
