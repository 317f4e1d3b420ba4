"""Spectral normalisation with the state-dict keys of published discriminators."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

# torch's current key suffixes, and those of published weights.
_NAMES = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}

Layer = TypeVar("Layer", bound=nn.Module)


class _Norm(parametrizations._SpectralNorm):
    """torch's, which also iterates where there are no numbers: on the device "meta"."""

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        # Each of its 15 first iterations runs a dozen operators that are decomposed in Python:
        # a second or more for a discriminator that is only asked for its least size.
        if not weight_mat.is_meta:
            super()._power_method(weight_mat, n_power_iterations)


def normalised(layer: Layer) -> Layer:
    """Keep the largest singular value of a convolution or linear layer at 1; return the layer.

    As :func:`torch.nn.utils.parametrizations.spectral_norm`, and cheap on the device "meta".

    Args:
        layer: The layer, whose weight is replaced.

    Source:
        Miyato, Kataoka, Koyama, Yoshida, Spectral Normalization for Generative Adversarial
        Networks, ICLR 2018.
    """
    dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # where its outputs are
    norm = _Norm(layer.get_parameter("weight"), dim=dim)
    parametrize.register_parametrization(layer, "weight", norm)
    return layer


def spectral_norm(layer: Layer) -> Layer:
    """Normalise a layer under the state-dict keys of published weights; return the layer.

    torch's older function stores ``weight_orig``, ``weight_u`` and ``weight_v``, but its layers
    cannot be copied. This is the newer one with the older keys, both in saving and loading.

    Args:
        layer: See :func:`normalised`.
    """
    normalised(layer)
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
