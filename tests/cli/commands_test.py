#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command as a person would use it, and every way to call it wrongly.

    commands_test.py EXPERTMESH
"""
import json
import os
import pathlib
import shutil
import tempfile

from command_line import (BAD_CONFIG, BAD_DATA, DISK_FAILED, FP8, NO_FILE, NO_ROOM, ROOT, TINY_CONFIG, TINY_R1,
                          CommandTest, main)
from safetensors_file import SafetensorsFile

QUESTION = 'How many "r"s in strawberry?'
ANSWER = 'There are 3 "r"s in strawberry.\n'
GREEDY = ("--temperature", 0)
USER_ID = 2044  # of "<｜User｜>"


class CommandsTest(CommandTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def make_model(self, name="model", *options, config=None):
        config = self.write("config.json", json.dumps(config or TINY_CONFIG))
        self.assert_ok(self.run_command("make-model", config, self.folder / name, *options))
        return self.folder / name

    def ask(self, *args, **streams):
        """In the command's own process, whatever mesh runs on this machine."""
        return self.run_command("ask", "--model", TINY_R1, *args, **streams)

    def score(self, model, prompts="[[0, 5, 7], [9]]", *options):
        return self.run_command("score", "--model", model, "--prompts", self.write("ids.json", prompts), *options)


class Ask(CommandsTest):
    def test_answer_and_thinking_go_apart(self):
        result = self.ask(*GREEDY, QUESTION)
        self.assert_ok(result)
        self.assertEqual(result.out, ANSWER)
        thinking = result.err.strip()
        self.assertGreater(len(thinking), 20)
        self.assertNotIn(thinking, result.out)
        self.assertNotIn(ANSWER.strip(), result.err)
        self.assertNotIn("\x1b", result.err)  # no terminal, no colours
        again = self.ask(*GREEDY, "--shards", 3, "--replicas", 2, "--threads", 1, "-",
                         stdin=QUESTION.encode() + b"\n")
        self.assertEqual(again, result)

    def test_a_seed_fixes_the_answer(self):
        ask = lambda seed: self.ask("--temperature", 1, "--seed", seed, QUESTION)
        self.assertEqual(ask(7), ask(7))
        self.assert_ok(ask(2**64 - 1))

    def test_an_answer_that_is_cut_off(self):
        for count in (1, 9):
            result = self.ask(*GREEDY, "--max-tokens", count, QUESTION)
            self.assertEqual(result.code, NO_ROOM)
            self.assertIn(f"the answer was cut off after {count} tokens", result.err)
        whole = self.ask(*GREEDY, QUESTION).err
        self.assertTrue(whole.startswith(result.err.split("\n")[0]))
        self.assertGreater(len(result.err.split("\n")[0]), 9)

    def test_a_stop_ends_the_answer(self):
        result = self.ask(*GREEDY, "--stop", "never said", "--stop", " in straw", QUESTION)
        self.assert_ok(result)
        self.assertEqual(result.out, 'There are 3 "r"s\n')

    def test_a_system_message_counts(self):
        result = self.ask(*GREEDY, "--system", "Answer.", QUESTION)
        self.assertIn(result.code, (0, NO_ROOM))

    def test_refuses_what_is_no_question(self):
        self.assert_refused(self.ask(""), BAD_CONFIG, "the question is empty")
        for nothing in (b"", b"\n\n"):
            self.assert_refused(self.ask("-", stdin=nothing), BAD_CONFIG, "the question is empty")
        self.assert_refused(self.ask("-", stdin=b"ab\xff"), BAD_CONFIG, "not UTF-8 at byte 2")
        self.assert_refused(self.ask("-", stdin=b"x" * (5 << 20)), BAD_CONFIG, "standard input: more")
        self.assert_refused(self.ask("word " * 3000), BAD_CONFIG, "context ends at 2048")

    def test_refuses_an_unknown_template(self):
        self.assert_refused(self.ask("--chat-template", "nope", "x"), BAD_CONFIG, '"nope"', "tiny-r1")

    def test_an_answer_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            result = self.ask(*GREEDY, QUESTION, stdout=full)
        self.assertEqual(result.code, DISK_FAILED)
        self.assertIn("expertmesh: standard output: could not be written\n", result.err)


class Chat(CommandsTest):
    def chat(self, *lines):
        result = self.run_command("chat", "--model", TINY_R1, *GREEDY, stdin="".join(lines).encode())
        self.assert_ok(result)
        return result

    def test_each_line_is_a_turn(self):
        result = self.chat(QUESTION + "\n", "\n", "What is 3 + 4?\n")
        self.assertTrue(result.out.startswith(ANSWER))
        second = result.out[len(ANSWER):]
        self.assertIn("7", second)
        self.assertIn("/help lists the commands", result.err)

    def test_clear_forgets(self):
        twice = self.chat(QUESTION + "\n", "/clear\n", QUESTION + "\n")
        self.assertEqual(twice.out, ANSWER * 2)

    def test_exit_ends_and_so_does_the_end_of_input(self):
        for lines in (("/exit\n", QUESTION + "\n"), ("",), ("/clear\n",)):
            self.assertEqual(self.chat(*lines).out, "")
        self.assertEqual(self.chat(QUESTION).out, ANSWER)  # without a newline

    def test_a_bad_turn_is_forgotten(self):
        result = self.run_command("chat", "--model", TINY_R1, *GREEDY, stdin=b"\xff\n" + QUESTION.encode() + b"\n")
        self.assert_ok(result)
        self.assertEqual(result.out, ANSWER)
        self.assertIn("expertmesh: text is not UTF-8 at byte 0\n", result.err)


class Score(CommandsTest):
    def test_a_model_without_tokenizer_serves_ids_only(self):
        model = self.make_model()
        result = self.score(model, '{"prompts": [[0, 5, 7], [9]]}', "--top", 3, "--steps", 4)
        self.assert_ok(result)
        scores = json.loads(result.out)
        self.assertEqual([len(score["positions"]) for score in scores], [3, 1])
        for score in scores:
            self.assertEqual(len(score["greedy"]), 4)
            self.assertEqual(score["greedy"][0], score["positions"][-1][0][0])
            for top in score["positions"]:
                self.assertEqual(len(top), 3)
                self.assertEqual(top, sorted(top, key=lambda entry: -entry[1]))
                self.assertTrue(all(0 <= i < 2048 and logprob <= 0 for i, logprob in top))
        self.assertEqual(self.score(model, "[[0, 5, 7], [9]]", "--top", 3, "--steps", 4, "--shards", 2), result)
        for kernels in ("scalar", "reference"):
            self.assert_ok(self.score(model, "[[9]]", "--kernels", kernels))
        for command in (("ask", "--model", model, "hi"), ("chat", "--model", model)):
            self.assert_refused(self.run_command(*command), NO_FILE, "tokenizer.json", "token ids only",
                                "expertmesh score")

    def test_no_prompts_no_scores(self):
        self.assertEqual(self.score(self.make_model(), "[]").out, "[]\n")

    def test_refuses_bad_prompts(self):
        model = self.make_model()
        for text, *words in (
                ("", "not valid JSON"), ("[[1, 2]", "not valid JSON"), (b"\xff", "not valid JSON"),
                ("[" * 1000, "nested deeper"), ("7", "got an integer", "an array of prompts"),
                ('{"ids": []}', "got an object"), ('{"prompts": 7}', "got an integer"),
                ("[7]", "prompt 0: got an integer"), ("[[1], []]", "prompt 1: got an array without ids"),
                ("[[1, -1]]", "prompt 0: got -1"), ("[[1.5]]", "got 1.5"), ('[["1"]]', 'got "1"'),
                ("[[null]]", "got null"), ("[[4294967296]]", "got 4294967296"), ("[[18446744073709551616]]", "got 1.8"),
                ("[[true]]", "got true"), ('{"prompts": [[1]], "prompts": [[2]]}', "stands twice")):
            self.assert_refused(self.score(model, text), BAD_CONFIG, "ids.json: ", *words)
        self.assert_refused(self.score(model, "[[1], [2048]]"), BAD_CONFIG, "prompt 1: ", "2048", "0 to 2047")
        self.assert_refused(self.score(model, json.dumps([[1] * 300])), BAD_CONFIG, "prompt 0: ", "context", "256")
        self.assert_refused(self.run_command("score", "--model", model, "--prompts", self.folder), BAD_CONFIG,
                            "not a regular file")
        self.assert_refused(self.run_command("score", "--model", model, "--prompts", self.folder / "none"), NO_FILE,
                            "none")


class Tokenize(CommandsTest):
    def tokenize(self, content, *options):
        result = self.run_command("tokenize", "--model", TINY_R1, self.write("lines", content), *options)
        piped = self.run_command("tokenize", "--model", TINY_R1, "-", *options, stdin=self.folder.joinpath(
            "lines").read_bytes())
        self.assertEqual(piped.out, result.out)
        self.assertEqual(piped.code, result.code)
        return result

    def ids(self, content, *options):
        result = self.tokenize(content, *options)
        self.assert_ok(result)
        return [json.loads(line) for line in result.out.splitlines()]

    def test_one_array_a_line(self):
        lines = ["Hello, world!", "", "日本語 🙂", "  two  spaces"]
        ids = self.ids("\n".join(lines) + "\n")
        self.assertEqual(len(ids), len(lines))
        self.assertEqual(ids[1], [])
        self.assertEqual([self.ids(line)[0] if line else [] for line in lines], ids)
        self.assertEqual(self.ids(""), [])

    def test_text_is_plain_unless_asked_otherwise(self):
        text = "<｜User｜>hi<｜Assistant｜>"
        (plain,) = self.ids(text)
        self.assertGreater(len(plain), 5)
        self.assertFalse([i for i in plain if i in (0, 1, 2) or i >= USER_ID])
        (special,) = self.ids(text, "--special")
        self.assertEqual((special[0], special[-1]), (USER_ID, USER_ID + 1))
        self.assertEqual(special[1:-1], self.ids("hi")[0])

    def test_a_carriage_return_is_text(self):
        (with_cr,), (without,) = self.ids("a\r\n"), self.ids("a\n")
        self.assertNotEqual(with_cr, without)
        self.assertEqual(self.ids("a\r"), [with_cr])
        self.assertEqual(len(self.ids("a\0b\n")), 1)

    def test_names_the_line_that_is_not_utf8(self):
        result = self.tokenize(b"one\ntwo\nab\xffcd\nfour\n")
        self.assertEqual(result.code, BAD_CONFIG)
        self.assertEqual(len(result.out.splitlines()), 2)
        self.assertEqual(result.err, f"expertmesh: {self.folder}/lines: line 3: text is not UTF-8 at byte 2\n")

    def test_missing_files(self):
        self.assert_refused(self.run_command("tokenize", "--model", TINY_R1, self.folder / "none"), NO_FILE, "none")
        self.assert_refused(self.run_command("tokenize", "--model", self.folder, "-"), NO_FILE, "tokenizer.json")
        self.assert_refused(self.run_command("tokenize", "--model", TINY_R1, self.folder), BAD_CONFIG, self.folder)


class Inspect(CommandsTest):
    def test_tells_what_a_model_is(self):
        result = self.run_command("inspect", TINY_R1, "--nodes", 3)
        self.assert_ok(result)
        for words in ("5, of which 4 with experts", "256 routed in 8 groups, 8 of them per token",
                      "2048 tokens; vocabulary 2048", "bf16 or f32, 2 files"):
            self.assertIn(words, result.out)
        self.assertEqual(result.err, "")

    def test_reads_headers_only(self):
        model = self.make_model()
        (file,) = map(SafetensorsFile, model.glob("*.safetensors"))
        file.poke("model.norm.weight", b"\xc0\x7f")  # NaN
        file.write()
        self.assert_ok(self.run_command("inspect", model))
        self.assert_refused(self.score(model), BAD_DATA, file.path.name, "model.norm.weight")

    def test_refuses_an_impossible_mesh(self):
        self.assert_refused(self.run_command("inspect", TINY_R1, "--nodes", 2, "--replicas", 3), BAD_CONFIG, "replicas")


class Hash(CommandsTest):
    TENSOR = "model.layers.1.mlp.experts.2.up_proj.weight"

    def test_every_byte_counts(self):
        model = self.make_model()
        self.assert_refused(self.run_command("hash", "--check", model), NO_FILE, "expertmesh.manifest.json")
        written = self.run_command("hash", model)
        self.assert_ok(written)
        self.assertRegex(written.out, r"\A[0-9a-f]{32}\n\Z")
        self.assertEqual(self.run_command("hash", "--check", model), written)
        self.assertEqual(self.run_command("hash", model), written)
        self.assertIn(written.out.strip(), self.run_command("inspect", model).out)
        good = self.score(model)
        self.assert_ok(good)

        (path,) = model.glob("*.safetensors")
        original = path.read_bytes()
        file = SafetensorsFile(path)
        begin = len(original) - len(file.data) + file.header[self.TENSOR]["data_offsets"][0]
        path.write_bytes(original[:begin] + bytes([original[begin] ^ 1]) + original[begin + 1:])
        for result in (self.run_command("hash", "--check", model), self.score(model)):
            self.assert_refused(result, BAD_DATA, path.name, self.TENSOR, "digest")
        path.write_bytes(original)
        self.assertEqual(self.score(model), good)

    def test_the_bundled_model_is_whole(self):
        if (TINY_R1 / "expertmesh.manifest.json").exists():
            self.assert_ok(self.run_command("hash", "--check", TINY_R1))


class MakeModel(CommandsTest):
    def contents(self, model):
        return {path.name: path.read_bytes() for path in model.iterdir()}

    def test_a_seed_fixes_the_bytes(self):
        for dtype in ("bf16", "fp8"):
            config = dict(TINY_CONFIG, quantization_config=FP8) if dtype == "fp8" else TINY_CONFIG
            make = lambda name, *options: self.make_model(f"{dtype}-{name}", "--dtype", dtype, *options, config=config)
            first = make("a", "--seed", 5, "--threads", 1)
            self.assertEqual(self.contents(make("b", "--seed", 5, "--threads", 3)), self.contents(first))
            self.assertNotEqual(self.contents(make("c", "--seed", 6)), self.contents(first))
            result = self.score(first)
            self.assert_ok(result)
            pieces = make("d", "--seed", 5, "--shard-bytes", 50000)
            self.assertGreater(len(list(pieces.glob("*.safetensors"))), 1)
            self.assertEqual(self.score(pieces), result)

    def test_sizes_that_do_not_align(self):
        # F8 matrices of odd size before F32 scales.
        config = dict(TINY_CONFIG, hidden_size=23, moe_intermediate_size=11, kv_lora_rank=7, quantization_config=FP8)
        self.assert_ok(self.score(self.make_model("odd", "--dtype", "fp8", config=config)))

    def test_refuses_a_bad_config_and_a_full_folder(self):
        model = self.make_model()
        config = self.folder / "config.json"
        before = self.contents(model)
        self.assert_refused(self.run_command("make-model", config, model), BAD_CONFIG, "there is a checkpoint already")
        self.assertEqual(self.contents(model), before)
        self.write("config.json", json.dumps(dict(TINY_CONFIG, hidden_size=0)))
        self.assert_refused(self.run_command("make-model", config, self.folder / "b"), BAD_CONFIG, "hidden_size")
        self.assertFalse((self.folder / "b").exists())
        self.assert_refused(self.run_command("make-model", self.folder / "none", self.folder / "b"), NO_FILE, "none")
        self.write("config.json", json.dumps(TINY_CONFIG))
        self.write("file", "")
        self.assert_refused(self.run_command("make-model", config, self.folder / "file/b"), BAD_CONFIG, "file")


class Quantize(CommandsTest):
    def test_a_copy_that_runs(self):
        model, copy = self.make_model(), self.folder / "fp8"
        shutil.copy(TINY_R1 / "tokenizer.json", model)
        shutil.copy(TINY_R1 / "tokenizer_config.json", model)
        self.assert_ok(self.run_command("quantize", model, copy, "--dtype", "fp8"))
        self.assert_ok(self.score(copy))
        self.assertIn("fp8 in blocks of 128 x 128", self.run_command("inspect", copy).out)
        self.assertEqual((copy / "tokenizer.json").read_bytes(), (model / "tokenizer.json").read_bytes())
        self.assert_refused(self.run_command("quantize", copy, self.folder / "c"), BAD_CONFIG, "quantization_config")
        self.assert_refused(self.run_command("quantize", model, copy), BAD_CONFIG, "there is a checkpoint already")
        self.assert_refused(self.run_command("quantize", self.folder / "none", self.folder / "c"), NO_FILE, "none")


class Flags(CommandsTest):
    def test_help_and_version(self):
        for args in (("--help",), ("-h",), *((command, "--help") for command in (
                "chat", "ask", "status", "doctor", "serve", "score", "tokenize", "inspect", "hash", "make-model", "quantize"))):
            result = self.run_command(*args)
            self.assert_ok(result)
            self.assertEqual(result.err, "")
            self.assertIn(args[0] if len(args) > 1 else "make-model", result.out)
        version = self.run_command("--version")
        self.assert_ok(version)
        self.assertRegex(version.out, r"\A\d+\.\d+\.\d+\n\Z")

    def test_refuses_bad_flags(self):
        for args, *words in (
                ((), "expected a command"), (("aks", "x"), "aks"), (("ask",), "question is required"),
                (("ask", "x", "y"), "y"), (("ask", "x", "--bogus"), "--bogus"), (("ask", "x", "--bogus=1"), "--bogus"),
                (("--bogus", "ask", "x"), "--bogus"), (("ask", "x", "--model"), "--model"),
                (("ask", "x", "a\nb\x1b[2J"), r"a\x0ab\x1b[2J"), (("ask", "x", "--seed", "1", "--seed", "1"), "--seed"),
                (("ask", "x", "--model", "a", "--model", "b"), "--model"),
                (("ask", "x", "--no-thinking", "--no-thinking"), "--no-thinking"),
                (("tokenize", "--model", "a", "b", "--special", "--special"), "--special"),
                (("hash", "a", "--check", "--check"), "--check"), (("hash", "a", "b"), "b"),
                (("chat", "ask"), "ask"), (("ask", "x", "--stop"), "--stop"),
                (("status", "--watch", "--watch"), "--watch"), (("status", "--wait", "soon"), "--wait", "soon"),
                (("status", "--wait", "0s"), "--wait"), (("status", "--nodes", "-1"), "--nodes"), (("status", "x"), "x"),
                (("doctor", "--bogus"), "--bogus"), (("serve", "--transport", "tcp"), "tcp"), (("serve", "x"), "x"),
                (("serve", "--port", "65000"), "--port"), (("serve", "--experts", "0"), "--experts"),
                *((("ask", "x", "--gateway", "127.0.0.1:1", *flag), "--gateway", flag[0]) for flag in (
                    ("--model", "a"), ("--kernels", "scalar"), ("--threads", "1"), ("--shards", "2"),
                    ("--replicas", "2"), ("--kv-memory", "9"), ("--chat-template", "a"))),
                (("score", "--prompts", "x"), "--model is required"), (("score", "--model", "x"), "--prompts"),
                (("quantize", "a", "b", "--dtype", "int4"), "int4"), (("make-model", "a", "b", "--dtype", "f16"), "f16"),
                (("make-model", "a", "b", "--shard-bytes", "0"), "--shard-bytes")):
            with self.subTest(args):
                self.assert_refused(self.run_command(*args), BAD_CONFIG, *words)

    def test_refuses_values_out_of_range(self):
        for flag, *values in (
                ("--temperature", "-0.1", "2.1", "nan", "inf", "warm", ""), ("--top-p", "0", "1.1", "nan", "x"),
                ("--top-k", "-1", "1.5", "99999999999"), ("--min-p", "-1", "2", "nan"),
                ("--seed", "-1", "1.5", "99999999999999999999", "x"), ("--max-tokens", "-1", "99999999999", "x"),
                ("--threads", "-1", "1025", "x"), ("--shards", "0", "257"), ("--replicas", "0", "33"),
                ("--kv-memory", "0", "-1", "nan", "1e10")):
            for value in values:
                with self.subTest(flag=flag, value=value):
                    self.assert_refused(self.ask("x", f"{flag}={value}"), BAD_CONFIG, flag)
        score = ("score", "--model", "a", "--prompts", "b")
        for args in ((*score, "--top", "0"), (*score, "--top", "21"), (*score, "--steps", "-1"),
                     ("inspect", "a", "--nodes", "0"), ("inspect", "a", "--replicas", "33"),
                     ("make-model", "a", "b", "--seed", "-1")):
            with self.subTest(args):
                self.assert_refused(self.run_command(*args), BAD_CONFIG, args[-2])

    def test_refuses_what_no_model_can_be(self):
        self.assert_refused(self.ask("x", "--kernels", "cuda"), BAD_CONFIG, "'cuda'", "reference")
        self.assert_refused(self.ask("x", "--shards", 2, "--replicas", 3), BAD_CONFIG, "3 replicas")
        self.assert_refused(self.ask("x", "--max-tokens", 3000), BAD_CONFIG, "context has 2048")

    def test_a_missing_folder(self):
        none = self.folder / "none"
        for args in (("ask", "x", "--model", none), ("chat", "--model", none), ("inspect", none), ("hash", none),
                     ("hash", "--check", none), ("quantize", none, self.folder / "out"),
                     ("tokenize", "--model", none, "-")):
            with self.subTest(args):
                self.assert_refused(self.run_command(*args), NO_FILE, none)
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    main()
