#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes flow one way: checks every #include of the tree against layers.json.

"folders" says which of our folders, or parts of them, a folder may include; "vendor" which files
may include a library that only they know. Prints each offence; exits 1 if any.
"""
import fnmatch
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def offences(path, text, layers):
    """Yields (line number, message) for each forbidden include of a file."""
    folder = path.split("/")[0]
    allowed = set(layers["folders"][folder]) | {folder}
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(2)
        top = target.split("/")[0]
        known = top in layers["folders"] or top in layers["anything"]
        if known and "/" in target and not any(target.startswith(f"{a}/") for a in allowed):
            yield number, f"{folder}/ must not include {top}/ ({target})"
        ours = match.group(1) == '"' and not target.startswith(("absl/", *layers["vendor"]))
        if ours and not (ROOT / target).is_file():
            yield number, f"{target}: includes are written from the repository root"
        for vendor, owners in layers["vendor"].items():
            if target.startswith(vendor) and not any(fnmatch.fnmatch(path, o) for o in owners):
                yield number, f"{target} belongs to {', '.join(owners)}"


def self_check(layers):
    """The checker must notice what it is there for."""
    bad = '#include "attention-node/engine.h"\n#include <xxhash.h>\n'
    assert len(list(offences("kernels/x.cc", bad, layers))) >= 2
    assert not list(offences("cli/x.cc", '#include "core/check.h"\n', layers))


def main():
    layers = json.loads((ROOT / "tests/layers.json").read_text())
    self_check(layers)
    num_files = num_bad = 0
    for folder in layers["folders"]:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".h", ".cc", ".cu", ".cuh"):
                continue
            num_files += 1
            path = file.relative_to(ROOT).as_posix()
            for number, message in offences(path, file.read_text(), layers):
                num_bad += 1
                print(f"{path}:{number}: {message}")
    print(f"layering: {num_files} files, {num_bad} forbidden includes")
    return 1 if num_bad or num_files < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
