"""Weights for a task, out of a file of ours or of another project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from realdeg.engine.checkpoint import read_checkpoint
from realdeg.engine.state import component_of
from realdeg.errors import CheckpointError
from realdeg.utils.component import ComponentFile, describes_itself, read_component

COMPONENT_SUFFIX = ".safetensors"


def own_component(model: nn.Module, path: Path) -> tuple[nn.Module, ComponentFile] | None:
    """Read a self-describing file of the component that a task trains.

    Args:
        model: The task, without its wrapper.
        path: The file.

    Returns:
        The component, not yet filled, and the file's contents; None if the file is of another kind.

    Raises:
        CheckpointError: If it is damaged, or holds a component that the task does not train.
    """
    if path.suffix != COMPONENT_SUFFIX or (path.is_file() and not describes_itself(path)):
        return None
    component, file = component_of(model), read_component(path)
    if component is None or component[0] != file.kind:
        wanted = component[0] if component else "no component"
        raise CheckpointError(
            f"{path} holds a {file.kind}, but the task of this config works with"
            f" {wanted}: take other weights or another config."
        )
    return component[1], file


def read_weights_of(model: nn.Module, path: Path) -> dict[str, Any]:
    """Read the weights of a whole task.

    Args:
        model: The task, without its wrapper.
        path: A training checkpoint, a state dict of the task, or any file that holds the weights
            of its backbone (BasicSR's ``params_ema``, a MatConvNet network, and whatever else
            ``convert_weights`` reads).

    Returns:
        ``state_dict``, for the task to load strictly, and ``meta``.

    Raises:
        CheckpointError: If the file is damaged, or holds no weights for this task.
    """
    if path.suffix.lower() in (COMPONENT_SUFFIX, ".mat", ".caffemodel"):
        return _of_others(model, path)
    try:
        found: dict[str, Any] = read_checkpoint(path)
    except CheckpointError:
        # A pickled network, perhaps; what is missing or damaged is not asked for twice.
        if _backbone_of(model) is None or not path.is_file() or path.stat().st_size == 0:
            raise
        return _of_others(model, path)
    state = found.get("state_dict", found)
    ours = "meta" in found or _backbone_of(model) is None or set(state) & set(model.state_dict())
    if _is_state(state) and ours:
        meta = found.get("meta") if state is not found else None
        others = {} if state is found else found
        return {**others, "state_dict": state, "meta": meta if isinstance(meta, Mapping) else {}}
    return _of_others(model, path, found)


def _of_others(
    model: nn.Module, path: Path, held: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    backbone = _backbone_of(model)
    if backbone is None:
        raise CheckpointError(_no_weights(model, path, held))
    from realdeg.backbones import load_weights

    former = {name: value.clone() for name, value in backbone.state_dict().items()}
    try:
        load_weights(backbone, path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{str(error).rstrip('.')}. Name weights of another project as backbone.checkpoint=FILE"
            " beside the type of their network, or let `realdeg convert_weights` write a file that"
            " says what it is."
        ) from error
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.load_state_dict(former)  # only the caller loads, strictly and after its own checks
    return {"state_dict": _filled(model, state), "meta": {}}


def _no_weights(model: nn.Module, path: Path, held: Mapping[str, Any] | None) -> str:
    found = component_of(model)
    keys = ", ".join(sorted(map(str, held or ()))[:5])
    return (
        f"{path} holds no weights of {type(model).__name__}{f' (found {keys})' if keys else ''}:"
        f" give a checkpoint iter_N.pth, or the {found[0] if found else 'component'}.safetensors"
        " that lies beside it."
    )


def _filled(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a task's state dict with that of its component laid into it."""
    found = component_of(model)
    assert found is not None  # asked before
    prefix = f"{found[0]}."
    whole = {k: v for k, v in model.state_dict().items() if not k.startswith(prefix)}
    return {**whole, **{f"{prefix}{name}": value for name, value in state.items()}}


def _backbone_of(model: nn.Module) -> Any:
    from realdeg.backbones.base import Backbone

    found = component_of(model)
    return found[1] if found is not None and isinstance(found[1], Backbone) else None


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )
