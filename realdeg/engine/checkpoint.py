"""Checkpoint files: whole or absent, and never code.

A checkpoint is a ``.pth`` that holds plain data and tensors only: ``meta``, ``state_dict``,
``setup``, ``optimizer``, ``param_schedulers``, ``message_hub`` and, with an EMA hook,
``ema_state_dict``. It carries a hash of all its bytes (``utils/sealed.py``).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import CheckpointError, as_given
from realdeg.utils.files import atomic_path
from realdeg.utils.sealed import damage, write_sealed
from realdeg.utils.torch_file import check_archive

PATTERN = re.compile(r"iter_(\d+)\.pth")
LAST = "last_checkpoint"
# In this order: a bool is an int, too.
_SCALARS: tuple[tuple[type, type], ...] = (
    (bool, np.bool_),
    (int, np.integer),
    (float, np.floating),
    (str, np.str_),
)


def checkpoint_name(iteration: int) -> str:
    """Return the file name of the checkpoint after ``iteration`` iterations."""
    return f"iter_{iteration}.pth"


def to_plain(value: Any, place: str = "checkpoint") -> Any:
    """Turn a state into tensors on the CPU and plain Python data.

    Args:
        value: Any nesting of mappings, sequences, numbers, strings, arrays and tensors.
        place: Its key in the checkpoint, for the message.

    Returns:
        The same, readable by ``torch.load(weights_only=True)``.

    Raises:
        TypeError: If something cannot be written that way.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        # A view would be saved with its whole storage.
        whole = value.untyped_storage().nbytes() == value.numel() * value.element_size()
        return value if whole else value.clone()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    for kind, numpy_kind in _SCALARS:
        if isinstance(value, (kind, numpy_kind)):
            return kind(value)
    if isinstance(value, Mapping):
        return {key: to_plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(to_plain(item, f"{place}.{i}") for i, item in enumerate(value))
    if isinstance(value, list):
        return [to_plain(item, f"{place}.{i}") for i, item in enumerate(value)]
    raise TypeError(f"{place} is a {type(value).__name__}, which has no plain form")


def write_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: The ``.pth`` file.
        checkpoint: Plain data and tensors, as ``to_plain`` returns them.

    Raises:
        OutputError: If it cannot be written. An older file of that name is then kept.
    """
    buffer = io.BytesIO()
    torch.save(dict(checkpoint), buffer)
    # On a full disk, torch.save raises some error of its zip writer. Plain writing raises OSError,
    # which atomic_path explains.
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        write_sealed(stream, buffer.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without running anything in it.

    Raises:
        CheckpointError: If it is missing, truncated, damaged or unreadable, or holds more than
            data.
    """
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a folder, not a checkpoint: {_offered(path)}. To continue from the"
            f" newest one in it: {as_given(work_dir=str(path), resume=True)}."
        )
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint at {path}: the file does not exist; {_offered(path.parent)}."
        )
    # Before torch's unpickler, which may raise anything for damaged bytes.
    try:
        with open(path, "rb") as stream:
            first = stream.read(1)
        found_damage = damage(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if first not in (b"P", b"\x80"):  # a zip archive of torch's, or a bare pickle
        raise _unreadable(path, ValueError("not a file of torch.save"))
    if found_damage is not None:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is truncated or damaged: {found_damage}. Take"
            " another one."
        )
    check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from torch, about pickles that it then refuses
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _unreadable(path, error) from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} holds a {type(loaded).__name__}, wanted a dict of tensors.")
    return loaded


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder by iteration, newest first."""
    found = []
    for file in folder.glob("iter_*.pth"):
        match = PATTERN.fullmatch(file.name)
        if match:
            found.append((int(match.group(1)), file))
    return [file for _, file in sorted(found, reverse=True)]


def iteration_of(path: Path) -> int:
    """Return the iteration in a checkpoint's file name."""
    match = PATTERN.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path.name} is not named iter_N.pth")
    return int(match.group(1))


def check_training(path: Path, loaded: Mapping[str, Any]) -> int:
    """Check that a file is a training checkpoint, and of the iteration in its name.

    Args:
        path: Where it was read from; its name gives the iteration.
        loaded: What was read from it.

    Returns:
        The number of completed iterations.

    Raises:
        CheckpointError: If it is not.
    """
    meta, state = loaded.get("meta"), loaded.get("state_dict")
    done = meta.get("iter") if isinstance(meta, Mapping) else None
    if not isinstance(state, Mapping) or type(done) is not int or done < 0:
        raise CheckpointError(
            f"{path} is not a training checkpoint: resume from an iter_N.pth, or restart from its"
            f" weights with load_from={path} and without {as_given(resume=True)}."
        )
    match = PATTERN.fullmatch(path.name)
    if match is not None and int(match.group(1)) != done:
        raise CheckpointError(
            f"{path} holds iteration {done}, not the one in its name: it was renamed or is damaged."
            f" Rename it to {checkpoint_name(done)}, or take another one."
        )
    return done


def newest_readable(folder: Path) -> tuple[Path, dict[str, Any], list[str]] | None:
    """Read the newest checkpoint of a work dir that can be read.

    Returns:
        Its path, its contents, and one sentence for each newer file that could not be read; or
        None if there is no checkpoint.

    Raises:
        CheckpointError: If there are checkpoints and none can be read.
    """
    files = find_checkpoints(folder)
    skipped: list[str] = []
    for file in files:
        try:
            loaded = read_checkpoint(file)
            if loaded.get("meta") != {} or "state_dict" not in loaded:
                check_training(file, loaded)
        except CheckpointError as error:
            skipped.append(str(error))
        else:
            return file, loaded, skipped
    if skipped:
        raise CheckpointError(
            f"none of the {len(files)} checkpoints in {folder} can be read: {skipped[0]}"
        )
    return None


def _unreadable(path: Path, error: BaseException) -> CheckpointError:
    size = path.stat().st_size
    if size == 0:
        return CheckpointError(f"{path} is truncated to 0 bytes: take another one.")
    reason = next(iter(str(error).strip().splitlines()), "").partition(". ")[0][:160].rstrip(".")
    more = f" ({reason})" if " " in reason else ""
    return CheckpointError(
        f"{path} ({size} bytes) is truncated or no checkpoint{more}: take another one."
    )


def _offered(folder: Path) -> str:
    names = [file.name for file in find_checkpoints(folder)] if folder.is_dir() else []
    return f"{folder} holds {', '.join(names[:3]) or 'none'}"
