"""The memory format and the compilation of a component, with a fall-back where they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from realdeg.errors import ConfigError, RealdegError, first_line

Say = Callable[..., None]
"""Logs a message: a ``%`` format and its arguments."""


def lay_out(model: nn.Module, memory_format: str | None, say: Say) -> None:
    """Lay the weights of a model out as asked; values and names stay the same.

    Args:
        model: The model, changed in place.
        memory_format: ``"channels_last"``: the channels of a pixel are neighbours in memory, and
            convolutions keep that layout for their results. ``"contiguous"`` or None: as it is.
        say: Reports why it could not be done.
    """
    if memory_format != "channels_last":
        return
    try:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    except RuntimeError as error:
        say("memory_format='channels_last' is not used: %s", first_line(error).rstrip("."))


def compile_component(module: nn.Module, options: Mapping[str, Any], say: Say) -> None:
    """Have a module train through ``torch.compile``, or as before where that fails.

    Only calls in training mode are compiled: validation images differ in size, and each size would
    be compiled anew. The names of the state dict do not change. A copy of the module is not
    compiled.

    Args:
        module: The module, changed in place.
        options: Arguments of ``torch.compile``.
        say: Reports why it could not be compiled.

    Raises:
        ConfigError: If the module is a Sequential, or an option names a program.
    """
    if isinstance(module, nn.Sequential):
        raise ConfigError(
            "compile_model: an nn.Sequential cannot be compiled in place (torch 2.13 silently"
            " does nothing); wrap it in another module."
        )
    for key, value in dict(options.get("options") or {}).items():
        if not isinstance(value, bool | int | float):  # strings there name programs to run
            raise ConfigError(
                f"'compile_model.options.{key}' is {value!r:.60}: only numbers, True and"
                " False are passed on."
            )
    name = type(module).__name__
    try:
        module.compile(**options)
    except RuntimeError as error:  # a Python or a system that torch.compile does not support
        say("%s is not compiled: %s", name, first_line(error).rstrip("."))
        return
    module._compiled_call_impl = GuardedCall(module, module._compiled_call_impl, say)
    say("%s is compiled at its first iteration, which takes long", name)


class GuardedCall:
    """Calls a compiled module, and the module itself once compiling it has failed.

    The first call in training is followed by a trial of the backward pass, which torch compiles
    separately. It changes neither gradients nor buffers nor random states.

    Args:
        module: The module.
        compiled: The compiled form of its call.
        say: Reports the failure.
    """

    def __init__(self, module: nn.Module, compiled: Any, say: Say) -> None:
        self.module, self.compiled, self.say = module, compiled, say
        self.failed = False
        self._tried = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        eager: Callable[..., Any] = self.module._call_impl
        if self.failed or not self.module.training:
            return eager(*args, **kwargs)
        try:
            if not self._tried and torch.is_grad_enabled():
                self._try(args, kwargs)
                self._tried = True
            return self.compiled(*args, **kwargs)
        except (RealdegError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever the compiler meets
            result = eager(*args, **kwargs)  # the module's own mistakes are raised here
            self.failed = True
            cause = getattr(error, "inner_exception", error)  # of an error of torch's compiler
            self.say(
                "%s is not compiled, training continues without: %s: %s",
                type(self.module).__name__,
                type(cause).__name__,
                first_line(cause).rstrip(".")[:300],
            )
            return result

    def _try(self, args: Any, kwargs: Any) -> None:
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]
        devices = {p.device for p in self.module.parameters() if p.device.type == "cuda"}
        try:
            with torch.random.fork_rng(devices=list(devices)):
                outputs = [t for t in _tensors(self.compiled(*args, **kwargs)) if t.requires_grad]
                if outputs and parameters:
                    total = torch.stack([output.float().sum() for output in outputs]).sum()
                    torch.autograd.grad(total, parameters, allow_unused=True)
        finally:
            with torch.no_grad():
                for buffer, former in buffers:
                    buffer.copy_(former)


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in what a module returns."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif hasattr(value, "__dict__"):
        yield from _tensors(vars(value))
