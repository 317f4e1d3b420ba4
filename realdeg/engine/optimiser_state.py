"""What an optimiser's saved state has to be like for the optimiser to go on from it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from realdeg.errors import CheckpointError

WAY_OUT = (
    "Resume with the former settings, or begin anew from its weights: load_from={where} without"
    " --resume"
)


def unfit(name: str, where: str, fault: str) -> CheckpointError:
    """Return the error that a saved state is not this optimiser's.

    Args:
        name: The optimiser's name where there are several, or an empty text.
        where: The checkpoint.
        fault: What does not fit.
    """
    of = f" for {name}" if name else ""
    return CheckpointError(
        f"the optimiser state{of} in {where} does not fit the config's optimiser: {fault}."
        f" {WAY_OUT.format(where=where)}."
    )


def damaged(what: str, where: str) -> CheckpointError:
    """Return the error that a part of a checkpoint is not what a run writes.

    Args:
        what: The part.
        where: The checkpoint.
    """
    return CheckpointError(f"{what} in {where} is damaged: take another checkpoint.")


def odd_state(optimiser: torch.optim.Optimizer, fresh: list[dict[str, Any]]) -> str:
    """Say what an optimiser's step would stumble over, or silently take for its own.

    Args:
        optimiser: The optimiser, its state loaded.
        fresh: Its parameter groups as they were built, without the parameters.

    Returns:
        What is odd, or an empty text.
    """
    for group, new in zip(optimiser.param_groups, fresh, strict=True):
        for key, value in new.items():
            if _kind(group.get(key)) != _kind(value):
                return f"its '{key}' is {group.get(key)!r:.40}, wanted something like {value!r}"
    wanted = _state_of_a_step(optimiser)
    if wanted is None:
        return ""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            found = optimiser.state.get(parameter)
            if not found:
                continue  # never stepped
            if set(found) != set(wanted):
                return f"it holds {', '.join(map(str, found))}, wanted {', '.join(wanted)}"
            for key, alike in wanted.items():
                value = found[key]
                if isinstance(value, Tensor) != (alike is not None) or (
                    alike and value.shape != parameter.shape
                ):
                    return f"'{key}' is of another kind or size than its parameter"
    return ""


def _state_of_a_step(optimiser: torch.optim.Optimizer) -> dict[str, bool | None] | None:
    """Return the keys of a parameter's state: True as large as it, False no, None no tensor."""
    parameter = nn.Parameter(torch.zeros(3, 2))
    parameter.grad = torch.zeros(3, 2)
    own = {key: value for key, value in optimiser.param_groups[0].items() if key != "params"}
    own = {
        key: value for key, value in own.items() if key not in ("fused", "capturable", "foreach")
    }
    if isinstance(own.get("lr"), Tensor):
        own["lr"] = own["lr"].detach().cpu()
    build: Any = type(optimiser)
    try:
        trial = build([{"params": [parameter], **own}], lr=1e-3)
        trial.step()
    except Exception:  # an optimiser of a stranger's, or one that needs more: no opinion
        return None
    return {
        str(key): (value.shape == parameter.shape) if isinstance(value, Tensor) else None
        for key, value in trial.state[parameter].items()
    } or None


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "flag"
    if isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1):
        return "number"
    return "list" if isinstance(value, list | tuple) else type(value).__name__
