#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/up and deploy/down as a person would use them, on programs that are built.

    deploy_test.py FOLDER_OF_PROGRAMS
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY_R1 = ROOT / "models/tiny-r1"
QUESTION = 'How many "r"s in strawberry?'
BAD_FLAGS, NO_FILE, UNAVAILABLE, NO_ROOM = 78, 66, 69, 75
NAMES = ["attention-0", "attention-1", "expert-0", "expert-1", "expert-2", "expert-3", "gateway-0"]


def free_base_port():
    """A base port around which a default mesh finds its ports free."""
    for _ in range(100):
        base = random.randrange(20000, 30000)
        offsets = (0, 1, 10, 11, 100, 101, 102, 103)
        with socket_set() as sockets:
            if all(sockets.bind(base + offset + extra) for offset in offsets for extra in (0, 1000)):
                return base
    raise RuntimeError("no free ports")


class socket_set:
    """Sockets that are closed together."""

    def __enter__(self):
        self.sockets = []
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def bind(self, port):
        each = socket.socket()
        self.sockets.append(each)
        try:
            each.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def processes_of(folder):
    """Pids of all processes whose command line names the folder or a node of a mesh started from it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append((int(entry.name), command.replace("\0", " ")))
    return found


class DeployTest(unittest.TestCase):
    bin: pathlib.Path

    def setUp(self):
        runtime = tempfile.TemporaryDirectory()
        self.addCleanup(runtime.cleanup)
        # Programs under names of their own: so that whatever is left of this test can be told from all else.
        self.runtime = pathlib.Path(runtime.name)
        self.programs = self.runtime / "bin"
        self.programs.mkdir()
        for name in ("expertmesh", "gateway", "router", "attention-node", "expert-node"):
            shutil.copy(self.bin / name, self.programs / name)
        self.port = free_base_port()
        self.folder = self.runtime / f"expertmesh-{os.getuid()}-{self.port}"
        self.shared_memory = set(os.listdir("/dev/shm"))

    def run_script(self, name, *args, timeout=300):
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.runtime))
        return subprocess.run([ROOT / "deploy" / name, "--port", str(self.port), *map(str, args)], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, env=environment, timeout=timeout,
                              check=False)

    def up(self, *args):
        return self.run_script("up", "--bin", self.programs, *args)

    def down(self):
        return self.run_script("down")

    def start(self, *args):
        self.addCleanup(self.down)
        result = self.up("--detach", *args)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def command(self, *args):
        return subprocess.run([self.programs / "expertmesh", *map(str, args)], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=120, check=False)

    def status(self):
        result = self.command("status", "--router", f"127.0.0.1:{self.port + 1}", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def ask(self):
        return self.command("ask", "--gateway", f"127.0.0.1:{self.port}", "--temperature", 0, QUESTION)

    def await_healthy(self):
        """Until `doctor` finds nothing: on a busy machine a heartbeat may be late."""
        addresses = ("--router", f"127.0.0.1:{self.port + 1}", "--gateway", f"127.0.0.1:{self.port}")
        deadline = time.monotonic() + 30
        found = self.command("doctor", *addresses)
        while found.returncode != 0 and time.monotonic() < deadline:
            found = self.command("doctor", *addresses)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)
        self.assertIn("nothing is wrong", found.stdout)
        self.assertEqual(found.stdout.count("tcp/"), 8)  # two attention nodes, four expert nodes

    def node_pid(self, name):
        return int((self.folder / f"{name}.process").read_text().split()[0])

    def assert_refused(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        (line,) = result.stderr.splitlines()
        self.assertTrue(line.startswith("deploy/"), line)
        for word in words:
            self.assertIn(str(word), line)

    def assert_nothing_left(self):
        self.assertFalse(self.folder.exists())
        deadline = time.monotonic() + 10
        while processes_of(self.programs) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(processes_of(self.programs), [])
        self.assertEqual(set(os.listdir("/dev/shm")) - self.shared_memory, set())
        with socket_set() as sockets:
            for offset in (0, 1, 10, 11, 100, 101, 102, 103):
                each = socket.socket()
                sockets.sockets.append(each)
                self.assertNotEqual(each.connect_ex(("127.0.0.1", self.port + offset)), 0)


class UpAndDown(DeployTest):
    def test_a_mesh_from_beginning_to_end(self):
        started = self.start()
        self.assertIn(f"metrics http://127.0.0.1:{self.port + 1000}/metrics", started.stderr)
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)

        answer = self.ask()
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertIn("3", answer.stdout)

        status = self.status()
        nodes = {node["name"]: node for node in status["nodes"]}
        self.assertEqual(sorted(nodes), NAMES)
        self.assertEqual({node["health"] for node in nodes.values()}, {"ready"})
        for i in range(4):
            self.assertGreater(nodes[f"expert-{i}"]["experts_placed"], 0)
            self.assertIn("tcp", nodes[f"expert-{i}"]["lane"])
        deadline = time.monotonic() + 10  # counts travel with heartbeats
        while not all(node["rows_computed_total"] for node in self.status()["nodes"] if node["role"] == "expert-node"):
            self.assertLess(time.monotonic(), deadline, "expert nodes without rows")
            time.sleep(0.05)

        self.await_healthy()
        again = self.up()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn(f"a mesh runs on port {self.port}: attention nodes 2, expert nodes 4, copies of each expert 1",
                      again.stderr)
        question = self.up("--ask", QUESTION)
        self.assertEqual(question.returncode, 0, question.stderr)
        self.assertIn("3", question.stdout)

        stopped = self.down()
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        for name in (*NAMES, "router-0"):
            self.assertIn(name, stopped.stderr)
        self.assert_nothing_left()
        nothing = self.down()
        self.assertEqual((nothing.returncode, nothing.stderr), (0, f"nothing runs on port {self.port}\n"))

    def test_one_answer_and_gone(self):
        self.addCleanup(self.down)
        result = self.up("--ask", QUESTION, "--attention", 1, "--experts", 2, "--replicas", 2)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("3", result.stdout)
        self.assertIn("attention nodes 1, expert nodes 2, copies of each expert 2", result.stderr)
        self.assert_nothing_left()

    def test_the_mesh_ends_with_the_chat(self):
        self.addCleanup(self.down)
        result = self.up("--attention", 1, "--experts", 1)  # standard input ends at once
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("/help lists the commands", result.stderr)
        self.assert_nothing_left()

    def test_a_half_dead_mesh_is_reported(self):
        self.start("--attention", 1, "--experts", 2)
        os.kill(self.node_pid("expert-1"), signal.SIGKILL)
        deadline = time.monotonic() + 10
        result = self.up()
        while result.returncode == 0 and time.monotonic() < deadline:  # until the kernel has ended it
            result = self.up()
        self.assertEqual(result.returncode, UNAVAILABLE, result.stderr)
        self.assertIn(f"of the mesh on port {self.port} expert-1 is dead; deploy/down --port {self.port}",
                      result.stderr)
        self.assertEqual(self.down().returncode, 0)
        self.assert_nothing_left()

    def test_what_a_dead_mesh_left_is_cleared_away(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "gateway-0.process").write_text("1 2 /nowhere\n")  # a pid that is somebody else's by now
        self.start("--attention", 1, "--experts", 1)
        self.assertEqual(self.ask().returncode, 0)


class Refusals(DeployTest):
    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port + 102))
            taken.listen()
            self.assert_refused(self.up(), UNAVAILABLE, f"port {self.port + 102}", "expert-2", "taken", "--port")
        self.assertFalse(self.folder.exists())

    def test_a_model_that_is_not_there(self):
        model = self.runtime / "model"
        self.assert_refused(self.up("--model", model), NO_FILE, model, "no config.json", "--model")
        model.mkdir()
        shutil.copy(TINY_R1 / "config.json", model)
        self.assert_refused(self.up("--model", model), NO_FILE, "no tokenizer.json")
        shutil.copy(TINY_R1 / "tokenizer.json", model)
        self.assert_refused(self.up("--model", model), NO_FILE, "no .safetensors")
        self.assertFalse(self.folder.exists())

    def test_too_little_memory(self):
        model = self.runtime / "model"
        model.mkdir()
        for name in ("config.json", "tokenizer.json"):
            shutil.copy(TINY_R1 / name, model)
        with open(model / "model.safetensors", "wb") as weights:
            weights.truncate(1 << 42)
        self.assert_refused(self.up("--model", model), NO_ROOM, "MiB of memory", "--replicas")

    def test_bad_flags(self):
        for args, *words in ((("--bogus",), "--bogus", "--help"), (("--model",), "--model needs a value"),
                             (("--experts", "0"), "--experts", "from 1 to"), (("--experts", "x"), "'x'"),
                             (("--attention", "-1"), "--attention"), (("--port", "80"), "--port"),
                             (("--replicas", "5"), "--replicas 5", "--experts"), (("extra",), "extra")):
            with self.subTest(args):
                self.assert_refused(self.up(*args), BAD_FLAGS, *words)
        self.assert_refused(self.run_script("down", "--bogus"), BAD_FLAGS, "--bogus", "--help")
        self.assert_refused(self.up("--bin", self.runtime), NO_FILE, "no such program")

    def test_a_node_that_dies_while_starting(self):
        model = self.runtime / "model"
        shutil.copytree(TINY_R1, model)
        for weights in model.glob("*.safetensors"):
            with open(weights, "r+b") as file:
                file.truncate(100)
        result = self.up("--model", model)
        self.assertEqual(result.returncode, UNAVAILABLE, result.stderr)
        last = result.stderr.splitlines()[-1]
        self.assertRegex(last, r"^deploy/up: (expert|attention)-\d ended while starting: .*safetensors")
        self.assert_nothing_left()

    def test_help(self):
        for name in ("up", "down"):
            result = self.run_script(name, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn(f"deploy/{name}", result.stdout)


if __name__ == "__main__":
    DeployTest.bin = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
