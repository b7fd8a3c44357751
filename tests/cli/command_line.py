# SPDX-License-Identifier: Apache-2.0
"""Drives the expertmesh binary as a person would: arguments, standard streams, exit code."""
import pathlib
import subprocess
import sys
import typing
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY_R1 = ROOT / "models/tiny-r1"

BAD_DATA, NO_FILE, DISK_FAILED, NO_ROOM, BAD_CONFIG = 65, 66, 69, 75, 78
UNAVAILABLE = DISK_FAILED

# A checkpoint of some 70,000 weights that the tokenizer of tiny-r1 fits: a
# dense and an MoE layer, and sizes that are no multiples of an FP8 block.
TINY_CONFIG = dict(
    model_type="deepseek_v3", vocab_size=2048, hidden_size=24, intermediate_size=40, moe_intermediate_size=12,
    num_hidden_layers=2, first_k_dense_replace=1, num_attention_heads=2, n_routed_experts=4, n_shared_experts=1,
    num_experts_per_tok=2, n_group=2, topk_group=1, q_lora_rank=12, kv_lora_rank=8, qk_nope_head_dim=4,
    qk_rope_head_dim=4, v_head_dim=4, max_position_embeddings=256, bos_token_id=0, eos_token_id=1)
FP8 = dict(quant_method="fp8", fmt="e4m3", weight_block_size=[16, 16])


class Result(typing.NamedTuple):
    code: int  # negative: killed by that signal
    out: str
    err: str


class CommandLine:
    """The binary, started in the root of the sources."""

    def __init__(self, binary):
        self.binary = binary

    def __call__(self, *args, stdin=b"", stdout=subprocess.PIPE):
        # The limit is against hangs, which a FIFO might cause; no command here takes seconds.
        done = subprocess.run([self.binary, *map(str, args)], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                              cwd=ROOT, timeout=300, check=False)
        return Result(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


class CommandTest(unittest.TestCase):
    run_command: CommandLine

    def assert_ok(self, result):
        self.assertEqual(result.code, 0, result.err)

    def assert_refused(self, result, code, *words):
        """One line on standard error that has all of `words`, nothing on standard output."""
        self.assertEqual(result.code, code, result.err)
        self.assertEqual(result.out, "")
        self.assertTrue(result.err.startswith("expertmesh: "), result.err)
        self.assertEqual(result.err.count("\n"), 1, result.err)
        self.assertTrue(result.err.endswith("\n"), result.err)
        for word in words:
            self.assertIn(str(word), result.err)


def main():
    """Runs the tests of the calling script; its first argument is the binary."""
    CommandTest.run_command = CommandLine(sys.argv.pop(1))
    unittest.main(module="__main__")
