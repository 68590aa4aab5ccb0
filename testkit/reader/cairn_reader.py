#!/usr/bin/python3
"""Reads a Cairn repository in a directory store, from the format page alone. It never writes to a repository."""

import argparse
import os
import sys
from datetime import datetime, timezone

from cairn_base import FormatError, MissingCapability
from cairn_check import Check
from cairn_keys import Keys, fingerprint_text, parse_key_text
from cairn_repository import Repository, Store
from cairn_restore import Restore
from cairn_tree import DEVICES, SYMLINK, Entry

TYPE_LETTERS = "?-dlpcbs"


def read_key(path: str) -> Keys:
    with open(path, encoding="utf-8", errors="strict") as stream:
        try:
            return parse_key_text(stream.read())
        except UnicodeDecodeError as error:
            raise FormatError(f"{path}: not text") from error


def printable(text: str | bytes) -> str:
    """For terminals: names come from archives and may hold anything."""
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    escaped = "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
    return escaped


def time_text(ns: int) -> str:
    try:
        return datetime.fromtimestamp(ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError):
        return f"{ns}ns"


def describe(path: bytes, entry: Entry) -> str:
    line = f"{TYPE_LETTERS[entry.kind]}{entry.mode:04o} {entry.uid:>5} {entry.gid:>5} {entry.size:>12} "
    line += f"{time_text(entry.mtime)} {printable(path)}"
    if entry.kind == SYMLINK:
        line += f" -> {printable(entry.target)}"
    if entry.kind in DEVICES:
        line += f" ({entry.device['major']}, {entry.device['minor']})"
    return line


def command_list(arguments: argparse.Namespace, keys: Keys) -> int:
    repository = Repository(Store(arguments.repo), keys)
    print(f"repository {keys.repo.hex()}, fingerprint {fingerprint_text(keys.fingerprint)}")
    for archive in repository.archives():
        notes = [note for note, holds in (("hidden", archive.hidden), ("protected", archive.protected)) if holds]
        notes += [] if archive.descriptor["complete"] else ["incomplete"]
        line = f"{archive.id.hex()}  {time_text(archive.descriptor['start'])}  {printable(archive.name)}"
        print(line + (f"  ({', '.join(notes)})" if notes else ""))
    return report(repository.problems)


def command_ls(arguments: argparse.Namespace, keys: Keys) -> int:
    repository = Repository(Store(arguments.repo), keys, arguments.from_packs)
    bad: list = []
    for path, entry in repository.walk(repository.find(arguments.archive), lambda *problem: bad.append(problem)):
        print(describe(path, entry))
    return report([*repository.problems, *(f"{printable(path)}: {error}" for path, error in bad)])


def command_restore(arguments: argparse.Namespace, keys: Keys) -> int:
    repository = Repository(Store(arguments.repo), keys, arguments.from_packs)
    restore = Restore(repository)
    restore.run(repository.find(arguments.archive).descriptor["root"], arguments.target)
    return report([*repository.problems, *(f"{printable(path)}: {reason}" for path, reason in restore.problems)])


def command_check(arguments: argparse.Namespace, keys: Keys) -> int:
    check = Check(Store(arguments.repo), keys)
    check.run()
    print(", ".join(f"{count} {what}" for what, count in check.counts.items()))
    return report(check.problems)


def report(problems: list) -> int:
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    return 1 if problems else 0


def main(argv: list) -> int:
    parser = argparse.ArgumentParser(prog="cairn_reader.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, positional in (
        ("list", command_list, ()),
        ("ls", command_ls, ("archive",)),
        ("restore", command_restore, ("archive", "target")),
        ("check", command_check, ()),
    ):
        command = commands.add_parser(name)
        command.add_argument("repo", help="the store's directory")
        command.add_argument("--key", required=True, help="file with a key file's text or a recovery key")
        for argument in positional:
            command.add_argument(argument)
        if "archive" in positional:
            command.add_argument(
                "--from-packs", action="store_true", help="find chunks by the packs' headers, without index"
            )
        command.set_defaults(run=run)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments, read_key(arguments.key))
    except (FormatError, MissingCapability, OSError) as error:
        print(f"cairn_reader: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
