"""The files of the checkout that the structure tests look at, as (path, text) pairs.

Used by: the checkers beside it. Must never: look into build folders or follow a link.
"""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED_FOLDERS = {".git", "lockwarden-incidents", "__pycache__", "node_modules"}
SOURCE_ENDINGS = (".h", ".cc", ".c", ".S")


def paths(root=ROOT):
    """Every file below root that a person wrote, as a path relative to root."""
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name for name in folders if name not in SKIPPED_FOLDERS and not is_build(name)
        ]
        for name in sorted(files):
            path = pathlib.Path(folder, name)
            if not path.is_symlink():
                yield path.relative_to(root).as_posix()


def is_build(name):
    return name == "build" or name.startswith("build-")


def texts(root=ROOT):
    """(path, text) of every text file."""
    for path in paths(root):
        data = (pathlib.Path(root) / path).read_bytes()
        if b"\0" not in data:
            yield path, data.decode("utf-8", "replace")


def sources(root=ROOT):
    """(path, text) of every C and C++ file."""
    return ((path, text) for path, text in texts(root) if path.endswith(SOURCE_ENDINGS))
