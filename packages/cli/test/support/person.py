"""Runs a command on a terminal of its own and plays a person: waits for texts and types answers.

person.py SCRIPT COMMAND...   SCRIPT: JSON list of [text to wait for, keys to type]
Prints {"status": N, "screen": TEXT, "echo": BOOL} as JSON; "echo" says whether the terminal echoed again at the end.
"""
import json
import os
import pty
import select
import sys
import termios
import time

SECONDS = 25


def main():
    steps = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    screen = b''
    deadline = time.monotonic() + SECONDS
    seen = 0
    echo = False
    while time.monotonic() < deadline:
        if steps and steps[0][0].encode() in screen[seen:]:
            seen = len(screen)
            # A person needs a moment, in which the program sets the terminal up.
            time.sleep(0.15)
            os.write(terminal, steps.pop(0)[1].encode())
        if not select.select([terminal], [], [], 0.05)[0]:
            continue
        try:
            echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        screen += part
    else:
        os.kill(pid, 9)
    status = os.waitpid(pid, 0)[1]
    print(json.dumps({'status': os.waitstatus_to_exitcode(status), 'screen': screen.decode(errors='replace'), 'echo': echo}))


main()
