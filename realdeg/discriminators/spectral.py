"""Spectral normalisation with the state-dict keys of published discriminators."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrizations

# torch's current key suffixes, and those of published weights.
_NAMES = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}

Layer = TypeVar("Layer", bound=nn.Module)


def spectral_norm(layer: Layer) -> Layer:
    """Keep the largest singular value of a convolution or linear layer at 1; return the layer.

    torch's older function stores ``weight_orig``, ``weight_u`` and ``weight_v``, but its layers
    cannot be copied. This is the newer one with the older keys, both in saving and loading.

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
    # Every entry is re-inserted, so that the order stays the network's.
    for name in list(state):
        value = state.pop(name)
        state[names.get(name, name)] = value
