#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""expertmesh keygen: a key that is shown once, and what the gateway is to know of it.

    keygen_test.py EXPERTMESH
"""
import hashlib
import hmac
import pathlib
import re
import stat
import tempfile

from command_line import BAD_CONFIG, CommandTest, main


class Keygen(CommandTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pepper = pathlib.Path(folder.name) / "pepper"

    def make_key(self, tenant="acme"):
        """The key's id, its secret and the hash to be stored."""
        result = self.run_command("keygen", "--tenant", tenant, "--pepper", self.pepper)
        self.assert_ok(result)
        match = re.fullmatch(r"sk-mesh-([A-Za-z0-9]{12})-([A-Za-z0-9_-]{43})\n"
                             r"  - name: (\S+)\n    keys:\n      - \{id: (\w{12}), hash: ([0-9a-f]{64})\}\n", result.out)
        self.assertIsNotNone(match, result.out)
        self.assertEqual(match[3], tenant)
        self.assertEqual(match[1], match[4])
        self.assertNotIn(match[2], result.err)
        return match[1], match[2], match[5]

    def test_the_hash_is_of_the_pepper_and_the_secret(self):
        _, secret, digest = self.make_key()
        pepper = self.pepper.read_text().strip().encode()
        self.assertEqual(hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest(), digest)

    def test_the_pepper_is_made_once_and_for_its_owner(self):
        first = self.make_key()
        self.assertEqual(stat.S_IMODE(self.pepper.stat().st_mode), 0o600)
        pepper = self.pepper.read_text()
        second = self.make_key("other")
        self.assertEqual(self.pepper.read_text(), pepper)
        self.assertFalse(set(first) & set(second))

    def test_bad_names_and_peppers_are_refused(self):
        for name in ("", "a b", "x" * 65, "a\nb", "ä"):
            self.assert_refused(self.run_command("keygen", "--tenant", name, "--pepper", self.pepper), BAD_CONFIG)
        self.assertFalse(self.pepper.exists())
        self.pepper.write_text("short")
        self.pepper.chmod(0o600)
        self.assert_refused(self.run_command("keygen", "--tenant", "a", "--pepper", self.pepper), BAD_CONFIG, "16")
        self.pepper.write_text("0123456789abcdef")
        self.pepper.chmod(0o644)
        self.assert_refused(self.run_command("keygen", "--tenant", "a", "--pepper", self.pepper), BAD_CONFIG, "chmod")


if __name__ == "__main__":
    main()
