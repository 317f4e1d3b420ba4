"""Files of a shard: written whole, and never over what another run made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from realdeg.errors import DataError, as_given
from realdeg.utils.files import atomic_path, path_inside, sha256_file


@dataclass(frozen=True)
class Written:
    """A file of a shard.

    Args:
        name: Relative to the data set's folder, with ``/``.
        sha256: Of its bytes.
        size: Its bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass
class Placing:
    """Where a shard's files go.

    Args:
        root: The folder of the data set.
        former: SHA-256 by name of the files that an earlier run recorded, which may be replaced.
        overwrite: Whether anything may be replaced.
    """

    root: Path
    former: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    written: list[Written] = field(default_factory=list)

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Yield a temporary path that becomes the file if the block succeeds.

        A run that was killed before it recorded a file left an equal one.

        Raises:
            DataError: If another file is there that no run of these settings made.
            OutputError: If it cannot be written.
        """
        target = path_inside(self.root, name)
        with atomic_path(target) as temporary:
            yield temporary
            digest, size = sha256_file(temporary), temporary.stat().st_size
            if os.path.lexists(target) and not self.overwrite:
                before = None if target.is_symlink() else sha256_file(target)
                if before not in (digest, self.former.get(name)):
                    raise DataError(
                        f"{target} is already there and was not made by this run: move it away, or"
                        f" replace it with {as_given(overwrite=True)}."
                    )
        self.written.append(Written(name, digest, size))

    def content(self, name: str, content: bytes) -> None:
        """Write a file at once; see :meth:`file`."""
        with self.file(name) as temporary:
            temporary.write_bytes(content)
