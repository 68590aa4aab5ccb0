"""Runs borg's own commands in one process: a new repository, many archives of nothing, and `borg prune` for each series.

Reads a JSON array of series, each with `archives` (name and time) and `rules` (options). What `prune` lists goes to standard error.
"""

import json
import os
import sys

from borg.archiver import Archiver
from borg.logger import setup_logging

setup_logging()
series = json.load(sys.stdin)
nothing = os.path.join(os.environ["BORG_BASE_DIR"], "nothing")
open(nothing, "w").close()


def run(*arguments):
    archiver = Archiver()
    if archiver.run(archiver.parse_args(list(arguments))) != 0:
        raise SystemExit("borg " + " ".join(arguments))


run("init", "-e", "none")
for one in series:
    for name, at in one["archives"]:
        run("create", "--files-cache", "disabled", "--timestamp", at, "::" + name, nothing)
for one in series:
    run("prune", "--dry-run", "--list", *one["rules"])
