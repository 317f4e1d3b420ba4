"""Self-describing weights: a safetensors file with all that is needed to rebuild a component.

Its metadata hold the kind (degradation or backbone), the registered type, the constructor's
arguments, notes such as ``sample``, a hash that identifies the component (``hash``: type, arguments
and weights) and one of the whole file (``file_hash``), which reveals damage. Nothing is unpickled.
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
# The file's hash is stored in its header, and is computed with zeros in its place.
_FILE_HASH, _ZEROS = "file_hash", "0" * 64
_MARK = f'"{_FILE_HASH}":"'.encode()
_KEYS = {"format", "kind", "type", "arguments", "meta", "hash", _FILE_HASH}


@dataclass(frozen=True)
class ComponentFile:
    """The contents of a self-describing file."""

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
        path: The ``.safetensors`` file, written whole or not at all.
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
    """Sort the metadata, which are written in random order: equal components, equal files."""
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
    """Find the file's own hash. Inside a JSON string the mark's quotes would be escaped."""
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
    """Return whether a file exists and was written by :func:`save_component`."""
    try:
        with open_tensors(path) as opened:
            header = opened.metadata() or {}
    except (OSError, ValueError):
        return False
    # A damaged header still marks one of our files, which must not be read as another format.
    return header.get("format") == FORMAT or len(_KEYS & set(header)) >= len(_KEYS) - 2


def read_component(path: str | os.PathLike[str]) -> ComponentFile:
    """Read a self-describing file.

    Raises:
        CheckpointError: If it is missing, truncated, in another format, or altered.
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
                " degradation.safetensors or backbone.safetensors beside it."
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
    else:  # an older file without it: six of the seven entries, and no others
        whole = set(header) < _KEYS
    if not whole or component_hash(type_, arguments, state) != digest:
        raise CheckpointError(f"{file} was altered: its contents do not match its own hash.")
    return ComponentFile(kind, type_, arguments, meta, digest, state)


def _described(text: str, what: str, *, finite: bool) -> dict[str, Any]:
    value = read_json(text, what, CheckpointError, finite=finite)
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is not an object but {value!r:.40}: the file is damaged.")
    return value


def load_state(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load a state dict strictly, or name what differs and load nothing.

    Args:
        module: The module to fill.
        state: The tensors.
        where: Their source, for the message.

    Raises:
        CheckpointError: If a key is missing, left over, or of another shape; if a number is NaN or
            infinite.
    """
    odd = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise CheckpointError(
            f"the weights in {where} are not a state dict: {', '.join(odd[:3])} holds no tensor."
            " Nothing was loaded."
        )
    faults = state_faults(module.state_dict(), state)
    if faults:
        raise CheckpointError(
            f"the weights in {where} are of another architecture than"
            f" {module.__class__.__name__}: {summary(faults)}."
            f"{_advice(set(module.state_dict()), set(state))} Nothing was loaded."
        )
    refuse_non_finite(state, where)
    module.load_state_dict(dict(state))


def _advice(own: set[str], given: set[str]) -> str:
    """Say what to do where a whole part is missing or left over, as between two kinds of runs."""

    def parts(names: set[str]) -> set[str]:
        return {name.partition(".")[0] for name in names}

    for part in sorted(parts(given)):
        if own and {f"{part}.{name}" for name in own} <= given:
            return (
                f" It is a checkpoint of a whole run: name the file of the {part} beside it,"
                f" {part}.safetensors."
            )
    shared, other = parts(own & given), parts(own ^ given)
    if not shared or shared & other:
        return ""
    kind = "without" if parts(own) > parts(given) else "with" if parts(own) < parts(given) else ""
    if not kind:
        return ""
    first = sorted(shared)[0]
    return (
        f" It is of a run {kind} {' and '.join(sorted(other))}: start from its network instead,"
        f" {first}.start_from=dict(checkpoint='.../{first}.safetensors')."
    )


def refuse_non_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Refuse tensors with NaN or infinity; :func:`load_state` calls this.

    Raises:
        CheckpointError: Naming the tensors, and ``where`` they come from.
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
        # 8-bit floats are storage formats with few operations.
        wide = tensor.float() if tensor.element_size() == 1 else tensor
        return bool(torch.isfinite(wide).all())
    except (NotImplementedError, RuntimeError):  # a type that no network uses
        return False


def state_faults(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """List how the state dict ``found`` differs from a module's own: missing, left over, shape."""
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
    """Shorten a list of :func:`state_faults` for a message: three of each kind, and the count."""
    kinds = ("missing", "left over")
    groups = [[line for line in faults if line.startswith(kind)] for kind in kinds]
    groups.append([line for line in faults if not line.startswith(kinds)])
    shown = [line for group in groups for line in group[:3]]
    more = len(faults) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def plain(value: Any) -> Any:
    """Turn nested config values into JSON's types (tuples become lists, configs become dicts).

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
