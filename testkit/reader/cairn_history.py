"""Replays the log: which archives exist, which objects count (format page, section 4.6)."""

from dataclasses import dataclass, field

import cairn_format as f
from cairn_base import FormatError, require, sha256
from cairn_tree import parse_descriptor


@dataclass
class Archive:
    id: bytes
    seq: int
    descriptor: dict
    name: str
    comment: str
    tags: list
    hidden: bool = False
    dropped: bool = False
    protected: bool = False
    unreadable: str = ""  # why its COMMIT cannot be read: then there is no descriptor


@dataclass
class Objects:
    """The objects of one sort (packs or segments), by name."""

    condemned: set = field(default_factory=set)
    swept: set = field(default_factory=set)

    def rescue(self, names: list) -> None:
        require(not self.swept.intersection(names), "log: a swept object is rescued")
        self.condemned.difference_update(names)

    def sweep(self, names: list) -> None:
        for name in names:
            require(name in self.condemned, "log: a SWEEP names what is not condemned")
            self.condemned.remove(name)
            self.swept.add(name)


@dataclass
class History:
    archives: dict = field(default_factory=dict)
    pins: set = field(default_factory=set)
    ended_pins: set = field(default_factory=set)
    packs: Objects = field(default_factory=Objects)
    segments: Objects = field(default_factory=Objects)
    listed_segments: dict = field(default_factory=dict)  # name → None, in the log's order
    damaged: dict = field(default_factory=dict)  # pack name → where its damaged chunks begin, or None for all of it
    lost_segments: set = field(default_factory=set)
    length: int = 0

    def replay(self, config: bytes, objects: list, log_key: bytes) -> None:
        """`objects` are the bytes of slots 1, 2, …, without gaps."""
        previous = sha256(config)
        for slot, data in enumerate(objects, 1):
            entry = f.parse_log_entry(data, log_key, pass_over=True)
            require(entry.seq == slot, f"log: slot {slot} holds entry {entry.seq}")
            require(entry.previous == previous, f"log: entry {slot} does not chain to what is before it")
            self.apply(entry)
            previous = sha256(data)
            self.length = slot

    def live_segments(self) -> list:
        """Segments that have to be there. Others may be there too, and count as much."""
        gone = self.segments.swept | self.lost_segments
        return [name for name in self.listed_segments if name not in gone]

    def known(self, ids: list) -> list:
        for wanted in ids:
            require(wanted in self.archives, f"log: archive {wanted.hex()} is not known")
        return [self.archives[wanted] for wanted in ids]

    def problems(self) -> list:
        return [
            f"log entry {archive.seq} commits archive {wanted.hex()}, which nobody can read: {archive.unreadable}"
            for wanted, archive in self.archives.items()
            if archive.unreadable and not archive.hidden
        ]

    def roots(self, ids: list) -> list:
        archives = self.known(ids)
        for archive in archives:
            require(not archive.dropped, f"log: archive {archive.id.hex()} is dropped")
        return archives

    def apply(self, entry: f.LogEntry) -> None:
        public = entry.public
        if entry.kind == f.COMMIT:
            self._commit(entry)
        elif entry.kind in (f.DELETE, f.UNDELETE):
            for archive in self.roots(public["archives"]):
                archive.hidden = entry.kind == f.DELETE
        elif entry.kind == f.ANNOTATE:
            for archive in self.known(public["archives"]):
                if public["protect"] is not None:
                    archive.protected = public["protect"]
                for name, value in entry.sealed.items():
                    if value is not None:
                        setattr(archive, name, value)
        elif entry.kind == f.PIN:
            self.roots(public["archives"])
            require(public["pin"] not in self.pins | self.ended_pins, "log: a pin id is used again")
            self.pins.add(public["pin"])
        elif entry.kind == f.UNPIN:
            require(public["pin"] in self.pins, "log: UNPIN of a pin that is not there")
            self.pins.remove(public["pin"])
            self.ended_pins.add(public["pin"])
        elif entry.kind == f.CONDEMN:
            for wanted in public["archives"]:
                (archive,) = self.roots([wanted])
                require(archive.hidden, f"log: archive {wanted.hex()} is dropped, but not deleted")
                archive.dropped = True
            self.packs.condemned.update(public["packs"])
            self.segments.condemned.update(public["segments"])
        elif entry.kind == f.SWEEP:
            self.packs.sweep(public["packs"])
            self.segments.sweep(public["segments"])
        elif entry.kind == f.INDEX:
            self.listed_segments.update(dict.fromkeys(public["segments"]))
        elif entry.kind == f.RESCUE:
            self.packs.rescue(public["packs"])
            self.segments.rescue(public["segments"])
        else:
            require(entry.kind == f.CHECK, f"log: kind {entry.kind}")
            for note in entry.sealed["damage"]:
                self.damaged[note["pack"]] = note["places"]
            self.lost_segments.update(entry.sealed["lostSegments"])

    def _commit(self, entry: f.LogEntry) -> None:
        public = entry.public
        wanted = public["archive"]
        require(wanted not in self.archives, "log: an archive id is used again")
        if public["base"] is not None:
            self.roots([public["base"]])
        self.listed_segments.update(dict.fromkeys(public["segments"]))
        self.packs.rescue(public["rescuedPacks"])
        self.segments.rescue(public["rescuedSegments"])
        try:
            require(entry.sealed is not None, entry.unreadable)
            descriptor = parse_descriptor(entry.sealed)
            require(descriptor["archive"] == wanted, "log: a COMMIT's two parts name different archives")
        except FormatError as error:
            self.archives[wanted] = Archive(wanted, entry.seq, {}, "", "", [], unreadable=str(error))
            return
        names = {name: descriptor[name] for name in ("name", "comment", "tags")}
        self.archives[wanted] = Archive(wanted, entry.seq, descriptor, **names)
