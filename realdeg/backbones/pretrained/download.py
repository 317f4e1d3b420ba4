"""Download one file over HTTP: resumable, and complete or not at all.

No library does this: pooch neither resumes nor limits a download, follows redirections to plain
http, and needs whole digests where publishers give eight digits or a Git blob; huggingface_hub
serves its own hub, which has few of the files.
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
_MOST = 2**32  # bytes of a file of unknown length
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_LOCAL = ("localhost", "127.0.0.1", "::1")
# Temporary errors, worth another attempt.
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


class _BrokenOffError(Exception):
    """The connection ended too early; what arrived is kept, and another attempt may resume."""


class _TooLongError(Exception):
    """The server sends more than the file's length; nothing is kept."""


class _RestartError(Exception):
    """What is here does not match what the server has: start again."""


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
    """Download a file beside its target, as ``<name>.part``, and rename it when it is complete.

    An earlier ``.part`` is resumed if the server allows it and still has the same file
    (``If-Range`` with its ETag or date).

    Args:
        url: The address: https, or http on this machine.
        target: The file's path; its folder exists.
        check: Returns what is wrong with the downloaded file, or None; a wrong one is not kept.
        size: The file's length in bytes; None if unknown.
        attempts: How many connections are tried.
        pause: Seconds before the second attempt; doubled for each further one.
        timeout: Seconds without an answer after which a connection counts as broken.
        describe: The label of the progress bar.
        alone: Whether no other process downloads it now; otherwise this call uses a temporary file
            of its own, which is not resumed later.

    Raises:
        ConfigError: If the address, or one it redirects to, is neither https nor on this machine.
        CheckpointError: If the server has no such file, does not send all of it, sends another
            one, or more than its length (if unknown, than ``REALDEG_MAX_DOWNLOAD`` bytes).
        OutputError: If it cannot be written.
    """
    check_address(url)
    # Processes on several machines may share the disk, so process ids are not unique.
    mark = "" if alone else f".{uuid.uuid4().hex}"
    part = target.with_name(f"{target.name}{mark}.part")
    opener = urllib.request.build_opener(_Redirects(url))
    reason = ""
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
                reason = str(error)
            else:
                wrong = check(part)
                if wrong:
                    _forget(part)
                    raise CheckpointError(f"{url} is not the published file: {wrong}. Not kept")
                _finish(part, target)
                return
    here = part.stat().st_size if part.exists() else 0
    kept = f" {here} bytes are kept at {part}, and the next attempt resumes them" if here else ""
    raise CheckpointError(
        f"{url} could not be downloaded in {attempts} tries: {reason or 'it kept changing'}."
        f"{kept}".rstrip(".")
    )


def _forget(part: Path) -> None:
    """Remove an incomplete download and its note."""
    for file in (part, part.with_name(f"{part.name}.json")):
        file.unlink(missing_ok=True)


def check_address(url: str, came_from: str = "") -> None:
    """Raise ConfigError if an address is neither https nor on this machine.

    Args:
        url: The address.
        came_from: The address that redirected there; another machine may not redirect to this one.
    """
    parts = urlsplit(url)
    local = parts.hostname in _LOCAL
    allowed = local and (not came_from or urlsplit(came_from).hostname in _LOCAL)
    if parts.scheme == "https" or (parts.scheme == "http" and allowed):
        return
    what = f"{came_from} redirects to {url}" if came_from else f"weights are requested from {url}"
    raise ConfigError(f"{what}, which is not https: others could replace the file on the way.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to an address that could have been given itself."""

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
            start = _first_byte(answer, start, url)
            total = _total(answer, start)
            _check_length(url, total, size, most)
            expected = total if total is not None else size
            _check_room(part, None if expected is None else expected - start)
            if not start:
                _forget(part)  # before the note describes another file
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
            raise CheckpointError(f"{urlsplit(url).hostname} was not found: no network") from error
        raise _BrokenOffError(_reason(error)) from error
    if expected is not None and got != expected:
        raise _BrokenOffError(f"the server ended it after {got} of {expected} bytes")


def _kept(part: Path, url: str) -> tuple[int, str]:
    """Return how many bytes are here already, and the validator of the file they belong to."""
    try:
        note = json.loads(part.with_name(f"{part.name}.json").read_text(encoding="utf-8"))
        status = part.lstat()
        # A link's target would be overwritten.
        whole = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        if whole and note["url"] == url and note["validator"]:
            return status.st_size, str(note["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _remember(part: Path, url: str, headers: email.message.Message) -> None:
    tag = headers.get("ETag", "")
    # A weak tag means that two files are equivalent, not that they are identical.
    validator = headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    note = {"url": url, "validator": validator}
    try:
        with _created(part.with_name(f"{part.name}.json")) as stream:
            stream.write(json.dumps(note).encode())
    except OSError as error:
        raise _cannot_write(part, error) from error


def _first_byte(answer: Any, requested: int, url: str) -> int:
    """Return the first byte's position in the file: the requested one, or 0 if all of it comes."""
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise CheckpointError(
            f"{url} answers with a web page, not with a file: open it in a browser and download the"
            " weights by hand"
        )
    if answer.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if not match or int(match.group(1)) != requested:
        raise _RestartError
    return requested


def _total(answer: Any, start: int) -> int | None:
    match = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    if match:
        return int(match.group(1))
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def most_download() -> int:
    """Return the largest length in bytes of a file of unknown length: ``REALDEG_MAX_DOWNLOAD``."""
    text = os.environ.get("REALDEG_MAX_DOWNLOAD", "")
    return int(text) if text.isdecimal() and int(text) > 0 else _MOST


def _too_long(url: str, most: int, known: bool) -> str:
    if known:
        return f"{url} has changed: it sends more than its {most} bytes. It was not kept"
    return (
        f"{url} sends more than {most} bytes, and its length is not known: it was not kept. For a"
        " file that you trust, set REALDEG_MAX_DOWNLOAD to more"
    )


def _check_length(url: str, total: int | None, size: int | None, most: int) -> None:
    if total is not None and size is None and total > most:
        raise CheckpointError(_too_long(url, most, False))
    if total is not None and size is not None and total != size:
        raise CheckpointError(
            f"{url} has changed: it has {total} bytes, expected {size}. It was not downloaded"
        )


def _check_room(part: Path, wanted: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if wanted is not None and wanted > free:
        raise OutputError(
            f"cannot write {part}: {wanted} bytes are needed and {free} are free. Free some space,"
            " or choose another folder with REALDEG_HOME."
        )


@contextlib.contextmanager
def _opened(part: Path, start: int) -> Iterator[IO[bytes]]:
    try:
        stream = open(os.open(part, _APPEND), "ab") if start else _created(part)  # noqa: SIM115
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
    """Open a new file; an existing one, or a link, is removed first."""
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
        f"cannot write {file}: {error.strerror or error}. What was downloaded is kept; free some"
        " space, or choose another folder with REALDEG_HOME."
    )


def _refused(error: urllib.error.HTTPError, url: str, start: int) -> Exception:
    error.close()
    if error.code == 416 and start:
        return _RestartError()
    answer = f"the server answers {error.code} {error.reason}"
    if error.code in _TEMPORARY:
        return _BrokenOffError(answer)
    return CheckpointError(f"{url} is not available: {answer}")


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "the server stopped answering"
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__
