# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal, and the person who sits there."""
import os
import pty
import re
import select
import subprocess
import time

LIMIT = 60  # seconds; against hangs


class Terminal:
    """Runs `command` with all three standard streams in a terminal of its own."""

    def __init__(self, command, cwd, **environment):
        self.fd, terminal = pty.openpty()
        self.shown = ""  # all that was on the screen
        self.seen = 0  # how much of it was waited for
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        env.update(dict({"TERM": "xterm"}, **environment))
        self.process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd, env=env,
                                        start_new_session=True, preexec_fn=lambda: take_terminal(terminal))
        os.close(terminal)

    def type(self, text):
        os.write(self.fd, text.encode())

    def say(self, line):
        self.type(line + "\n")

    def wait_for(self, pattern):
        """Waits until `pattern` shows in what was not waited for yet; returns that up to its end."""
        deadline = time.monotonic() + LIMIT
        while not (found := re.search(pattern, self.shown[self.seen:])):
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.shown[self.seen:]!r}")
        begin, self.seen = self.seen, self.seen + found.end()
        return self.shown[begin:self.seen]

    def wait_for_prompt(self):
        return self.wait_for(r"(?:^|\n)> ")

    def wait_for_end(self):
        """Returns the exit code, and what was shown since."""
        deadline = time.monotonic() + LIMIT
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(LIMIT), self.shown[self.seen:]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)

    def _read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], max(0, seconds))
        if not ready:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.shown += piece.decode().replace("\r\n", "\n")
        return bool(piece)


def take_terminal(terminal):
    """Makes it the one whose Ctrl-C reaches this process."""
    import fcntl
    import termios
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
