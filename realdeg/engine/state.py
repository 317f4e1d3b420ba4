"""The state of a run: collected from the runner for a checkpoint, and restored to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmengine
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import is_model_wrapper
from torch import nn

from realdeg.engine.checkpoint import to_plain
from realdeg.engine.continuing import continue_optimisers
from realdeg.engine.setup import describe_setup
from realdeg.errors import CheckpointError
from realdeg.utils.component import plain
from realdeg.utils.mmengine_internals import swap_averaged_weights
from realdeg.version import __version__

if TYPE_CHECKING:
    from mmengine.runner import Runner

# Notes of the message hub about the process rather than the training.
_TRANSIENT = (
    "cfg",
    "dataset_meta",
    "epoch",
    "eta",
    "experiment_name",
    "iter",
    "loop_stage",
    "max_epochs",
    "max_iters",
    "mmengine_version",
    "seed",
)
HISTORY = 1000
"""The number of latest values of each scalar that a run keeps and saves."""


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model without its distributed wrapper."""
    inner: nn.Module = model.module if is_model_wrapper(model) else model  # type: ignore[assignment]
    return inner


def component_of(model: nn.Module) -> tuple[str, nn.Module] | None:
    """Return the component that a task trains.

    Args:
        model: The task, wrapped or not.

    Returns:
        Its kind (``"degradation"`` or ``"backbone"``) and the module; None where the model
        declares none.
    """
    model = unwrapped(model)
    kind = getattr(model, "component", None)
    module = getattr(model, kind, None) if isinstance(kind, str) else None
    return (kind, module) if isinstance(kind, str) and isinstance(module, nn.Module) else None


def describe_run(runner: Runner, iteration: int) -> dict[str, Any]:
    """Return a checkpoint's ``meta``: the origin of its weights, as plain data.

    Args:
        runner: The run to describe; its model is built.
        iteration: The number of completed iterations.
    """
    found = component_of(runner.model)
    component: dict[str, Any] = {}
    if found is not None:
        kind, module = found
        component = {"kind": kind, "type": type(module).__name__}
        try:
            component["arguments"] = plain(dict(getattr(module, "arguments", {})))
        except TypeError:  # built from objects rather than from a config
            component["arguments"] = {}
    return {
        "realdeg_version": __version__,
        "torch_version": str(torch.__version__),
        "mmengine_version": mmengine.__version__,
        "config": runner.cfg.pretty_text,
        "config_file": Path(str(runner.cfg.filename or "")).name,  # its folder is private
        "experiment_name": runner.experiment_name,
        "seed": runner.seed,
        "iter": iteration,
        "epoch": 0,
        "sample": bool(runner.cfg.get("sample", False)),
        "component": component,
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def collect_state(runner: Runner, iteration: int, training: bool = True) -> dict[str, Any]:
    """Collect everything that is needed to resume a run.

    Hooks may change it (``before_save_checkpoint``): the EMA hook puts its weights in place of the
    raw ones, which move to ``ema_state_dict``.

    Args:
        runner: The run whose model, optimiser, schedulers and random states are collected.
        iteration: The number of completed iterations.
        training: Also collect optimiser, schedulers and message hub.

    Returns:
        Plain data and tensors on the CPU.
    """
    state: dict[str, Any] = {
        "meta": describe_run(runner, iteration),
        "state_dict": dict(unwrapped(runner.model).state_dict()),
    }
    if training:
        state["message_hub"] = pack_message_hub(runner.message_hub)
        # The settings at the start: hooks may change one during the run.
        state["setup"] = getattr(runner, "setup", None) or describe_setup(runner)
        state["optimizer"] = runner.optim_wrapper.state_dict()
        schedulers = runner.param_schedulers
        if isinstance(schedulers, Mapping):
            state["param_schedulers"] = {
                name: [_data(item) for item in items] for name, items in schedulers.items()
            }
        elif schedulers is not None:
            state["param_schedulers"] = [_data(item) for item in schedulers]
    runner.call_hook("before_save_checkpoint", checkpoint=state)
    collected: dict[str, Any] = to_plain(state)
    return collected


def _data(scheduler: Any) -> dict[str, Any]:
    # OneCycle's state contains a function.
    values: dict[str, Any] = scheduler.state_dict()
    return {key: value for key, value in values.items() if not callable(value)}


def restore_training(runner: Runner, state: Mapping[str, Any], where: str) -> list[str]:
    """Restore optimiser, schedulers and message hub.

    Args:
        runner: The runner; its optimiser and schedulers are built.
        state: What ``collect_state`` returned.
        where: The file, for messages.

    Returns:
        One line for each setting that has changed.

    Raises:
        CheckpointError: If the file holds only weights, or the state of another optimiser.
    """
    if "optimizer" not in state or "message_hub" not in state:
        raise CheckpointError(
            f"{where} holds weights but no training state: start from it with load_from=... instead"
            " of resuming."
        )
    for key in ("optimizer", "message_hub"):
        if not isinstance(state[key], Mapping):
            raise CheckpointError(f"'{key}' in {where} is damaged: take another checkpoint.")
    changed = continue_optimisers(runner, state, where)
    try:
        unpack_message_hub(runner.message_hub, state["message_hub"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"'message_hub' in {where} is damaged: take another checkpoint."
        ) from error
    return changed


def pack_message_hub(hub: MessageHub) -> dict[str, Any]:
    """Turn a message hub into plain data.

    Because of its history objects, torch >= 2.6 refuses mmengine's own checkpoints.

    Returns:
        ``scalars`` (values and counts of the latest ``HISTORY`` entries) and ``info``.
    """
    state = hub.state_dict()
    scalars = {}
    for name, buffer in state["log_scalars"].items():
        values, counts = buffer.data
        scalars[name] = {"values": values[-HISTORY:], "counts": counts[-HISTORY:]}
    info = {}
    for name, value in state["runtime_info"].items():
        if name in _TRANSIENT:
            continue
        try:
            info[name] = to_plain(value)
        except TypeError:  # an object that a hook shares; it ends with the process
            continue
    packed: dict[str, Any] = to_plain({"scalars": scalars, "info": info})
    return packed


def unpack_message_hub(hub: MessageHub, state: Mapping[str, Any]) -> None:
    """Put saved scalars and notes back into a message hub."""
    scalars = {
        name: HistoryBuffer(item["values"].numpy(), item["counts"].numpy(), max_length=HISTORY)
        for name, item in state["scalars"].items()
    }
    names = [*scalars, *state["info"]]
    hub.load_state_dict(
        {
            "log_scalars": scalars,
            "runtime_info": dict(state["info"]),
            "resumed_keys": dict.fromkeys(names, True),
        }
    )


@contextmanager
def averaged_weights(runner: Runner) -> Iterator[None]:
    """Within the block, the model has the EMA hook's weights, if there is such a hook."""
    hooks = [
        hook for hook in runner.hooks if isinstance(hook, EMAHook) and hasattr(hook, "ema_model")
    ]
    for hook in hooks:
        swap_averaged_weights(hook)
    try:
        yield
    finally:
        for hook in reversed(hooks):
            swap_averaged_weights(hook)
