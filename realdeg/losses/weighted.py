"""Several losses at once, over one or many outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from annotated_types import MinLen
from torch import Tensor, nn

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.build import LossConfig, build_loss
from realdeg.registry import LOSSES


@runtime_checkable
class NamedOutputs(Protocol):
    """An object with named outputs, such as a backbone's ``Outputs``."""

    def named(self) -> dict[str, Tensor]:
        """Return the outputs by name, the image as ``"sr"``."""
        ...


@LOSSES.register_module()
class WeightedLoss(nn.Module):
    """A sum of named loss terms, over one or all outputs of a network.

    Args:
        terms: Configs of losses, such as ``dict(type='L1Loss', weight=1.0)``. A ``name`` beside
            ``type`` names the term; otherwise ``L1Loss`` is called ``loss_l1``. Names start with
            ``loss``, because mmengine sums only those.
        outputs: Weights of outputs by name or pattern, for instance
            ``{'sr': 0.5, 'recursion_*': 0.03}`` (multi-supervision). The first match counts;
            outputs without one are not compared. None compares all, each with weight 1.

    Raises:
        ConfigError: If there are no terms, or two of the same name.
    """

    takes_outputs: ClassVar[bool] = True
    """Outputs and targets are passed by name; other losses receive only the image."""

    def __init__(
        self,
        terms: Annotated[Sequence[LossConfig], MinLen(1)],
        outputs: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.names: list[str] = []
        self.losses = nn.ModuleList()
        for term in terms:
            settings = dict(term)
            name = settings.pop("name", None)
            loss = build_loss(settings)
            if isinstance(loss, WeightedLoss):
                raise ConfigError("WeightedLoss inside WeightedLoss: list all terms in one.")
            name = _term_name(type(loss).__name__) if name is None else str(name)
            name = name if name.startswith("loss") else f"loss_{name}"
            if name in self.names:
                raise ConfigError(f"WeightedLoss has two terms '{name}': give one a 'name'.")
            self.names.append(name)
            self.losses.append(loss)
        self.outputs = None if outputs is None else {k: float(v) for k, v in outputs.items()}

    def forward(
        self,
        prediction: Tensor | Mapping[str, Tensor] | NamedOutputs,
        target: Tensor | Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Compare every output with its target, by every term.

        Args:
            prediction: The image (B, C, H, W), or outputs by name with the image as ``"sr"``.
            target: The HR image, or targets by name; outputs without their own target are
                compared with that of ``"sr"``.

        Returns:
            The terms, weighted: ``loss_l1`` for the image, ``loss_l1.NAME`` for other outputs.

        Raises:
            ConfigError: If a pattern of ``outputs`` matches no output, or nothing is compared.
            GeometryError: If an output has no target.
        """
        predictions = _by_name(prediction)
        targets = {"sr": target} if isinstance(target, Tensor) else dict(target)
        result: dict[str, Tensor] = {}
        for output, weight in self._weights(list(predictions)).items():
            wanted = targets.get(output, targets.get("sr"))
            if wanted is None:
                raise GeometryError(
                    f"WeightedLoss has no target for the output '{output}': targets are"
                    f" {', '.join(targets) or 'empty'}."
                )
            for name, loss in zip(self.names, self.losses, strict=True):
                key = name if output == "sr" else f"{name}.{output}"
                result[key] = weight * loss(predictions[output], wanted)
        return result

    def _weights(self, names: list[str]) -> dict[str, float]:
        """Return the weight of every output that is compared."""
        if self.outputs is None:
            return dict.fromkeys(names, 1.0)
        for pattern in self.outputs:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigError(
                    f"outputs of WeightedLoss name '{pattern}', but the network returns"
                    f" {', '.join(names)}."
                )
        weights: dict[str, float] = {}
        for name in names:
            for pattern, weight in self.outputs.items():
                if fnmatchcase(name, pattern):
                    weights.setdefault(name, weight)
        if not weights:
            raise ConfigError("outputs of WeightedLoss is empty: nothing would be compared.")
        return weights


def _by_name(prediction: Tensor | Mapping[str, Tensor] | NamedOutputs) -> dict[str, Tensor]:
    if isinstance(prediction, Tensor):
        return {"sr": prediction}
    if isinstance(prediction, NamedOutputs):
        return prediction.named()
    return dict(prediction)


def _term_name(class_name: str) -> str:
    """Turn ``CrossEntropyLoss`` into ``loss_cross_entropy``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name.removesuffix("Loss"))
    return f"loss_{words.lower()}"
