"""Spectral normalisation under the keys that published discriminators have."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrizations

# torch's present names, behind the layer's, and those of published weights.
_NAMES = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}

Layer = TypeVar("Layer", bound=nn.Module)


def spectral_norm(layer: Layer) -> Layer:
    """Keep a layer's greatest singular value at one.

    torch's older function stores ``weight_orig``, ``weight_u`` and ``weight_v`` but leaves layers
    that cannot be copied; this is the newer one with the older names, in both directions.

    Args:
        layer: A convolution or linear layer.

    Returns:
        The layer itself.

    Source:
        Miyato, Kataoka, Koyama, Yoshida, Spectral Normalization for Generative Adversarial
        Networks, ICLR 2018.
    """
    parametrizations.spectral_norm(layer)
    layer.register_state_dict_post_hook(_write)  # type: ignore[no-untyped-call]
    layer.register_load_state_dict_pre_hook(_read)  # type: ignore[no-untyped-call]
    return layer


def _write(module: nn.Module, state: MutableMapping[str, Tensor], prefix: str, data: Any) -> None:
    _rename(state, {prefix + ours: prefix + theirs for ours, theirs in _NAMES.items()})


def _read(module: nn.Module, state: MutableMapping[str, Tensor], prefix: str, *rest: Any) -> None:
    _rename(state, {prefix + theirs: prefix + ours for ours, theirs in _NAMES.items()})


def _rename(state: MutableMapping[str, Tensor], names: dict[str, str]) -> None:
    # Every entry is put back, so that the order stays the network's.
    for name in list(state):
        value = state.pop(name)
        state[names.get(name, name)] = value
