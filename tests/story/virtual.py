"""Time that a test moves, for all roles of a server at once."""
import mmap
import struct

HOUR, DAY = 3600, 86400


class Clock:
    """The file that GELEIT_CLOCK names: microseconds for both clocks, then for the
    wall clock alone."""

    def __init__(self, path, monkeypatch):
        with open(path, "wb") as f:
            f.write(bytes(16))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)
        monkeypatch.setenv("GELEIT_CLOCK", str(path))

    def ahead(self):
        """How far the server's wall clock is ahead of ours, in seconds."""
        return sum(struct.unpack("qq", self.map[:])) / 1e6

    def _add(self, at, seconds):
        now, = struct.unpack_from("q", self.map, at)
        # In one piece; struct.pack_into() would write zeros first, and a role see them.
        self.map[at:at + 8] = struct.pack("q", now + int(seconds * 1e6))

    def move(self, seconds):
        """Time passes."""
        self._add(0, seconds)

    def step(self, seconds):
        """Somebody sets the clock; no time passes."""
        self._add(8, seconds)
