#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what docs/clients.md shows, as it stands, against a gateway.

    clients_test.py FAKE_MESH_GATEWAY
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/clients.md"
ANSWER = 'There are 3 "r"s in strawberry.'
# What the page says, and what stands in for it here.
DOCUMENTED_ADDRESS, DOCUMENTED_FOLDER = "127.0.0.1:9400", "build/"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class Clients(unittest.TestCase):
    binary: str

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name + "/"
        gateway = subprocess.Popen([cls.binary, ROOT / "models/tiny-r1"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(gateway.wait, 60)
        cls.addClassCleanup(gateway.stdout.close)
        cls.addClassCleanup(gateway.stdin.close)  # ends it
        cls.address = gateway.stdout.readline().strip()
        # The interpreter that runs this test is the one that has gRPC.
        cls.environment = dict(os.environ, PATH=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
                               PYTHONPATH=f"{cls.folder}python:{ROOT}/clients/python", PYTHONDONTWRITEBYTECODE="1")
        cls.run_here([ROOT / "clients/python/generate", cls.folder + "python"])
        # The page begins with a mesh that is ready.
        cls.run_here([sys.executable, "-c",
                      "import expertmesh_client as c; list(c.Mesh(%r).generate(c.api.GenerateRequest("
                      "text='x', max_tokens=1), attempts=8))" % cls.address])

    @classmethod
    def run_here(cls, command):
        done = subprocess.run(command, cwd=ROOT, env=cls.environment, capture_output=True, text=True, timeout=600,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command} exits {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def here(self, text):
        return text.replace(DOCUMENTED_ADDRESS, self.address).replace(DOCUMENTED_FOLDER, self.folder)

    def test_shell_blocks(self):
        python, cpp = blocks("sh")
        out = self.run_here(["bash", "-euo", "pipefail", "-c", self.here(python)])
        self.assertIn("tiny-r1: context 2048, fake-1, " + "64" * 16, out)
        self.assertIn(ANSWER + "\n", out)
        self.assertEqual(len(re.findall(r"^\d+ -\d+\.\d{3} \[", out, re.MULTILINE)), 2 + 3)
        out = self.run_here(["bash", "-euo", "pipefail", "-c", self.here(cpp)])
        self.assertTrue(out.endswith(ANSWER + "\n"), out)

    def test_python_blocks(self):
        chat, ids, plain = [self.run_here([sys.executable, "-c", self.here(block)]) for block in blocks("python")]
        self.assertEqual(chat, ANSWER)
        self.assertEqual(len(ids.splitlines()), 4)
        self.assertTrue(ids.startswith("0 "), ids)
        kinds = [line.split()[0] for line in plain.splitlines()]
        self.assertEqual((kinds[0], kinds[1], kinds[-1]), ("started", "delta", "completed"))

    def test_errors_are_one_sentence(self):
        command = [sys.executable, ROOT / "clients/python/expertmesh_client.py", "--gateway", self.address, "score",
                   "9999"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "expertmesh_client: INVALID_ARGUMENT: token_ids[0] is token 9999, "
                                      "expected 0 to 2047\n")


if __name__ == "__main__":
    Clients.binary = sys.argv.pop(1)
    unittest.main()
