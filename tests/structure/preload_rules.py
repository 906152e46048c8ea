"""What the preload library may ask of a process, and what it must not bring along: it is
loaded into C programs, old programs, and programs with allocators of their own.
"""
import re

import elf

ALLOWED_NEEDED = {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
NEWEST_GLIBC = (2, 35)  # _dl_find_object: unwinding without the loader's lock
MOST_TLS_BYTES = 64     # the surplus for preloaded libraries is shared and small


def violations(text, intended_exports):
    """One line for each breach in readelf's `text`."""
    found = [f"needs {name}" for name in sorted(elf.needed(text) - ALLOWED_NEEDED)]
    for name, version in sorted(elf.undefined(text)):
        reason = why_not(version)
        if reason:
            found.append(f"wants {name}@{version}: {reason}")
    exports = elf.exported(text)
    found += [f"exports {name}, not listed" for name in sorted(exports - intended_exports)]
    found += [f"does not export {name}" for name in sorted(intended_exports - exports)]
    if elf.tls_bytes(text) > MOST_TLS_BYTES:
        found.append(f"{elf.tls_bytes(text)} bytes of TLS, at most {MOST_TLS_BYTES}")
    found += [f"TLS that may call the loader: {name}" for name in elf.lazy_tls_relocations(text)]
    if elf.tls_bytes(text) and not elf.is_static_tls(text):
        found.append("TLS is not initial-exec")
    return found


def why_not(version):
    """Why a symbol of this version must not be wanted; None when it may."""
    if version == "":
        return None  # weak registrations of the compiler's start files, and our own
    match = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version)
    if not match:
        return "only libc may be needed"
    if (int(match.group(1)), int(match.group(2))) > NEWEST_GLIBC:
        return "newer than GLIBC_%d.%d" % NEWEST_GLIBC
    return None


def read_exports(path):
    """The listed names: one a line, # begins a comment."""
    names = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name = line.partition("#")[0].strip()
            if name:
                names.add(name)
    return names
