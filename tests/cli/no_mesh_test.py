#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that ask a mesh, where there is none.

    no_mesh_test.py EXPERTMESH
"""
import pathlib
import socket
import tempfile

from command_line import BAD_CONFIG, NO_FILE, NO_ROOM, UNAVAILABLE, CommandTest, main

QUESTION = 'How many "r"s in strawberry?'
ANSWER = 'There are 3 "r"s in strawberry.\n'


class NoMesh(CommandTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # Bound and not listening: connections are refused, and nobody else gets the port.
        socket_ = socket.socket()
        self.addCleanup(socket_.close)
        socket_.bind(("127.0.0.1", 0))
        self.nobody = f"127.0.0.1:{socket_.getsockname()[1]}"

    def test_nobody_is_there(self):
        for args in (("ask", "x", "--gateway", self.nobody), ("chat", "--gateway", self.nobody),
                     ("status", "--router", self.nobody), ("status", "--router", self.nobody, "--json"),
                     ("doctor", "--router", self.nobody)):
            with self.subTest(args):
                self.assert_refused(self.run_command(*args), UNAVAILABLE, f"nothing answers at {self.nobody}",
                                    "deploy/up")

    def test_waiting_has_an_end(self):
        self.assert_refused(self.run_command("status", "--router", self.nobody, "--wait", "300ms"), NO_ROOM,
                            "the mesh is not ready after 300ms", f"nothing answers at {self.nobody}")

    def test_plaintext_stays_on_this_machine(self):
        for args in (("ask", "x", "--gateway", "192.0.2.1:1"), ("status", "--router", "192.0.2.1:1")):
            self.assert_refused(self.run_command(*args), BAD_CONFIG, "192.0.2.1", "--insecure-lab")

    def test_certificates_that_are_not_there(self):
        self.assert_refused(self.run_command("status", "--tls-ca", self.folder / "ca.pem"), BAD_CONFIG, "--tls-cert")
        for name in ("ca", "cert", "key"):
            (self.folder / name).write_text("x")
            (self.folder / name).chmod(0o600)
        result = self.run_command("status", "--tls-ca", self.folder / "none", "--tls-cert", self.folder / "cert",
                                  "--tls-key", self.folder / "key")
        self.assert_refused(result, NO_FILE, "none")

    def test_without_a_mesh_the_answer_comes_from_this_process(self):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 9400)) == 0:
                self.skipTest("something listens on the default port of a mesh")
        result = self.run_command("ask", "--temperature", 0, QUESTION)
        self.assert_ok(result)
        self.assertEqual(result.out, ANSWER)
        self.assertTrue(result.err.startswith("no mesh answers at 127.0.0.1:9400; answering in this process\n"))
        named = self.run_command("ask", "--temperature", 0, "--threads", 2, QUESTION)
        self.assertEqual(named.out, ANSWER)
        self.assertNotIn("no mesh", named.err)


if __name__ == "__main__":
    main()
