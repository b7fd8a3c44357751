#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A running mesh, and the client libraries that people use, at its doors.

    clients_test.py FOLDER_OF_PROGRAMS WORK_FOLDER [unittest's arguments]

WORK_FOLDER keeps the libraries (package-lock.json names them) for the next run. Exits 77, "skipped", where npm or its
registry is missing.
"""
import hashlib
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SKIPPED = 77
# What npm says of a registry that is not there, or does not answer.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")
# Of the mesh's ports; deploy/up knows all but the last two, a small gateway's.
GATEWAY, ROUTER, HTTP, ATTENTION, EXPERTS, SMALL, SMALL_HTTP = 0, 1, 2, 10, (100, 101), 3, 4
METRICS = 1000
DOCUMENTED_HTTP = "127.0.0.1:9402"


def skip(why):
    print(f"NO CLIENT LIBRARIES TESTED: {why}")
    sys.exit(SKIPPED)


def install(work):
    """A folder that has the libraries, and the tests beside them, as Node looks for them."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node or npm is not installed")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = work / hashlib.sha256(lock).hexdigest()[:16]
    complete = folder / "node_modules" / ".complete"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*HERE.glob("*.json"), *HERE.glob("*.mjs"), *HERE.glob("*.proto")):
        shutil.copy(file, folder)
    if not complete.exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0 and any(word in done.stderr for word in UNREACHABLE):
            skip("npm does not reach its registry")
        if done.returncode != 0:
            raise SystemExit(f"npm ci failed: {done.stderr}")
        complete.touch()
    return folder


def free_base_port():
    offsets = (GATEWAY, ROUTER, HTTP, ATTENTION, *EXPERTS, SMALL, SMALL_HTTP)
    for _ in range(100):
        base = random.randrange(20000, 30000)
        sockets = [socket.socket() for _ in range(2 * len(offsets))]
        try:
            for each, port in zip(sockets, [*offsets, *(METRICS + offset for offset in offsets)]):
                each.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no free ports")


class Mesh:
    """One attention node, two expert nodes, a gateway, and a gateway that answers one request at a time."""

    def __init__(self, programs, runtime):
        self.programs = programs
        self.port = free_base_port()
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=runtime)
        self.small = None

    def address(self, offset):
        return f"127.0.0.1:{self.port + offset}"

    def script(self, name, *args):
        command = [ROOT / "deploy" / name, "--port", str(self.port), *map(str, args)]
        return subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=300, check=False)

    def start(self):
        done = self.script("up", "--detach", "--bin", self.programs, "--attention", 1, "--experts", len(EXPERTS))
        if done.returncode != 0:
            raise AssertionError(f"deploy/up exits {done.returncode}: {done.stderr}")
        flags = {"name": "gateway-small", "listen": self.address(SMALL), "http-listen": self.address(SMALL_HTTP),
                 "metrics-listen": self.address(METRICS + SMALL), "router": self.address(ROUTER),
                 "model": ROOT / "models/tiny-r1", "max-requests": 1}
        command = [self.programs / "gateway", *(f"--{name}={value}" for name, value in flags.items())]
        self.small = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        self.await_ready(f"http://{self.address(SMALL_HTTP)}/readyz")

    def await_ready(self, url):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.small.poll() is not None:
                raise AssertionError(f"the small gateway exits {self.small.returncode}")
            try:
                with urllib.request.urlopen(url, timeout=10):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise AssertionError(f"{url}: not ready within 60 s")

    def stop(self):
        if self.small is not None:
            self.small.kill()
            self.small.wait(60)
        self.script("down")


class Clients(unittest.TestCase):
    programs: pathlib.Path
    folder: pathlib.Path

    @classmethod
    def setUpClass(cls):
        runtime = tempfile.TemporaryDirectory()
        cls.addClassCleanup(runtime.cleanup)
        cls.mesh = Mesh(cls.programs, runtime.name)
        cls.addClassCleanup(cls.mesh.stop)
        cls.mesh.start()

    def run_node(self, script):
        mesh = self.mesh
        environment = dict(os.environ, MESH_HTTP=mesh.address(HTTP), MESH_GRPC=mesh.address(GATEWAY),
                           MESH_SMALL_HTTP=mesh.address(SMALL_HTTP), MESH_SMALL_GRPC=mesh.address(SMALL),
                           MESH_ATTENTION_METRICS=mesh.address(METRICS + ATTENTION), MESH_PROTO=str(ROOT / "proto"))
        done = subprocess.run(["node", "--test", script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, f"{script}:\n{done.stdout}")
        self.assertIn("pass", done.stdout)

    def test_openai(self):
        self.run_node("openai_test.mjs")

    def test_ollama(self):
        self.run_node("ollama_test.mjs")

    def test_ai_sdk_with_deepseek(self):
        self.run_node("ai_sdk_test.mjs")

    def test_grpc_js(self):
        self.run_node("grpc_js_test.mjs")

    def test_buf_curl(self):
        self.run_node("buf_curl_test.mjs")

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl_as_documented(self):
        for page, language in (("clients.md", "bash"), ("ollama.md", "sh")):
            text = (ROOT / "docs" / page).read_text().replace(DOCUMENTED_HTTP, self.mesh.address(HTTP))
            blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
            self.assertTrue(blocks, page)
            for block in blocks:
                environment = dict(os.environ, GATEWAY=self.mesh.address(HTTP))
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=environment, capture_output=True,
                                      text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn('"model":"tiny-r1"', done.stdout)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_metrics_please_promtool(self):
        addresses = [self.mesh.address(METRICS + offset) for offset in (GATEWAY, ROUTER, ATTENTION, EXPERTS[0])]
        for address in (*addresses, self.mesh.address(HTTP)):
            with self.subTest(address=address):
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as response:
                    text = response.read()
                self.assertIn(b"mesh_build_info", text)
                done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60,
                                      check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))


if __name__ == "__main__":
    Clients.programs = pathlib.Path(sys.argv.pop(1)).resolve()
    Clients.folder = install(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
