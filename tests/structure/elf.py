"""What a shared library asks of the loader and offers to others, read with readelf.

Parsing is apart from running readelf, so that the tests of the checkers need no library.
"""
import re
import subprocess

# Wide output: symbol names are not cut.
SECTIONS = ("--dynamic", "--dyn-syms", "--program-headers", "--relocs")


def describe(path):
    """readelf's text for the library at `path`."""
    return subprocess.run(
        ["readelf", "--wide", *SECTIONS, str(path)], check=True, capture_output=True, text=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout


def needed(text):
    """Libraries that the loader will bring along."""
    return set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", text))


def _dynamic_symbols(text):
    # "  12: 0000000000001234  56 FUNC  GLOBAL DEFAULT  13 name@@VERSION (2)"
    row = re.compile(
        r"^\s*\d+:\s+[0-9a-f]+\s+\S+\s+(\S+)\s+(GLOBAL|WEAK|LOCAL)\s+\S+\s+"
        r"(?:\[[^\]]*\]\s+)?(UND|ABS|\d+)\s+(\S+)(?:\s+\(\d+\))?\s*$",
        re.MULTILINE,
    )
    return row.findall(text)


def undefined(text):
    """Symbols wanted from elsewhere, as {(name, version or "")}; weak ones included."""
    symbols = set()
    for _, _, section, name in _dynamic_symbols(text):
        if section == "UND":
            base, _, version = name.partition("@")
            symbols.add((base, version.lstrip("@")))
    return symbols


def exported(text):
    """Symbols offered, as "name" or "name@VERSION" (both for @ and for @@)."""
    symbols = set()
    for _, binding, section, name in _dynamic_symbols(text):
        # ABS: the names of the library's own symbol versions
        if section not in ("UND", "ABS") and binding != "LOCAL":
            symbols.add(name.replace("@@", "@"))
    return symbols


def tls_bytes(text):
    """Size of the thread-local segment in memory."""
    sizes = re.findall(r"^\s+TLS\s+0x\S+\s+0x\S+\s+0x\S+\s+0x\S+\s+0x([0-9a-f]+)", text, re.MULTILINE)
    return sum(int(size, 16) for size in sizes)


def lazy_tls_relocations(text):
    """Relocations of the general and local dynamic models, which may call the loader."""
    return set(re.findall(r"R_\w*(?:DTPMOD|DTPOFF|DTPREL|TLSDESC)\w*", text))


def is_static_tls(text):
    return re.search(r"\(FLAGS\).*\bSTATIC_TLS\b", text) is not None
