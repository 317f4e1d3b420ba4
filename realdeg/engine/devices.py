"""The device of a run, and how its processes communicate."""

from __future__ import annotations

import datetime
import os
from typing import Any

import torch
from mmengine.dist import is_distributed
from torch import distributed
from torch.nn import functional as F

from realdeg.errors import ConfigError, first_line


def resolve_device(name: str | torch.device | None) -> torch.device:
    """Return an available device for what the user asked for.

    Args:
        name: For instance ``"cpu"``, ``"cuda:1"`` or ``"mps"``. None or ``"auto"`` takes the
            accelerator if there is one. Without an index, each process of a machine takes the
            accelerator with its ``LOCAL_RANK``.

    Raises:
        ConfigError: If the name is unknown, or the device is not available.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name is None or name == "auto":
        device = found or torch.device("cpu")
    else:
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise ConfigError(
                f"'{name}' is not a device: write cpu, cuda, cuda:1 or mps, or leave it out."
            ) from error
    if device.type == "cpu":
        return torch.device("cpu")
    if found is None or found.type != device.type:
        there = f"only cpu and {found.type}" if found else "only cpu"
        raise ConfigError(
            f"the device '{device}' is not available: this machine and this torch"
            f" ({torch.__version__}) offer {there}."
        )
    index = device.index
    if index is None:
        index = int(os.environ.get("LOCAL_RANK", 0))
    count = torch.accelerator.device_count()
    if index >= count:
        raise ConfigError(
            f"the device '{device.type}:{index}' is not available: found {count} of that type."
        )
    return torch.device(device.type, index)


def bfloat16_fault(device: torch.device) -> str:
    """Return why a device should not compute in bfloat16, or an empty string.

    Args:
        device: The device. A CPU needs instructions that oneDNN can use (AVX-512, AMX): without
            them bfloat16 is several times slower than float32. A CUDA device needs them too.
    """
    if device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "this processor has no instructions for it that oneDNN can use"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return f"{torch.cuda.get_device_name(device)} has no instructions for it"
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            image = torch.zeros(1, 1, 4, 4, device=device)
            F.conv2d(image, torch.zeros(1, 1, 3, 3, device=device))
    except (RuntimeError, ValueError, TypeError) as error:
        return first_line(error).rstrip(".")
    return ""


def start_processes(device: torch.device, options: dict[str, Any] | None = None) -> None:
    """Join the process group that ``torchrun`` sets up in the environment.

    Args:
        device: The device of this process. The CPU uses gloo, an accelerator its own backend.
        options: ``dist_cfg`` of the config: ``timeout`` (seconds), ``backend`` (accelerators
            only).

    Raises:
        ConfigError: If the variables that ``torchrun`` sets are missing.
    """
    missing = [name for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"launcher='pytorch' but {', '.join(missing)} is not set: start the run with"
            " `torchrun --nproc-per-node=N -m realdeg train CONFIG --launcher pytorch`."
        )
    options = dict(options or {})
    timeout = datetime.timedelta(seconds=float(options.get("timeout", 1800)))
    if device.type == "cpu":
        backend = "gloo"
    else:
        torch.accelerator.set_device_index(device.index)
        backend = options.get("backend") or distributed.get_default_backend_for_device(device)
    distributed.init_process_group(backend=backend, timeout=timeout)


def stop_processes() -> None:
    """Leave the process group, if there is one."""
    if is_distributed():
        distributed.destroy_process_group()


def agree(flag: bool, device: torch.device) -> bool:
    """Return whether ``flag`` is True in any process of the run; every process must call it.

    Args:
        flag: The flag of this process.
        device: The device of this process.
    """
    if not is_distributed():
        return flag
    answer = torch.tensor(float(flag), device=device)
    distributed.all_reduce(answer, op=distributed.ReduceOp.MAX)
    return bool(answer.item())
