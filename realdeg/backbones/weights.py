"""Load weights from files of any supported format into a backbone."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import differs, refuse_other_form, written
from realdeg.backbones.formats import (
    is_ncnn,
    read_caffe,
    read_matconvnet,
    read_ncnn,
    read_pickled,
)
from realdeg.errors import CheckpointError
from realdeg.utils.component import (
    describes_itself,
    load_state,
    read_component,
    state_faults,
    summary,
)
from realdeg.utils.construction import refuse_other_files
from realdeg.utils.files import weights_in
from realdeg.utils.tensor_file import open_tensors

# Keys under which training code stores a state dict; averaged weights first, as published results
# were made with them.
WRAPPERS: tuple[str, ...] = (
    *("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net"),
)
_LONGEST_NAME = 512
# What DataParallel, torch.compile and adversarial training prepend to every key.
PREFIXES: tuple[str, ...] = ("module.", "_orig_mod.", "netG.")


def load_weights(
    backbone: Backbone,
    path: str | os.PathLike[str],
    *,
    ignore: str | Sequence[str] = (),
    partial: bool = False,
) -> list[str]:
    """Load a file of any format that :func:`read_weights` reads into a backbone.

    Wrappers (``WRAPPERS``), prefixes of keys (``PREFIXES``) and the backbone's ``dialects`` are
    handled. All tensors have to match unless ``partial``.

    Args:
        backbone: The network to fill.
        path: A file of any format, such as ``.pth`` or ``.safetensors``.
        ignore: Prefixes of keys that keep the backbone's own values, such as ``("tail.",)`` to
            start a x4 network from x2 weights; a string is one prefix.
        partial: Load what fits, and leave the rest as it is.

    Returns:
        What was not loaded, one line for each tensor: empty unless ``partial``.

    Raises:
        CheckpointError: If the file cannot be read safely; if tensors are missing, left over or of
            another shape, unless ``partial``; if nothing fits at all, or everything is ignored.
    """
    return fill(backbone, read_weights(path), str(path), ignore=ignore, partial=partial)


def fill(
    backbone: Backbone,
    stored: Mapping[str, Tensor],
    where: str,
    *,
    ignore: str | Sequence[str] = (),
    partial: bool = False,
) -> list[str]:
    """Do as :func:`load_weights` with the tensors that were read from the file ``where``."""
    refuse_format(type(backbone), where)
    state = backbone.adapt_state(stored, where)
    skipped = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    own = backbone.state_dict()
    if own and all(name.startswith(skipped) for name in own):
        raise CheckpointError(
            f"nothing of {where} would be loaded into {type(backbone).__name__}: every key begins"
            f" with one of the ignored {', '.join(map(repr, skipped))}."
        )
    if skipped:
        state = {name: value for name, value in state.items() if not name.startswith(skipped)}
        state |= {name: value for name, value in own.items() if name.startswith(skipped)}
    faults = state_faults(own, state)
    if faults and not partial:
        refuse_other_form(backbone, state, where)
    elif faults:
        fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
        if not fitting:
            raise CheckpointError(
                f"nothing of the weights in {where} fits {type(backbone).__name__}:"
                f" {summary(faults)}."
            )
        state = {**own, **fitting}
    load_state(backbone, state, where)
    return faults


def form_of(
    cls: Callable[..., Any],
    state: Mapping[str, Tensor],
    stated: Mapping[str, Any],
    where: str = "memory",
    *,
    partial: bool = False,
) -> dict[str, Any]:
    """Return the arguments of the network that a file's tensors belong to.

    Args:
        cls: The network's class, or a function that returns a network.
        state: What :func:`read_weights` returned.
        stated: The arguments that the user states; None stands for the default.
        where: The file, for messages.
        partial: Only a part of the weights is wanted, so what is stated takes precedence.

    Returns:
        The stated arguments and those read from the tensors (``Backbone.form_of``).

    Raises:
        CheckpointError: If the tensors contradict a stated argument.
    """
    if not (isinstance(cls, type) and issubclass(cls, Backbone)):
        return dict(stated)
    refuse_format(cls, where)
    known = inspect.signature(cls).parameters
    read = {name: value for name, value in cls.form_of(state).items() if name in known}
    given = {name: value for name, value in stated.items() if value is not None}
    if given.get("same_size") and read.get("scale") == 1:
        del read["scale"]  # the stated scale describes the photos; the network keeps their size
    claimed = given | dict(cls.form_presets.get(str(given.get("preset")), {})) | given
    other = {
        name: value
        for name, value in read.items()
        if claimed.get(name) is not None
        and name not in cls.form_subset
        and differs(value, claimed[name])
    }
    if other and not partial:
        raise CheckpointError(
            f"the {cls.__name__} weights in {where} have {written(other)}, and"
            f" {written({name: claimed[name] for name in other})} is asked for: ask for the former,"
            " or leave it out to use the file's."
        )
    if "preset" not in given:
        read |= _preset(cls, read)
    for name in cls.form_presets.get(str(read.get("preset", given.get("preset"))), {}):
        read.pop(name, None)
    return {**stated, **read, **given}


def _preset(cls: type[Backbone], read: Mapping[str, Any]) -> dict[str, str]:
    """Return the matching preset: it may determine arguments that no tensor shows."""
    for preset, values in cls.form_presets.items():
        if all(read.get(name) == value for name, value in values.items() if value is not None):
            return {"preset": preset}
    return {}


def refuse_format(cls: type[Backbone], where: str) -> None:
    """Refuse a file of a format whose tensors fit a network, but mean something else.

    Raises:
        CheckpointError: With the reason that the class gives.
    """
    reason = cls.refused_formats.get(Path(where).suffix.lower())
    if reason is not None:
        raise CheckpointError(f"the weights in {where} are {reason}")


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a file without running any code of it.

    Args:
        path: A ``.safetensors`` file (realdeg's own or not), a PyTorch file (``.pth``, ``.pt``,
            ``.ckpt`` or any other name) with a state dict or a pickled network, a MatConvNet
            network (``.mat``), a Caffe network (``.caffemodel``) or an ncnn network (``.param``,
            with its ``.bin`` beside it).

    Returns:
        The state dict in PyTorch's layout, unwrapped and without prefixes, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged or holds no weights.
    """
    path = weights_in(path, "backbone") or path
    refuse_other_files(path)
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"no weights at {file}: the file does not exist.")
    try:
        state = _read(file)
    except MemoryError as error:
        raise CheckpointError(
            f"the weights in {file} ({file.stat().st_size:,} bytes) do not fit into this machine's"
            " memory."
        ) from error
    for name in state:
        # Names are printed.
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise CheckpointError(
                f"{file} has a tensor named {ascii(name[:80])}, as no network does: it is damaged"
                " or crafted to mislead."
            )
    return state


def _read(file: Path) -> dict[str, Tensor]:
    suffix = file.suffix.lower()
    if suffix == ".mat":
        return read_matconvnet(file)
    if suffix == ".caffemodel":
        return read_caffe(file)
    if is_ncnn(file):
        return read_ncnn(file)
    raw = _read_safetensors(file) if suffix == ".safetensors" else read_pickled(file)
    return _strip_prefixes(_unwrap(raw, file))


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        if not describes_itself(file):
            with open_tensors(file) as opened:
                return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} cannot be read as safetensors ({error}): truncated or of another format."
        ) from error
    component = read_component(file)
    if component.kind != "backbone":
        raise CheckpointError(
            f"{file} holds a {component.kind} ({component.type}), not a backbone."
        )
    return component.state


def _unwrap(raw: Any, file: Path) -> dict[str, Tensor]:
    """Return the state dict inside what a file held."""
    found = raw
    if isinstance(raw, Mapping) and not _is_state(raw):
        found = next((raw[key] for key in WRAPPERS if _is_state(raw.get(key))), None)
        states = [value for value in raw.values() if _is_state(value)]
        if found is None and len(states) == 1:
            found = states[0]
        elif found is None and states and len(states) == len(raw):  # several networks in one file
            found = {f"{k}.{name}": t for k, part in raw.items() for name, t in part.items()}
    if not _is_state(found):
        kind = _training_state(raw)
        if kind:
            raise CheckpointError(
                f"{file} holds {kind} and no weights: give the file of weights that was saved with"
                " it (BasicSR: models/net_g_<iteration>.pth)."
            )
        held = (
            f"keys {[ascii(key)[1:-1][:40] for key in sorted(map(str, raw))[:5]]}"
            if isinstance(raw, Mapping)
            else type(raw)
        )
        raise CheckpointError(
            f"{file} holds no state dict (found {held}): expected tensors by name, at the top or"
            f" under one of {', '.join(WRAPPERS)}."
        )
    return {str(name): value for name, value in found.items()}


def _training_state(raw: Any) -> str:
    """Describe a training state that was given instead of weights; empty if it is not one."""
    keys = set(raw) if isinstance(raw, Mapping) else set()
    if {"optimizers", "schedulers"} <= keys:
        return (
            f"the optimisers and schedules of a BasicSR training run, iteration {raw.get('iter')},"
        )
    if {"state", "param_groups"} <= keys:
        return "the state of an optimiser"
    if {"last_epoch", "base_lrs"} <= keys:
        return "the state of a schedule"
    return ""


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
