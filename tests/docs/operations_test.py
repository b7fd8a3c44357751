#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every flag of a role is in docs/operations.md, with its default, and no other is; so is every metric.

    operations_test.py ROUTER GATEWAY ATTENTION_NODE EXPERT_NODE
"""
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/operations.md"
ALL_ROLES = "all roles"
HELP_FLAG = re.compile(r"^  --([a-z-]+)(?: [A-Z]+)?\n      (.*)$", re.MULTILINE)
HELP_DEFAULT = re.compile(r"\(default: (.*)\)$")
# One or more flags of one default.
ROW = re.compile(r"^\| (`--[^|]*) \| (.*?) \|", re.MULTILINE)
SECTION = re.compile(r"^### Flags of (?:an? |the )?(.*)\n((?:(?!#).*\n)*)", re.MULTILINE)
MENTIONED = re.compile(r"`--([a-z-]+)")
# Of deploy/certs, which the page mentions too.
OTHER_FLAGS = {"days"}

programs = {}  # role: path


def flags_of_program(program):
    """Flag to default, "" if it has none, of --help."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    flags = {}
    for name, description in HELP_FLAG.findall(text):
        default = HELP_DEFAULT.search(description)
        flags[name] = default.group(1) if default else ""
    return flags


def flags_of_page(text):
    """Table of a section to its flags with their defaults."""
    return {title: {name: default.strip("`") for names, default in ROW.findall(body) for name in MENTIONED.findall(names)}
            for title, body in SECTION.findall(text)}


class Operations(unittest.TestCase):
    def setUp(self):
        self.text = PAGE.read_text()
        self.tables = flags_of_page(self.text)

    def test_tables_are_those_of_the_roles(self):
        self.assertEqual(set(self.tables), {ALL_ROLES, *programs})

    def test_every_flag_is_there_with_its_default(self):
        for role, program in programs.items():
            with self.subTest(role):
                actual = flags_of_program(program)
                self.assertGreater(len(actual), 10)
                documented = self.tables[ALL_ROLES] | self.tables[role]
                self.assertEqual(set(documented), set(actual))
                for name, default in actual.items():
                    # A name that holds the process's number.
                    expected = re.sub(r"-\d+$", "-PID", default) if name == "name" and "node" in role else default
                    self.assertEqual(documented[name], expected, f"--{name}")

    def test_a_flag_of_some_roles_is_not_in_the_table_for_all(self):
        for role in programs:
            self.assertEqual(self.tables[ALL_ROLES].keys() & self.tables[role].keys(), set(), role)

    def test_flags_in_the_text_exist(self):
        known = set().union(OTHER_FLAGS, *self.tables.values())
        self.assertEqual(set(MENTIONED.findall(self.text)) - known, set())

    def test_every_metric_is_there(self):
        files = [ROOT / "service/metrics.cc", *ROOT.glob("*/*_metrics.cc"), *ROOT.glob("router/*/*_metrics.cc")]
        exported = {name for file in files for name in re.findall(r'"(mesh_[a-z_]+)"', file.read_text())}
        self.assertGreater(len(exported), 30)
        self.assertEqual(set(re.findall(r"`(mesh_[a-z_]+)`", self.text)), exported)


if __name__ == "__main__":
    programs.update(zip(("router", "gateway", "attention-node", "expert-node"), sys.argv[1:5], strict=True))
    unittest.main(argv=sys.argv[:1])
