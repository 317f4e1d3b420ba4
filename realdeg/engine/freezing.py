"""Which tensors of a task are not trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from realdeg.engine.state import component_of, unwrapped
from realdeg.errors import ConfigError, nearest


class Frozen:
    """The parameters and normalisation statistics of a task that patterns name.

    Args:
        model: The task, which may be wrapped.
        patterns: Names of parameters or modules, with or without the component's name before them:
            ``"head"`` (all below it), ``"body.0.*"``, ``"discriminator.*"``.
        place: The patterns' key in the config, for messages.

    Raises:
        ConfigError: If a pattern matches nothing, naming the nearest, or if nothing is left to
            train of the task, or of one of its parts with an optimiser.
    """

    def __init__(self, model: nn.Module, patterns: Sequence[str], place: str) -> None:
        model = unwrapped(model)
        found = component_of(model)
        prefix = f"{found[0]}." if found else ""
        named = dict(model.named_parameters())
        buffers = dict(model.named_buffers())
        for pattern in patterns:
            if not any(_matches(name, prefix, pattern) for name in (*named, *buffers)):
                raise ConfigError(
                    f"'{place}' has {pattern!r}, which is the name of nothing in"
                    f" {type(model).__name__}.{nearest(pattern, _known([*named], prefix))}"
                )

        def frozen(name: str) -> bool:
            return any(_matches(name, prefix, pattern) for pattern in patterns)

        self.parameters = [value for name, value in named.items() if frozen(name)]
        self.norms = [
            module
            for name, module in model.named_modules()
            if isinstance(module, _NormBase)
            and module.running_mean is not None
            and frozen(f"{name}.running_mean")
        ]
        if len(self.parameters) == len(named):
            raise ConfigError(f"'{place}' leaves nothing to train: it matches every parameter.")
        for player in getattr(model, "players", ()):
            own = [name for name in named if name.startswith(f"{player}.")]
            if own and all(map(frozen, own)):
                raise ConfigError(
                    f"'{place}' leaves nothing to train of '{player}', which has an optimiser of"
                    f" its own in {type(model).__name__}: freeze parts of it."
                )

    def set_trained(self, trained: bool) -> None:
        """Have the parameters receive gradients, or not."""
        for parameter in self.parameters:
            parameter.requires_grad_(trained)

    def keep_statistics(self) -> None:
        """Have the normalisation layers use their statistics instead of updating them."""
        for module in self.norms:
            module.eval()

    def drop_gradients(self) -> None:
        """Remove gradients, so that an optimiser leaves the parameters as they are."""
        for parameter in self.parameters:
            parameter.grad = None


def _matches(name: str, prefix: str, pattern: str) -> bool:
    names = (name, name.removeprefix(prefix))
    return any(fnmatchcase(each, pattern) or each.startswith(f"{pattern}.") for each in names)


def _known(names: Sequence[str], prefix: str) -> list[str]:
    """Return the names of parameters and of the modules around them, without the component's."""
    return sorted({part for name in names for part in _outer(name.removeprefix(prefix))})


def _outer(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
