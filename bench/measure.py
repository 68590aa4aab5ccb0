"""Runs one command and prints what it used, as JSON.

A small process of its own because a child's reported peak memory starts at its parent's size when the parent forks
(exec carries the high-water mark over): Node would lift every program to its own 50 MB, this stays near 10 MB.
Reads a job from stdin: argv, env, cwd, log (a file for stderr).
"""

import json
import os
import sys
import threading
import time

SAMPLE_SECONDS = 0.02
PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_memory(root):
    """Resident bytes of a process and all below it; pages they share are counted once per process."""
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            with open(f"/proc/{pid}/statm") as statm:
                total += int(statm.read().split()[1]) * PAGE
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as children:
                    waiting.extend(int(child) for child in children.read().split())
        except (FileNotFoundError, ProcessLookupError):
            # The process or thread ended between listing and reading: it no longer counts.
            continue
    return total


def main():
    job = json.load(sys.stdin)
    os.chdir(job["cwd"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    null = os.open("/dev/null", os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, log, 2)]

    start = time.monotonic()
    pid = os.posix_spawnp(job["argv"][0], job["argv"], job["env"], file_actions=actions)

    peak = 0
    ended = threading.Event()

    def sample():
        nonlocal peak
        while not ended.wait(SAMPLE_SECONDS):
            peak = max(peak, tree_memory(pid))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    ended.set()
    sampler.join()

    result = {
        "exit": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "user": usage.ru_utime,
        "sys": usage.ru_stime,
        # The kernel's exact peak of the largest process, or the sampled sum when there were several.
        "rss": max(usage.ru_maxrss * 1024, peak),
    }
    json.dump(result, sys.stdout)


main()
