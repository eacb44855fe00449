"""States that are computed once for each row of a data set: in memory while there is room, then in a file."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Hashable
from typing import IO

import torch

ROOM = 1 << 30  # bytes in memory


class Kept:
    """Keep tensors by key; what memory has no room for is written to a temporary file and read through a memory map.

    The file has no name and goes with the process. Where the disk has no room either, a tensor is not kept.

    Arguments:
        room: bytes that may stay in memory.

    Example:
        >>> kept = Kept(room=8)
        >>> kept.put("a", torch.ones(2)), kept.put("b", torch.arange(3.0))
        (None, None)
        >>> kept.get("a").tolist(), kept.get("b").tolist(), kept.get("c")
        ([1.0, 1.0], [0.0, 1.0, 2.0], None)
    """

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self.near: dict[Hashable, torch.Tensor] = {}
        self.far: dict[Hashable, tuple[int, torch.Size, torch.dtype, torch.device]] = {}
        self.file: IO[bytes] | None = None
        self.map: mmap.mmap | None = None

    def __len__(self) -> int:
        return len(self.near) + len(self.far)

    def get(self, key: Hashable) -> torch.Tensor | None:
        """Return what is kept under a key, or None."""
        if key in self.near:
            return self.near[key]
        if key not in self.far:
            return None
        assert self.file is not None
        start, shape, dtype, device = self.far[key]
        end = start + shape.numel() * dtype.itemsize
        if self.map is None or len(self.map) < end:
            self.file.flush()
            self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        return torch.frombuffer(self.map, dtype=dtype, count=shape.numel(), offset=start).view(shape).to(device)

    def put(self, key: Hashable, states: torch.Tensor) -> None:
        """Keep a tensor under a key that is new."""
        if states.nbytes <= self.room:
            self.room -= states.nbytes
            self.near[key] = states
            return
        try:
            self.file = self.file or tempfile.TemporaryFile(prefix="softbridge-")  # noqa: SIM115
            start = self.file.seek(0, 2)
            start += self.file.write(bytes(-start % 8))
            self.file.write(states.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        except OSError:
            return
        self.far[key] = (start, states.shape, states.dtype, states.device)
