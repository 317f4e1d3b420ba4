"""Read weights that people already have into a backbone."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.errors import CheckpointError
from realdeg.utils.component import FORMAT, load_state, read_component

# What training code wraps a state dict in, the averaged weights first: they are what was published.
WRAPPERS: tuple[str, ...] = ("params_ema", "params", "state_dict", "model")
# What DataParallel and torch.compile put before every key.
PREFIXES: tuple[str, ...] = ("module.", "_orig_mod.")


def load_weights(
    backbone: Backbone, path: str | os.PathLike[str], *, ignore: Sequence[str] = ()
) -> None:
    """Fill a backbone from a file: our own, safetensors, or a PyTorch state dict.

    Wrappers (``params_ema``, ``params``, ``state_dict``, ``model``), ``module.`` prefixes and the
    dialects that the backbone knows (``adapt_state``) are undone. Everything has to fit.

    Args:
        backbone: The network to fill.
        path: A ``.safetensors`` file, or a ``.pth``, ``.pt`` or ``.ckpt`` with a state dict.
        ignore: Prefixes of keys that keep the backbone's own values, such as ``("tail.",)`` to
            start a x4 network from x2 weights.

    Raises:
        CheckpointError: If the file cannot be read safely, or what is missing or left over.
    """
    state = backbone.adapt_state(read_weights(path), str(path))
    skipped = tuple(ignore)
    if skipped:
        own = backbone.state_dict()
        state = {name: value for name, value in state.items() if not name.startswith(skipped)}
        state |= {name: value for name, value in own.items() if name.startswith(skipped)}
    load_state(backbone, state, str(path))


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a file without running any code of it.

    Args:
        path: See :func:`load_weights`.

    Returns:
        The state dict, out of its wrapper and without prefixes, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, a pickled network or no state dict.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"no weights at {file}: the file does not exist.")
    raw = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    return _strip_prefixes(_unwrap(raw, file))


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(str(file), framework="pt") as opened:
            own = (opened.metadata() or {}).get("format") == FORMAT
        if not own:
            return load_file(str(file))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} cannot be read as safetensors ({error}): truncated or of another format."
        ) from error
    component = read_component(file)
    if component.kind != "backbone":
        raise CheckpointError(f"{file} holds a {component.kind} ({component.type}), no backbone.")
    return component.state


def _read_torch(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _is_torch_file(file):
            raise CheckpointError(
                f"{file} holds pickled Python objects (a whole network, perhaps), not only"
                " tensors. Opening it would run the code inside, so it is refused: where it was"
                " made, save model.state_dict() instead and load that."
            ) from error
        raise CheckpointError(f"{file} is no PyTorch file, or a damaged one.") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{file} cannot be read as a PyTorch file"
            f" ({str(error).splitlines()[0] if str(error) else type(error).__name__}): truncated"
            " or of another format."
        ) from error


def _is_torch_file(file: Path) -> bool:
    """Say whether a file looks like torch.save's: a zip archive, or an old-style pickle."""
    if zipfile.is_zipfile(file):
        return True
    with file.open("rb") as opened:
        return opened.read(1) == b"\x80"


def _unwrap(raw: Any, file: Path) -> dict[str, Tensor]:
    """Return the state dict inside what a file held."""
    found = raw
    if isinstance(raw, Mapping) and not _is_state(raw):
        found = next((raw[key] for key in WRAPPERS if _is_state(raw.get(key))), None)
    if not _is_state(found):
        held = f"keys {sorted(map(str, raw))[:5]}" if isinstance(raw, Mapping) else type(raw)
        raise CheckpointError(
            f"{file} holds no state dict (found {held}): wanted tensors by name, bare or under"
            f" one of {', '.join(WRAPPERS)}."
        )
    return {str(name): value for name, value in found.items()}


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(tensor, Tensor) for tensor in value.values())
    )


def _strip_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for _ in PREFIXES:  # they may be nested in either order
        for prefix in PREFIXES:
            if all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state
