"""A run of several processes of which one fails: the others end, and say what happened to it."""

from __future__ import annotations

import re
import socket
from typing import Any

from mmengine.dist import is_distributed
from torch import distributed

from realdeg.errors import LostProcessError, RealdegError, TrainingError, first_line

_KEY = "realdeg/failed"
# What gloo, NCCL and the store say when the other end is gone.
_GONE = re.compile(
    r"connection (was )?(closed|reset|refused)|broken pipe|socket closed|remote process exited"
    r"|timed out|timeout|failed to recv|recvvalue failed|unhandled system error"
    r"|communicator was aborted",
    re.IGNORECASE,
)
# Of what "timed out" says nothing about another process: loading data, and a kernel on the GPU.
_OWN = re.compile(r"DataLoader|CUDA error|launch timed out")


def note_failure(error: BaseException) -> None:
    """Tell the other processes of the run why this one fails; they read it when they notice.

    Args:
        error: What ends this process.
    """
    if not is_distributed() or isinstance(error, LostProcessError) or _is_of_another(error):
        return
    said = str(error) if isinstance(error, RealdegError) else f"{type(error).__name__}: {error}"
    who = f"process {distributed.get_rank()} on {socket.gethostname()}"
    try:
        store = _store()
        # The first one that fails is the cause.
        store.compare_set(_KEY, "", f"{who}: {said[:2000]}")
    except (RuntimeError, ValueError, AttributeError):  # its owner is gone, too
        return


def lost_process(error: BaseException) -> TrainingError | None:
    """Return an error that says which process of the run failed, and why.

    Args:
        error: What communication between processes raised, anywhere in the main thread.

    Returns:
        The error; None if ``error`` has another cause.
    """
    if not (is_distributed() and _is_of_another(error)):
        return None
    note = ""
    try:
        store = _store()
        if store.check([_KEY]):
            note = store.get(_KEY).decode(errors="replace")
    except (RuntimeError, ValueError, AttributeError):
        pass
    if note:
        return LostProcessError(f"another process of this run failed: {note}")
    return LostProcessError(
        "another process of this run ended or cannot be reached any more"
        f" ({first_line(error)[:200]}): its own output says why. A process that is killed for lack"
        " of memory says nothing."
    )


def _is_of_another(error: BaseException) -> bool:
    """Return whether an error only says that another process is gone."""
    said = str(error)
    gone = _GONE.search(said) is not None and _OWN.search(said) is None
    return isinstance(error, RuntimeError) and gone


def _store() -> Any:
    """Return the store through which the processes of a run found each other."""
    return distributed.distributed_c10d._get_default_store()
