"""Keep freed memory in the process instead of returning it to the system after every step.

glibc returns the top of the heap as soon as it is free, so each training step on a CPU would give
back and fetch again the same hundred MiB, page by page.
"""

from __future__ import annotations

import ctypes
import os
import sys

# mallopt's parameters, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30

_OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Ask glibc to keep up to 1 GiB of freed memory. The command line calls this, imports do not.

    A user's own allocator or settings (``LD_PRELOAD``, ``GLIBC_TUNABLES``, ``MALLOC_...``) win.

    Returns:
        Whether it took effect; False on systems without glibc.
    """
    if not sys.platform.startswith("linux") or any(os.environ.get(n) for n in _OWN_SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = (_TRIM_THRESHOLD, _MMAP_THRESHOLD)
    return all([mallopt(setting, _KEPT_BYTES) == 1 for setting in settings])
