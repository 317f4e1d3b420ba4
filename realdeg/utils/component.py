"""Weights that describe themselves: a safetensors file that says what it is.

The file's metadata hold the kind (degradation or backbone), the registered type, the constructor
arguments (scale, geometry and colour among them), notes such as the config or ``sample``, a hash
that tells components apart (``hash``: type, arguments and weights) and one of the whole file
(``file_hash``), by which damage is found. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from realdeg.errors import CheckpointError, first_line
from realdeg.utils.construction import refuse_other_files
from realdeg.utils.files import atomic_path
from realdeg.utils.plain_json import read_json
from realdeg.utils.tensor_file import open_tensors

FORMAT = "realdeg-component-1"
# The hash of the file stands in its header, and is taken of the file with zeros in its place.
_FILE_HASH, _ZEROS = "file_hash", "0" * 64
_MARK = f'"{_FILE_HASH}":"'.encode()
_KEYS = {"format", "kind", "type", "arguments", "meta", "hash", _FILE_HASH}


@dataclass(frozen=True)
class ComponentFile:
    """What a self-describing file holds."""

    kind: str
    type: str
    arguments: dict[str, Any]
    meta: dict[str, Any]
    hash: str
    state: dict[str, Tensor] = field(repr=False)


def component_hash(type: str, arguments: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """Hash a component: its type, arguments and every tensor.

    Args:
        type: The registered type.
        arguments: The constructor's arguments.
        state: The state dict.

    Returns:
        16 hexadecimal digits, equal wherever type, arguments and weights are equal.
    """
    digest = hashlib.sha256()
    digest.update(json.dumps([type, plain(dict(arguments))], sort_keys=True).encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def save_component(
    path: str | os.PathLike[str],
    module: nn.Module,
    *,
    kind: str,
    type: str,
    arguments: Mapping[str, Any],
    meta: Mapping[str, Any] | None = None,
) -> str:
    """Write a component so that it can be rebuilt from the file alone.

    Args:
        path: The ``.safetensors`` file to write, whole or not at all.
        module: The component.
        kind: ``"degradation"`` or ``"backbone"``.
        type: The registered type.
        arguments: The constructor's arguments, plain data.
        meta: Notes, plain data.

    Returns:
        The component's hash.

    Raises:
        OutputError: If the file cannot be written.
    """
    from safetensors.torch import save

    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    # safetensors refuses shared storage; a clone makes each tensor its own.
    state = {name: value.clone() for name, value in state.items()}
    digest = component_hash(type, arguments, state)
    header = {
        "format": FORMAT,
        "kind": kind,
        "type": type,
        "arguments": json.dumps(plain(dict(arguments)), sort_keys=True),
        "meta": json.dumps(plain(dict(meta or {})), sort_keys=True),
        "hash": digest,
        _FILE_HASH: _ZEROS,
    }
    payload = _in_order(save(state, metadata=header))
    at = _hash_place(payload)
    payload[at : at + 64] = hashlib.sha256(payload).hexdigest().encode()
    with atomic_path(path) as temporary:
        temporary.write_bytes(payload)
    return digest


def _in_order(payload: bytes) -> bytearray:
    """Sort the notes in a file's header, which the library writes in an order left to chance.

    So equal components are equal files.
    """
    end = 8 + int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8:end])
    notes = header.pop("__metadata__")
    text = json.dumps(
        {"__metadata__": dict(sorted(notes.items())), **header},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return bytearray(len(text).to_bytes(8, "little") + text + payload[end:])


def _hash_place(payload: bytes | bytearray) -> int:
    """Return where a file's own hash stands. Within a JSON text the mark's quotes are escaped."""
    end = 8 + int.from_bytes(payload[:8], "little")
    found = payload.find(_MARK, 8, end)
    return found + len(_MARK) if found >= 0 else -1


def _is_whole(file: Path, wanted: str) -> bool:
    with open(file, "rb") as stream:
        length = stream.read(8)
        head = bytearray(length + stream.read(int.from_bytes(length, "little")))
        at = _hash_place(head)
        if at < 0 or head[at : at + 64] != wanted.encode():
            return False
        head[at : at + 64] = _ZEROS.encode()
        digest = hashlib.sha256(head)
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == wanted


def describes_itself(path: str | os.PathLike[str]) -> bool:
    """Say whether a file was written by :func:`save_component`.

    Args:
        path: Any file, or none.
    """
    try:
        with open_tensors(path) as opened:
            header = opened.metadata() or {}
    except (OSError, ValueError):
        return False
    # A damaged one is still one of ours, and must not pass for anybody's.
    return header.get("format") == FORMAT or len(_KEYS & set(header)) >= len(_KEYS) - 2


def read_component(path: str | os.PathLike[str]) -> ComponentFile:
    """Read a self-describing file.

    Args:
        path: The ``.safetensors`` file.

    Returns:
        Its contents.

    Raises:
        CheckpointError: If it is missing, truncated, of another format, or altered.
    """
    refuse_other_files(path)
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"no weights at {file}: the file does not exist.")
    try:
        with open_tensors(file) as opened:
            header = opened.metadata() or {}
            if header.get("format") != FORMAT:
                raise CheckpointError(
                    f"{file} holds tensors but does not say what they are (format"
                    f" {header.get('format', '')[:40]!r}, wanted {FORMAT!r}): it was not written by"
                    " realdeg."
                )
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, ValueError) as error:
        hint = ""
        if file.suffix in (".pth", ".pt", ".ckpt"):
            hint = (
                " A training checkpoint does not describe itself: give the"
                " degradation.safetensors or backbone.safetensors that lies beside it."
            )
        raise CheckpointError(
            f"{file} cannot be read as safetensors ({first_line(error)}): truncated or of another"
            f" format.{hint}"
        ) from error
    missing = [key for key in ("kind", "type", "arguments", "meta", "hash") if key not in header]
    if missing:
        raise CheckpointError(
            f"the description inside {file} is damaged: it lacks {', '.join(missing)}."
        )
    arguments = _described(header["arguments"], f"'arguments' inside {file}", finite=True)
    meta = _described(header["meta"], f"'meta' inside {file}", finite=False)
    kind, type_, digest = header["kind"], header["type"], header["hash"]
    if _FILE_HASH in header:
        whole = _is_whole(file, header[_FILE_HASH])
    else:  # written before files had it: of seven entries six are there, and no other
        whole = set(header) < _KEYS
    if not whole or component_hash(type_, arguments, state) != digest:
        raise CheckpointError(f"{file} was altered: its contents do not match its own hash.")
    return ComponentFile(kind, type_, arguments, meta, digest, state)


def _described(text: str, what: str, *, finite: bool) -> dict[str, Any]:
    value = read_json(text, what, CheckpointError, finite=finite)
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is no object but {value!r:.40}: the file is damaged.")
    return value


def load_state(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load a state dict strictly, or say what differs and load nothing.

    Args:
        module: The module to fill.
        state: The tensors.
        where: Where they come from, for the message.

    Raises:
        CheckpointError: If a key is missing, left over, or of another shape; if a number is NaN or
            infinite.
    """
    odd = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise CheckpointError(
            f"the weights in {where} are no state dict: {', '.join(odd[:3])} holds no tensor."
            " Nothing was loaded."
        )
    faults = state_faults(module.state_dict(), state)
    if faults:
        raise CheckpointError(
            f"the weights in {where} are of another architecture than"
            f" {module.__class__.__name__}: {summary(faults)}. Nothing was loaded."
        )
    refuse_non_finite(state, where)
    module.load_state_dict(dict(state))


def refuse_non_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that can only give black pictures; every load asks, :func:`load_state` for it.

    Args:
        state: The tensors.
        where: Where they come from, for the message.

    Raises:
        CheckpointError: If a number is NaN or infinite, naming the tensors.
    """
    broken = [
        name
        for name, tensor in state.items()
        if (tensor.is_floating_point() or tensor.is_complex()) and not _is_finite(tensor)
    ]
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise CheckpointError(
            f"the weights in {where} hold NaN or infinity ({', '.join(broken[:3])}{more}): the file"
            " is damaged, or the training that wrote it had broken down. Take other weights."
        )


def _is_finite(tensor: Tensor) -> bool:
    try:
        # Numbers of 8 bits are stored, and hardly computed with.
        wide = tensor.float() if tensor.element_size() == 1 else tensor
        return bool(torch.isfinite(wide).all())
    except (NotImplementedError, RuntimeError):  # a type that no network is of
        return False


def state_faults(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """List how a state dict differs from the one that a module wants.

    Args:
        wanted: The module's own.
        found: The one to load.

    Returns:
        One line for each tensor that is missing, left over or of another shape.
    """
    faults = [f"missing {name} {tuple(wanted[name].shape)}" for name in wanted if name not in found]
    faults += [
        f"left over {name} {tuple(found[name].shape)}" for name in found if name not in wanted
    ]
    faults += [
        f"{name} is {tuple(found[name].shape)}, wanted {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and wanted[name].shape != found[name].shape
    ]
    return faults


def summary(faults: list[str]) -> str:
    """Phrase a list of :func:`state_faults` for a message: a few of each kind, and how many.

    Args:
        faults: The list.
    """
    kinds = ("missing", "left over")
    groups = [[line for line in faults if line.startswith(kind)] for kind in kinds]
    groups.append([line for line in faults if not line.startswith(kinds)])
    shown = [line for group in groups for line in group[:3]]
    more = len(faults) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def plain(value: Any) -> Any:
    """Turn config values into JSON's types (tuples become lists, configs become dicts).

    Args:
        value: Any nesting of numbers, strings, sequences and mappings.

    Returns:
        The same as plain Python data.

    Raises:
        TypeError: If something has no plain form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return str(value)
    raise TypeError(f"{value!r} of type {value.__class__.__name__} has no plain form")
