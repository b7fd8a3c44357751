#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/certs: what it makes, that it may be run again, and how it refuses."""
import pathlib
import subprocess
import tempfile
import unittest

CERTS = pathlib.Path(__file__).resolve().parents[2] / "deploy/certs"


def certs(*args):
    return subprocess.run([CERTS, *map(str, args)], capture_output=True, text=True, timeout=60, check=False)


def describe(certificate, *extensions):
    command = ["openssl", "x509", "-in", certificate, "-noout", "-ext", ",".join(extensions)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Certs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "certs"

    def make(self, *args):
        done = certs(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def bytes_of(self, name):
        return (self.folder / f"{name}.crt").read_bytes(), (self.folder / f"{name}.key").read_bytes()

    def test_names_the_process_and_its_hosts(self):
        out = self.make(self.folder, "expert-node", "expert-0", "10.0.0.1", "node-3.example")
        stem = self.folder / "expert-0"
        self.assertEqual(out, f"--tls-ca {self.folder}/ca.crt --tls-cert {stem}.crt --tls-key {stem}.key\n")
        text = describe(f"{stem}.crt", "subjectAltName", "extendedKeyUsage")
        for part in ("URI:spiffe://expertmesh/mesh/expert-node/expert-0", "DNS:expertmesh-node",
                     "IP Address:10.0.0.1", "DNS:node-3.example", "Server Authentication", "Client Authentication"):
            self.assertIn(part, text)

    def test_an_operator_is_no_server(self):
        self.make(self.folder, "operator", "me")
        text = describe(self.folder / "me.crt", "subjectAltName", "extendedKeyUsage")
        self.assertNotIn("expertmesh-node", text)
        self.assertNotIn("Server Authentication", text)

    def test_keys_are_for_the_owner_only(self):
        self.make(self.folder, "router", "router-0")
        for key in ("ca.key", "router-0.key"):
            self.assertEqual((self.folder / key).stat().st_mode & 0o777, 0o600)

    def test_again_changes_nothing(self):
        self.make(self.folder, "router", "router-0")
        before = self.bytes_of("ca"), self.bytes_of("router-0")
        self.make(self.folder, "--ca")
        self.make(self.folder, "router", "router-0")
        self.assertEqual(before, (self.bytes_of("ca"), self.bytes_of("router-0")))

    def test_again_makes_what_no_longer_fits(self):
        self.make(self.folder, "router", "router-0")
        authority, first = self.bytes_of("ca"), self.bytes_of("router-0")
        self.make(self.folder, "router", "router-0", "host.example")
        other_host = self.bytes_of("router-0")
        self.assertNotEqual(first, other_host)
        self.make("--days", "300", self.folder, "router", "router-0", "host.example")  # 90 days are too few
        longer = self.bytes_of("router-0")
        self.assertNotEqual(other_host, longer)
        (self.folder / "router-0.key").write_text("damaged")
        self.make(self.folder, "router", "router-0", "host.example")
        self.assertNotEqual(longer, self.bytes_of("router-0"))
        self.assertEqual(authority, self.bytes_of("ca"))

    def test_at_once_makes_one_authority(self):
        runs = [subprocess.Popen([CERTS, self.folder, "expert-node", f"expert-{i}"], stdout=subprocess.DEVNULL)
                for i in range(6)]
        self.assertEqual([run.wait(timeout=60) for run in runs], [0] * 6)
        for i in range(6):
            subprocess.run(["openssl", "verify", "-CAfile", self.folder / "ca.crt", self.folder / f"expert-{i}.crt"],
                           check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(list(self.folder.glob(".new.*")), [])

    def test_refuses_in_one_sentence(self):
        self.make(self.folder, "router", "taken")
        (self.folder / "file").write_text("")
        cases = [(78, []), (78, [self.folder]), (78, [self.folder, "king", "x"]), (78, [self.folder, "router"]),
                 (78, [self.folder, "router", "../x"]), (78, [self.folder, "router", "ca"]),
                 (78, [self.folder, "router", "x", "bad_host"]), (78, [self.folder, "router", "x", "a,DNS:b"]),
                 (78, [self.folder, "gateway", "taken"]), (78, ["--days", "0", self.folder, "--ca"]),
                 (77, [self.folder / "file" / "x", "--ca"])]
        for code, args in cases:
            done = certs(*args)
            self.assertEqual(done.returncode, code, args)
            self.assertTrue(done.stderr.startswith("deploy/certs: "), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        (self.folder / "ca.key").unlink()
        self.assertEqual(certs(self.folder, "router", "router-0").returncode, 66)


if __name__ == "__main__":
    unittest.main()
