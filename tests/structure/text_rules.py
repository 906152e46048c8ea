"""Rules about the text of the project's files. Each function takes (path, text) pairs and
returns one line for each breach; none of them touches the disk.
"""
import re

MEMORY_ORDER = re.compile(r"memory_order(?:_|::)(?:relaxed|acquire|release|acq_rel|consume)")
COMMENT_DISTANCE = 3  # lines
# The rooms whose accesses are read by people who must know what each pairs with.
OUTSIDE_MEMORY_RULE = ("tests/", "bench/", "examples/")


def uncommented_memory_orders(files):
    """Accesses weaker than seq_cst without a comment on the line or within three above."""
    found = []
    for path, text in files:
        if path.startswith(OUTSIDE_MEMORY_RULE):
            continue
        last_comment = -COMMENT_DISTANCE - 1
        for number, line in enumerate(text.split("\n"), 1):
            code, comment, _ = line.partition("//")
            if comment or code.lstrip().startswith(("/*", "*")):
                last_comment = number
            if MEMORY_ORDER.search(code) and number - last_comment > COMMENT_DISTANCE:
                found.append(f"{path}:{number}: say what this pairs with: {line.strip()}")
    return found


def globbed_sources(files):
    """CMake files that collect their sources by pattern instead of naming them."""
    found = []
    for path, text in files:
        if not (path.endswith("CMakeLists.txt") or path.endswith(".cmake")):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            code = line.partition("#")[0]
            if re.search(r"\bfile\s*\(\s*GLOB|\baux_source_directory\s*\(", code, re.IGNORECASE):
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def without_opening_comment(files):
    """Sources and scripts that do not begin by saying what they are for.

    x.cc may leave that to its x.h, which it then includes first.
    """
    files = dict(files)
    found = []
    for path, text in files.items():
        if not wants_opening(path, text) or opens_with_comment(path, text):
            continue
        header = re.sub(r"\.cc$", ".h", path)
        if (
            header != path
            and first_line(text) == f'#include "{header}"'
            and opens_with_comment(header, files.get(header, ""))
        ):
            continue
        found.append(f"{path}: does not open with a comment that says what it is for")
    return found


def wants_opening(path, text):
    if path.endswith((".h", ".cc", ".c", ".S", ".py", ".sh")):
        return True
    return path.startswith(("scripts/", ".ci/")) and text.startswith("#!")


def first_line(text):
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#!"):
            return line.strip()
    return ""


def opens_with_comment(path, text):
    if path.endswith(".py") or re.match(r"#!.*python", text):
        return first_line(text).startswith(("#", '"""'))
    if path.endswith((".h", ".cc", ".c", ".S")):
        return first_line(text).startswith(("//", "/*"))
    return first_line(text).startswith("#")


# Folders of one person's or one machine's own. Their names are put together here so that
# this file does not break its own rule.
MACHINE_PATH = re.compile(
    r"(?<![\w.$}/*-])/(?:" + "|".join(["wo" "rk", "fa" "rm", "ho" "me", "Us" "ers", "ro" "ot"])
    + r")/[A-Za-z0-9_.-]+"
)


def machine_paths(files):
    """Paths that exist only on the machine where somebody wrote the line."""
    found = []
    for path, text in files:
        for number, line in enumerate(text.split("\n"), 1):
            match = MACHINE_PATH.search(line)
            if match:
                found.append(f"{path}:{number}: {match.group(0)}")
    return found
