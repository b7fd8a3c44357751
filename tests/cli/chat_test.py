#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chat as a person at a terminal sees it, and as a pipe does.

    chat_test.py EXPERTMESH SCRIPTED_GATEWAY
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from command_line import ROOT, TINY_R1, CommandTest, main
from terminal import Terminal

QUESTION = 'How many "r"s in strawberry?'
ANSWER = 'There are 3 "r"s in strawberry.'
DIM, PLAIN, WIPE = "\x1b[2m", "\x1b[0m", "\r\x1b[K"
CTRL_C, CTRL_D = "\x03", "\x04"
PACE = r"\d+ tokens?(, [\d.]+ tokens/s)?, first after \d+\.\d s"


class ChatTest(CommandTest):
    gateway_binary: str

    @classmethod
    def setUpClass(cls):
        gateway = subprocess.Popen([cls.gateway_binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(gateway.wait, 60)
        cls.addClassCleanup(gateway.stdout.close)
        cls.addClassCleanup(gateway.stdin.close)  # ends it
        cls.address = gateway.stdout.readline().strip()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def open(self, *args, **environment):
        """A chat whose first prompt has come."""
        args = args or ("--gateway", self.address)
        terminal = Terminal([self.run_command.binary, "chat", *map(str, args)], ROOT, **environment)
        self.addCleanup(terminal.close)
        self.greeting = terminal.wait_for_prompt()
        return terminal

    def ask(self, terminal, line):
        """What a line gives until the next prompt, without its echo."""
        terminal.say(line)
        return terminal.wait_for_prompt().removeprefix(line + "\n").removesuffix("> ")

    def piped(self, *lines):
        result = self.run_command("chat", "--gateway", self.address, stdin="".join(lines).encode())
        self.assert_ok(result)
        return result


class Terminals(ChatTest):
    def test_an_answer_and_its_pace(self):
        chat = self.open()
        self.assertIn(f"parrot on the mesh at {self.address}. /help lists the commands", self.greeting)
        self.assertRegex(self.ask(chat, "hello"),
                         r"\A'hello' is message 1, system none, temperature none\n\x1b\[2m" + PACE + r"\x1b\[0m\n\Z")
        self.assertIn("'again' is message 3,", self.ask(chat, "again"))

    def test_thinking_is_dimmed(self):
        shown = self.ask(self.open(), "think")
        self.assertTrue(shown.startswith(f"{DIM}so it is\n\n{PLAIN}Thought.\n{DIM}3 tokens"), shown)

    def test_thinking_is_hidden(self):
        chat = self.open()
        self.assertEqual(self.ask(chat, "/thinking hide"), "")
        self.assertTrue(self.ask(chat, "think").startswith(f"Thought.\n{DIM}3 tokens"))

    def test_thinking_is_folded(self):
        chat = self.open()
        self.ask(chat, "/thinking fold")
        shown = self.ask(chat, "think")
        self.assertTrue(shown.startswith(f"{WIPE}{DIM}thinking: 0 s, "), shown)
        self.assertRegex(shown, r"\r\x1b\[K\x1b\[2mthought for \d+ s, \d tokens\x1b\[0m\nThought\.\n")
        self.assertNotIn("so it is", shown)
        self.ask(chat, "/thinking show")
        self.assertIn("so it is", self.ask(chat, "think"))
        self.assertIn("expected show, hide or fold, got 'x'", self.ask(chat, "/thinking x"))

    def test_folded_thinking_goes_on_counting(self):
        chat = self.open()
        self.ask(chat, "/thinking fold")
        chat.say("brood")
        chat.wait_for("thinking: 0 s, 2 tokens")
        chat.wait_for("thinking: 2 s, 2 tokens")  # though nothing comes
        chat.type(CTRL_C)
        shown = chat.wait_for_prompt()
        self.assertIn("thought for ", shown)
        self.assertIn("(stopped)\n", shown)

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        chat = self.open()
        chat.say("forever")
        chat.wait_for("Begun")
        chat.type(CTRL_C)
        self.assertIn("\n(stopped)\n", chat.wait_for_prompt())
        self.assertIn("'and now' is message 3,", self.ask(chat, "and now"))  # what was said counts

    def test_an_answer_that_is_stopped_before_it_begins_is_none(self):
        chat = self.open()
        chat.say("brood")
        chat.wait_for("it is")
        chat.type(CTRL_C)
        chat.wait_for_prompt()
        self.assertIn("'x' is message 1,", self.ask(chat, "x"))

    def test_ctrl_c_twice_at_the_prompt_leaves(self):
        chat = self.open()
        chat.type(CTRL_C)
        self.assertIn("Ctrl-C once more ends", chat.wait_for_prompt())
        self.ask(chat, "hello")  # forgets the first
        chat.type(CTRL_C)
        chat.wait_for_prompt()
        chat.type(CTRL_C)
        self.assertEqual(chat.wait_for_end()[0], 0)

    def test_one_that_stops_and_one_that_leaves(self):
        chat = self.open()
        chat.say("forever")
        chat.wait_for("Begun")
        chat.type(CTRL_C)
        chat.wait_for_prompt()
        chat.type(CTRL_C)
        self.assertEqual(chat.wait_for_end()[0], 0)

    def test_ctrl_d_and_exit_leave(self):
        for keys in (CTRL_D, "/exit\n"):
            chat = self.open()
            self.ask(chat, "hello")
            chat.type(keys)
            code, shown = chat.wait_for_end()
            self.assertEqual(code, 0)
            self.assertTrue(shown.endswith("\n"), shown)

    def test_a_paste_is_one_message(self):
        chat = self.open()
        chat.type("one\ntwo\n\nthree\n")
        self.assertIn("'one\ntwo\n\nthree' is message 1,", chat.wait_for("temperature"))
        chat.wait_for_prompt()
        self.assertIn("'next' is message 3,", self.ask(chat, "next"))

    def test_an_error_is_a_line_and_the_conversation_stays(self):
        chat = self.open()
        self.ask(chat, "hello")
        self.assertEqual(self.ask(chat, "fail"), "Begun\nexpertmesh: it broke\n")
        self.assertIn("'x' is message 3,", self.ask(chat, "x"))

    def test_escape_codes_of_a_model_are_shown(self):
        shown = self.ask(self.open(), "evil")
        self.assertIn(f"{DIM}\\x1b[31mred\n\n{PLAIN}\\x1b[2J\tx\\xc2\\x9b\n", shown)

    def test_no_colours_where_none_are_wanted(self):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            chat = self.open(**environment)
            self.assertIn("so it is\n\nThought.\n3 tokens", self.ask(chat, "think"))
            self.ask(chat, "/thinking fold")
            self.assertRegex(self.ask(chat, "think"), r"\Athought for 0 s, \d tokens\nThought\.\n3 tokens")
            self.assertNotIn("\x1b", chat.shown)
        self.assertIn(DIM, self.ask(self.open(NO_COLOR=""), "think"))

    def test_in_this_process(self):
        chat = self.open("--model", TINY_R1, "--temperature", 0)
        shown = self.ask(chat, QUESTION)
        self.assertRegex(shown, r"\A\x1b\[2m(?s:.*)\n\n\x1b\[0m" + ANSWER + r"\n\x1b\[2m" + PACE)
        self.assertEqual(self.ask(chat, "/clear"), "")
        self.assertIn(ANSWER, self.ask(chat, QUESTION))


class Commands(ChatTest):
    def out(self, *lines):
        return self.piped(*lines).out.splitlines()

    def test_help_lists_them(self):
        shown = self.piped("/help\n").err
        for command in ("/clear", "/exit", "/load FILE", "/retry", "/save FILE", "/system TEXT", "/temperature X",
                        "/thinking show|hide|fold"):
            self.assertIn(f"\n{command} ", shown)

    def test_pipes_are_plain(self):
        result = self.piped("think\n", "/thinking fold\n", "think\n", "hello\n")
        self.assertNotIn("\x1b", result.out + result.err)
        self.assertEqual(result.out, "Thought.\nThought.\n'hello' is message 5, system none, temperature none\n")
        self.assertIn("so it is\n\nthought for 0 s, ", result.err)
        self.assertNotIn("tokens/s", result.err)

    def test_system_and_temperature(self):
        self.assertEqual(
            self.out("a\n", "/system Be brief.\n", "/temperature 0.5\n", "b\n", "/system\n", "/temperature\n", "c\n"),
            ["'a' is message 1, system none, temperature none",
             "'b' is message 4, system Be brief., temperature 0.5",
             "'c' is message 5, system none, temperature none"])
        flags = self.run_command("chat", "--gateway", self.address, "--system", "x", "--temperature", 1, stdin=b"a\n")
        self.assertEqual(flags.out, "'a' is message 2, system x, temperature 1\n")

    def test_clear_keeps_the_system_message(self):
        self.assertEqual(self.out("/system s\n", "a\n", "/clear\n", "b\n"),
                         ["'a' is message 2, system s, temperature none", "'b' is message 2, system s, temperature none"])

    def test_retry_asks_again(self):
        self.assertEqual(self.out("a\n", "b\n", "/temperature 2\n", "/retry\n", "c\n"),
                         ["'a' is message 1, system none, temperature none",
                          "'b' is message 3, system none, temperature none",
                          "'b' is message 3, system none, temperature 2",
                          "'c' is message 5, system none, temperature 2"])

    def test_retry_after_an_error(self):
        result = self.piped("a\n", "fail\n", "/retry\n", "c\n", "/clear\n", "/retry\n")
        self.assertEqual(result.err.count("expertmesh: it broke\n"), 2)
        self.assertTrue(result.out.endswith("'c' is message 3, system none, temperature none\n"), result.out)
        self.assertIn("expertmesh: nothing was asked yet\n", result.err)

    def test_a_saved_conversation_goes_on(self):
        file = self.folder / "a conversation.json"
        saved = self.piped("/system s\n", "think\n", "a\n", f"/save {file}\n")
        self.assertIn(f"saved 2 turns to {file}\n", saved.err)
        messages = json.loads(file.read_text())["messages"]
        self.assertEqual(messages[:3], [{"role": "system", "content": "s"}, {"role": "user", "content": "think"},
                                        {"role": "assistant", "content": "Thought.", "reasoning_content": "so it is"}])
        self.assertEqual(self.out(f"/load {file}\n", "b\n"), ["'b' is message 6, system s, temperature none"])
        other = self.folder / "other"
        self.piped(f"/load {file}\n", f"/save {other}\n")
        self.assertEqual(other.read_bytes(), file.read_bytes())

    def test_files_that_are_none(self):
        bad = self.folder / "bad"
        bad.write_text('{"messages": [{"role": "assistant", "content": ""}]}')
        result = self.piped("a\n", f"/load {self.folder}/none\n", f"/load {bad}\n", f"/load {self.folder}\n",
                            f"/save {self.folder}/no/such\n", "b\n")
        for words in (f"expertmesh: {self.folder}/none: ", f"expertmesh: {bad}: messages[0].role: expected 'user'",
                      f"expertmesh: {self.folder}: ", f"expertmesh: {self.folder}/no/such"):
            self.assertIn(words, result.err)
        self.assertIn("'b' is message 3,", result.out)

    def test_mistakes_are_a_line(self):
        for line, words in (("/sytem x", "/sytem is no command; /help lists them"), ("/temperature 2.1", "got '2.1'"),
                            ("/temperature nan", "got 'nan'"), ("/temperature x", "0 to 2"), ("/save", "/save FILE"),
                            ("/exit now", "expected nothing after /exit")):
            result = self.piped(line + "\n", "a\n")
            self.assertIn("expertmesh: ", result.err)
            self.assertIn(words, result.err)
            self.assertEqual(result.out, "'a' is message 1, system none, temperature none\n")

    def test_a_blank_makes_a_message_of_a_slash(self):
        self.assertEqual(self.out(" /help\n"), ["' /help' is message 1, system none, temperature none"])

    def test_an_answer_that_is_cut_off(self):
        self.assertIn("(cut off: no room is left in the context; /clear begins anew)\n", self.piped("long\n").err)
        flag = self.run_command("chat", "--gateway", self.address, "--max-tokens", 1, stdin=b"long\n")
        self.assertIn("(cut off by --max-tokens)\n", flag.err)


if __name__ == "__main__":
    ChatTest.gateway_binary = sys.argv.pop(2)
    main()
