"""Files by path or by address (``s3://bucket/photos``), through fsspec."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from realdeg.errors import ConfigError, DataError, RealdegError, first_line
from realdeg.utils.extras import needed
from realdeg.utils.files import open_regular
from realdeg.utils.memory import is_out_of_memory

_LOCAL = ("file://", "local://")
_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
# By name, because the packages of the stores need not be installed.
_NO_LOGIN = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")


class Listed(NamedTuple):
    """A file that was found.

    Args:
        name: Relative to where it was sought, with ``/``.
        place: Its path or address.
        size: Its bytes; -1: unknown.
        version: What changes when it is written again; empty: unknown.
    """

    name: str
    place: str
    size: int = -1
    version: str = ""


def is_address(place: object) -> bool:
    """Return whether a text is an address such as ``s3://bucket/photos``."""
    return isinstance(place, str) and "://" in place


def local_path(place: str) -> str:
    """Return ``file:///photos`` as ``/photos``, and anything else as it is."""
    return next((place.removeprefix(start) for start in _LOCAL if place.startswith(start)), place)


def local_folder(place: str | os.PathLike[str]) -> Path:
    """Return where results go.

    Raises:
        ConfigError: If it is an address.
    """
    text = local_path(os.fspath(place))
    if is_address(text):
        raise ConfigError(
            f"results are written to a folder of this machine, and {text} is elsewhere: write them"
            " here, or to a mounted folder, and copy the shards."
        )
    return Path(text)


def list_files(place: str) -> list[Listed]:
    """List the files in a folder or below an address, at it, or that match it as a pattern.

    Args:
        place: Such as ``photos``, ``s3://bucket/photos`` or ``s3://bucket/photos/*.jpg``.

    Returns:
        The files by name, without hidden ones.

    Raises:
        DataError: If it cannot be reached, or there is no file.
    """
    found = _in_store(place) if is_address(place) else _here(place)
    listed = sorted(one for one in found if not _is_hidden(one.name))
    if not listed:
        raise DataError(f"there is no file at {place}.")
    return listed


def _is_hidden(name: str) -> bool:
    return any(part[:1] == "." for part in name.split("/"))


def _here(place: str) -> Iterator[Listed]:
    root, found = os.path.dirname(place), [place]
    if os.path.isdir(place):
        root = place
        found = [
            os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names
        ]
    elif glob.has_magic(place) and not os.path.lexists(place):
        root, found = os.path.dirname(_fixed(place)), glob.glob(place, recursive=True)
    for path in found:
        with suppress(FileNotFoundError):  # removed meanwhile, or a dead link
            facts = os.stat(path)
            if stat.S_ISREG(facts.st_mode):
                name = os.path.relpath(path, root or ".").replace(os.sep, "/")
                yield Listed(name, path, facts.st_size, str(facts.st_mtime_ns))


def _fixed(pattern: str) -> str:
    """Return the start of a pattern without its signs."""
    return pattern[: next((n for n, sign in enumerate(pattern) if sign in "*?["), len(pattern))]


def _in_store(address: str) -> Iterator[Listed]:
    system, path = _system(address)
    with _reaching(address):
        if glob.has_magic(path):
            found = system.glob(path, detail=True)
            root = _fixed(path).rpartition("/")[0]
        else:
            found = system.find(path, detail=True)
            root = path.rpartition("/")[0] if path in found else path
    for one, facts in found.items():
        if facts.get("type") == "file":
            name = one.removeprefix(root.rstrip("/")).lstrip("/")
            size = facts.get("size")
            # Stores name it differently.
            version = next((str(facts[key]) for key in _VERSIONS if facts.get(key)), "")
            whole = system.unstrip_protocol(one)
            yield Listed(name, whole, -1 if size is None else int(size), version)


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """Open a file by path or address for reading at any position.

    Raises:
        DataError: If it cannot be opened, or reading it fails.
    """
    if not is_address(place):
        try:
            with open_regular(place) as stream:
                yield stream
        except OSError as error:
            raise DataError(f"cannot read {place}: {error.strerror or error}.") from error
        return
    system, path = _system(place)
    with _reaching(place), system.open(path, "rb") as stream:
        yield stream


def read_part(place: str, start: int, size: int) -> bytes:
    """Return some bytes of a file, with one request if it lies elsewhere.

    Args:
        place: Path or address.
        start: The first byte.
        size: How many.

    Raises:
        DataError: If it cannot be read, or ends before.
    """
    if is_address(place):
        system, path = _system(place)
        with _reaching(place):
            content = bytes(system.cat_file(path, start=start, end=start + size))
    else:
        with opened(place) as stream:
            stream.seek(start)
            content = stream.read(size)
    if len(content) != size:
        raise DataError(f"{place} became shorter while it was read.")
    return content


def read_whole(place: str, most: int) -> bytes:
    """Return all bytes of a file.

    Args:
        place: Path or address.
        most: The most bytes.

    Raises:
        DataError: If it cannot be read, or is larger.
    """
    with opened(place) as stream:
        size = stream.seek(0, 2)
        if size > most:
            raise DataError(f"{place} has {size} bytes, at most {most} are read.")
        stream.seek(0)
        return stream.read(size)


def _system(address: str) -> tuple[Any, str]:
    if "::" in address:
        raise DataError(f"{address} is a chain of addresses: give one, such as s3://bucket/photos.")
    core = needed("fsspec", "parquet", f"the address {address}").core
    with _reaching(address):
        system, path = core.url_to_fs(address)
        return system, str(path)


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Turn what the packages of stores raise into one sentence."""
    try:
        yield
    except RealdegError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise DataError(f"cannot read {address}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 10:
        causes.append(cause)
    if any(type(cause).__name__ in _NO_LOGIN for cause in causes):
        return (
            "no credentials were found, so set those of the store (for S3 AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or a profile)"
        )
    if isinstance(error, PermissionError):
        return f"access was denied ({first_line(error)}), so check the credentials of the store"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, ImportError):
        return f"its package is missing ({first_line(error)})"
    return first_line(error).rstrip(".")
