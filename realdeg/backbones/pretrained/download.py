"""Fetch one file over HTTP: resumed where it broke off, and whole or not at all.

Why no library does it: pooch neither resumes nor bounds what comes, follows a redirection to plain
http, and wants whole digests where publishers print eight digits or a Git blob; huggingface_hub
serves its own hub, where few of the files lie.
"""

from __future__ import annotations

import contextlib
import email.message
import http.client
import json
import os
import re
import shutil
import socket
import stat
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from realdeg.errors import CheckpointError, ConfigError, OutputError
from realdeg.utils.progress import progress_bar
from realdeg.version import __version__

_BLOCK = 1 << 18
_MOST = 2**32  # bytes of a file whose length nobody states
_GO_ON = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_LOCAL = ("localhost", "127.0.0.1", "::1")
# Worth another try; anything else stays as it is.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class _BrokenOffError(Exception):
    """The connection ended too early; what came is kept, and another try may go on from there."""


class _TooLongError(Exception):
    """More comes than the file has; nothing of it is kept."""


class _RestartError(Exception):
    """What is here does not belong to what the server has: begin again."""


def download(
    url: str,
    target: Path,
    *,
    check: Callable[[Path], str | None] = lambda file: None,
    size: int | None = None,
    attempts: int = 4,
    pause: float = 1.0,
    timeout: float = 30.0,
    describe: str = "",
    alone: bool = True,
) -> None:
    """Fetch a file beside its target, as ``<name>.part``, and rename it when it is whole.

    A ``.part`` from an earlier time is gone on with where the server allows it and still has the
    same file (``If-Range`` with its ETag or date).

    Args:
        url: The address: https, or http on this machine.
        target: Where the file shall lie; its folder exists.
        check: Says what is wrong with the fetched file, or None; a wrong one is not kept.
        size: The file's length in bytes, if it is known.
        attempts: How often a connection that breaks off is tried in all.
        pause: Seconds before the second try; it doubles with each.
        timeout: Seconds without an answer after which a connection counts as broken.
        describe: What is fetched, for the progress bar.
        alone: Whether no other process fetches it now; else what comes goes into a file of
            this call's own, which is not gone on with another time.

    Raises:
        ConfigError: If the address is neither https nor on this machine, or leads away from
            either.
        CheckpointError: If the server does not give the file, never gives all of it, gives
            another one, or more than the file's length (where that is not known, than
            ``REALDEG_MAX_DOWNLOAD`` bytes).
        OutputError: If it cannot be written.
    """
    check_address(url)
    # Processes of several machines may share the disk: no number of theirs tells them apart.
    mark = "" if alone else f".{uuid.uuid4().hex}"
    part = target.with_name(f"{target.name}{mark}.part")
    opener = urllib.request.build_opener(_Redirects(url))
    trouble = ""
    with contextlib.ExitStack() as leaving:
        if not alone:
            leaving.callback(_forget, part)
        for attempt in range(attempts):
            if attempt:
                time.sleep(pause * 2 ** (attempt - 1))
            try:
                _fetch(opener, url, part, size, timeout, describe)
            except _RestartError:
                _forget(part)
            except _TooLongError as error:
                _forget(part)
                raise CheckpointError(str(error)) from error
            except _BrokenOffError as error:
                trouble = str(error)
            else:
                wrong = check(part)
                if wrong:
                    _forget(part)
                    raise CheckpointError(
                        f"what {url} gives is not what it gave: {wrong}. Not kept"
                    )
                _finish(part, target)
                return
    here = part.stat().st_size if part.exists() else 0
    kept = f" {here} bytes are kept at {part}, and the next try goes on from there" if here else ""
    raise CheckpointError(
        f"{url} could not be fetched whole in {attempts} tries: {trouble or 'it kept changing'}."
        f"{kept}".rstrip(".")
    )


def _forget(part: Path) -> None:
    """Remove what was kept of a file that was not fetched whole."""
    for file in (part, part.with_name(f"{part.name}.json")):
        file.unlink(missing_ok=True)


def check_address(url: str, came_from: str = "") -> None:
    """Refuse an address whose file somebody on the way could exchange.

    Args:
        url: The address.
        came_from: The address that led there; a server elsewhere may not lead to this machine.

    Raises:
        ConfigError: If it is neither https nor on this machine.
    """
    parts = urlsplit(url)
    local = parts.hostname in _LOCAL
    allowed = local and (not came_from or urlsplit(came_from).hostname in _LOCAL)
    if parts.scheme == "https" or (parts.scheme == "http" and allowed):
        return
    what = f"{came_from} leads to {url}" if came_from else f"weights are asked for from {url}"
    raise ConfigError(f"{what}, which is not https: somebody on the way could exchange the file.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to where the first address might have pointed itself."""

    def __init__(self, url: str) -> None:
        self.url = url

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse plain http, then do as the standard library does."""
        check_address(newurl, self.url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(
    opener: urllib.request.OpenerDirector,
    url: str,
    part: Path,
    size: int | None,
    timeout: float,
    describe: str,
) -> None:
    headers = {"User-Agent": f"realdeg/{__version__}", "Accept-Encoding": "identity"}
    start, validator = _kept(part, url)
    most = most_download() if size is None else size
    if start > most:
        raise _RestartError
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)
    try:
        with opener.open(request, timeout=timeout) as answer:
            start = _where_it_starts(answer, start, url)
            total = _total(answer, start)
            _check_length(url, total, size, most)
            expected = total if total is not None else size
            _check_room(part, None if expected is None else expected - start)
            if not start:
                _forget(part)  # before the note says what it would not be the beginning of
                _remember(part, url, answer.headers)
            got = start
            with (
                progress_bar(describe, expected, shown="terminal", unit="bytes") as advance,
                _opened(part, start) as stream,
            ):
                while block := answer.read(_BLOCK):
                    if got + len(block) > most:
                        raise _TooLongError(_too_long(url, most, size is not None))
                    _write(stream, block, part)
                    got += len(block)
                    advance(got)
    except urllib.error.HTTPError as error:
        raise _refused(error, url, start) from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", None), socket.gaierror):
            raise CheckpointError(
                f"{urlsplit(url).hostname} is not to be found: no network"
            ) from error
        raise _BrokenOffError(_reason(error)) from error
    if expected is not None and got != expected:
        raise _BrokenOffError(f"the server ended it after {got} of {expected} bytes")


def _kept(part: Path, url: str) -> tuple[int, str]:
    """Return how many bytes are here already, and what says that they are of the same file."""
    try:
        note = json.loads(part.with_name(f"{part.name}.json").read_text(encoding="utf-8"))
        found = part.lstat()
        # A link would have what it points to written to.
        whole = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if whole and note["url"] == url and note["validator"]:
            return found.st_size, str(note["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _remember(part: Path, url: str, headers: email.message.Message) -> None:
    tag = headers.get("ETag", "")
    # A weak tag says that two files mean the same, not that they are the same.
    validator = headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    note = {"url": url, "validator": validator}
    try:
        with _created(part.with_name(f"{part.name}.json")) as stream:
            stream.write(json.dumps(note).encode())
    except OSError as error:
        raise _cannot_write(part, error) from error


def _where_it_starts(answer: Any, asked: int, url: str) -> int:
    """Return the first byte's place in the file: the one asked for, or 0 where all of it comes."""
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise CheckpointError(
            f"{url} answers with a web page, not with a file: open it in a browser, and fetch the"
            " weights by hand"
        )
    if answer.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if not found or int(found.group(1)) != asked:
        raise _RestartError
    return asked


def _total(answer: Any, start: int) -> int | None:
    found = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    if found:
        return int(found.group(1))
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def most_download() -> int:
    """Return the most bytes that a file of unknown length may have: ``REALDEG_MAX_DOWNLOAD``."""
    text = os.environ.get("REALDEG_MAX_DOWNLOAD", "")
    return int(text) if text.isdecimal() and int(text) > 0 else _MOST


def _too_long(url: str, most: int, known: bool) -> str:
    if known:
        return (
            f"{url} is another file than it was: more than its {most} bytes come. It was not kept"
        )
    return (
        f"{url} gives more than {most} bytes, and its length is not known: it was not kept. For a"
        " file that you trust, set REALDEG_MAX_DOWNLOAD to more"
    )


def _check_length(url: str, total: int | None, size: int | None, most: int) -> None:
    if total is not None and size is None and total > most:
        raise CheckpointError(_too_long(url, most, False))
    if total is not None and size is not None and total != size:
        raise CheckpointError(
            f"{url} is another file than it was: it has {total} bytes, and {size} are known of it."
            " It was not fetched"
        )


def _check_room(part: Path, wanted: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if wanted is not None and wanted > free:
        raise OutputError(
            f"cannot write {part}: {wanted} bytes are wanted and {free} are free. Free some space,"
            " or choose another folder with REALDEG_HOME."
        )


@contextlib.contextmanager
def _opened(part: Path, start: int) -> Iterator[IO[bytes]]:
    try:
        stream = open(os.open(part, _GO_ON), "ab") if start else _created(part)  # noqa: SIM115
    except OSError as error:
        raise _cannot_write(part, error) from error
    try:
        yield stream
    finally:
        try:
            stream.close()
        except OSError as error:
            raise _cannot_write(part, error) from error


def _created(file: Path) -> IO[bytes]:
    """Open a new file; what is in its place is neither written to nor followed."""
    file.unlink(missing_ok=True)
    return open(os.open(file, _NEW, 0o666), "wb")


def _write(stream: IO[bytes], block: bytes, part: Path) -> None:
    try:
        stream.write(block)
    except OSError as error:
        raise _cannot_write(part, error) from error


def _finish(part: Path, target: Path) -> None:
    try:
        with open(part, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(part, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    _forget(part)  # its note


def _cannot_write(file: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {file}: {error.strerror or error}. What was fetched is kept; free some"
        " space, or choose another folder with REALDEG_HOME."
    )


def _refused(error: urllib.error.HTTPError, url: str, start: int) -> Exception:
    error.close()
    if error.code == 416 and start:
        return _RestartError()
    if error.code in _PASSING:
        return _BrokenOffError(f"the server answers {error.code} {error.reason}")
    return CheckpointError(
        f"{url} is not to be had: the server answers {error.code} {error.reason}"
    )


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "the server stopped answering"
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__
