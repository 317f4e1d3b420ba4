"""Available memory, and errors for lack of it."""

from __future__ import annotations

import errno
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realdeg.errors import MemoryShortageError, first_line

# Phrases in the errors of allocators and libraries (RuntimeError, cv2.error and others).
_SIGNS = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "insufficient memory",
    "bad_alloc",
    "alloc_failed",
    "unable to allocate",
    "could not create a memory",  # oneDNN, for its buffers
    "could not create a primitive",  # oneDNN, for its compiled code and scratchpads
    "could not execute a primitive",
)
_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, from any library, means that memory ran out."""
    if isinstance(error, MemoryError | MemoryShortageError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return any(sign in text for sign in _SIGNS)


@contextmanager
def memory_for(what: str, advice: str) -> Iterator[None]:
    """Turn a lack of memory inside the block into one sentence.

    Args:
        what: What was being done, such as ``"the test of 8 images at once"``.
        advice: What the user can do, a sentence.

    Raises:
        MemoryShortageError: If memory ran out; other errors pass.
    """
    try:
        yield
    except MemoryShortageError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryShortageError(
            f"memory ran out on {what} ({first_line(error)}). {advice}"
        ) from error


def available_memory() -> int | None:
    """Return how many bytes this process may still allocate, or None if unknown.

    The minimum of the machine's free memory and the limits of control groups (containers) and
    ``ulimit``.
    """
    found = [_of_machine(), *_of_groups(), *_of_limits()]
    known = [number for number in found if number is not None]
    return max(0, min(known)) if known else None


def _of_machine() -> int | None:
    return _field(Path("/proc/meminfo"), "MemAvailable:")


def _of_limits() -> list[int | None]:
    status = Path("/proc/self/status")
    numbers: list[int | None] = []
    for limit, field in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        allowed, used = resource.getrlimit(limit)[0], _field(status, field)
        if allowed != resource.RLIM_INFINITY and used is not None:
            numbers.append(allowed - used)
    return numbers


def _of_groups() -> list[int | None]:
    """Return the memory left in each control group of the process, for cgroup v1 and v2."""
    numbers: list[int | None] = []
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0":
            root, limit, usage = _CGROUP, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = _CGROUP / "memory"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        inside = root / name.lstrip("/")
        for folder in (inside, *inside.parents):
            if root == folder or root in folder.parents:
                numbers.append(_of_group(folder, limit, usage))
    return numbers


def _of_group(folder: Path, limit: str, usage: str) -> int | None:
    allowed, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not allowed.isdigit() or not used.isdigit() or int(allowed) >= _UNLIMITED:
        return None
    # Cached file pages count as used, but are freed on demand.
    idle = _field(folder / "memory.stat", "inactive_file", unit=1) or 0
    return int(allowed) - int(used) + idle


def _field(file: Path, name: str, unit: int = 1024) -> int | None:
    for line in _text(file).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == name and words[1].isdigit():
            return int(words[1]) * unit
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
