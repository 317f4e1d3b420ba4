"""Several losses at once, over one or many outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Protocol, runtime_checkable

from annotated_types import MinLen
from torch import Tensor, nn

from realdeg.errors import ConfigError, GeometryError, nearest
from realdeg.losses.build import TARGETS, TermConfig, build_loss, names_image, needs_of, pictures_of
from realdeg.registry import LOSSES
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import NonNegative

# What the keys of a term hold that its loss does not see.
_KEYS: dict[str, Any] = {
    "name": str | None,
    "outputs": Annotated[Mapping[str, NonNegative], MinLen(1)] | None,
}
# In the log a name is followed by a dot and an output, in a schedule it stands for an index.
_NAME = re.compile(r"(?!\d+$)[\w\- ]+")


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
        terms: Configs of losses, such as ``dict(type='L1Loss', weight=1.0)``, each with further
            keys. ``name`` names the term; otherwise ``L1Loss`` is called ``loss_l1``. Names start
            with ``loss``, because mmengine sums only those. ``target`` is the picture that the
            term is compared with: ``"hr"``, or ``"sharpened"`` for HR after unsharp masking, as
            Real-ESRGAN does. ``outputs`` holds for this term in place of the argument below.
        outputs: Weights of outputs by name or pattern, for instance
            ``{'sr': 0.5, 'recursion_*': 0.03}`` (multi-supervision). The first match counts;
            outputs without one are not compared. None compares all, each with weight 1.

    Raises:
        ConfigError: If there are no terms, two of the same name, a term that is no image loss, or
            an unknown target.
    """

    kind: ClassVar[str] = "image"

    takes_outputs: ClassVar[bool] = True
    """Outputs and targets are passed by name; other losses receive only the image."""

    scheduled: ClassVar[tuple[str, ...]] = ("outputs",)
    """The arguments that a schedule may change over a run."""

    def __init__(
        self,
        terms: Annotated[Sequence[TermConfig], MinLen(1)],
        outputs: Annotated[Mapping[str, NonNegative], MinLen(1)] | None = None,
    ) -> None:
        super().__init__()
        self.check_config({"terms": terms, "outputs": outputs})
        self.names: list[str] = []
        self.targets: list[str] = []
        self.own_outputs: list[dict[str, float] | None] = []
        self.losses = nn.ModuleList()
        for number, term in enumerate(terms):
            settings = dict(term)
            name, target = settings.pop("name", None), settings.pop("target", "hr")
            own = settings.pop("outputs", None)
            loss = build_loss(settings, "image", f"terms.{number}")
            name = _full_name(type(loss).__name__, name)
            if name in self.names:
                raise ConfigError(f"WeightedLoss has two terms '{name}': give one a 'name'.")
            self.names.append(name)
            self.targets.append(target)
            self.own_outputs.append(
                own if own is None else {str(k): float(v) for k, v in own.items()}
            )
            self.losses.append(loss)
        self.outputs = None if outputs is None else {str(k): float(v) for k, v in outputs.items()}

    @classmethod
    def check_config(cls, settings: Mapping[str, Any], place: str = "") -> None:
        """Refuse terms that contradict each other, when a config is read.

        Args:
            settings: The arguments.
            place: The loss's place in the config, for messages.

        Raises:
            ConfigError: Naming the term and its place.
        """
        at = f"{place}.terms" if place else "terms"
        found: dict[str, int] = {}
        for number, term in enumerate(settings.get("terms") or ()):
            name = _class_name(term.get("type"))
            if _is_weighted(term.get("type")):
                raise ConfigError(
                    f"'{at}.{number}' is a WeightedLoss inside WeightedLoss: list all terms in one."
                )
            target = term.get("target", "hr")
            if target not in TARGETS:
                raise ConfigError(
                    f"'{at}.{number}.target' is {target!r:.80}, wanted"
                    f" {' or '.join(map(repr, TARGETS))}: the picture that the term is compared"
                    f" with.{nearest(str(target), TARGETS)}"
                )
            for key, wanted in _KEYS.items():
                wrong = mismatch(term.get(key), wanted)
                if wrong:
                    raise ConfigError(f"'{at}.{number}.{key}' {wrong}.")
            given = term.get("name")
            if given is not None and not _NAME.fullmatch(given):
                raise ConfigError(
                    f"'{at}.{number}.name' is {given!r:.80}, wanted letters, digits and"
                    " underscores, not digits alone: such as 'texture'."
                )
            outputs = settings.get("outputs") if term.get("outputs") is None else term["outputs"]
            pictures = pictures_of(term)
            if pictures and outputs is not None and not names_image(outputs):
                given = ", ".join(map(str, outputs))
                raise ConfigError(
                    f"'{at}.{number}' needs the picture '{pictures[0]}', so it judges the image"
                    f" 'sr' alone, to which outputs gives no weight: {given}."
                )
            name = _full_name(name, term.get("name"))
            if name in found:
                raise ConfigError(
                    f"WeightedLoss has two terms '{name}', '{at}.{found[name]}' and"
                    f" '{at}.{number}': give one another 'name'."
                )
            found[name] = number

    @classmethod
    def term_names(cls, terms: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the names of configured terms, as in the log."""
        return [_full_name(_class_name(term.get("type")), term.get("name")) for term in terms]

    @property
    def references(self) -> frozenset[str]:
        """The pictures beside HR that the terms need: of ``"sharpened"`` and ``"averaged"``."""
        return frozenset(
            name
            for target, loss in zip(self.targets, self.losses, strict=True)
            for name in (*needs_of(loss), *(() if target == "hr" else (target,)))
        )

    def forward(
        self,
        prediction: Tensor | Mapping[str, Tensor] | NamedOutputs,
        target: Tensor | Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Compare every output with its target, by every term.

        Args:
            prediction: The image (B, C, H, W), or outputs by name with the image as ``"sr"``.
            target: The HR image, or targets by name; outputs without their own target are
                compared with that of ``"sr"``. The pictures of :attr:`references` are among them,
                of the shape and range of ``"sr"``; terms that need one judge only the image.

        Returns:
            The terms, weighted: ``loss_l1`` for the image, ``loss_l1.NAME`` for other outputs.

        Raises:
            ConfigError: If a pattern of ``outputs`` matches no output, nothing is compared, or a
                picture that a term needs is not given.
            GeometryError: If an output has no target.
        """
        predictions = _by_name(prediction)
        targets = {"sr": target} if isinstance(target, Tensor) else dict(target)
        names = list(predictions)
        shared = self._weights(names, self.outputs) if None in self.own_outputs else {}
        chosen = [shared if own is None else self._weights(names, own) for own in self.own_outputs]
        result: dict[str, Tensor] = {}
        for output in names:
            for number, weights in enumerate(chosen):
                if output in weights:
                    found = self._compared(number, output, predictions[output], targets)
                    result |= {key: weights[output] * value for key, value in found.items()}
        return result

    def _compared(
        self, number: int, output: str, prediction: Tensor, targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return a term's loss of one output, by its name in the log; or nothing."""
        name, picture, loss = self.names[number], self.targets[number], self.losses[number]
        wanted, needs = targets.get(output, targets.get("sr")), needs_of(loss)
        if wanted is None:
            raise GeometryError(
                f"WeightedLoss has no target for the output '{output}': targets are"
                f" {', '.join(targets) or 'empty'}."
            )
        if output == "sr":
            reference = wanted if picture == "hr" else _given(targets, picture, name)
            extra = {need: _given(targets, need, name) for need in needs}
            return {name: loss(prediction, reference, **extra)}
        if picture == "hr" and not needs:
            return {f"{name}.{output}": loss(prediction, wanted)}
        return {}

    def term(self, name: str) -> nn.Module:
        """Return a term's loss.

        Args:
            name: Its index from 0, or its name with or without ``loss_``.

        Raises:
            ConfigError: If there is no such term.
        """
        if name.isdigit() and int(name) < len(self.names):
            return self.losses[int(name)]
        full = name if name.startswith("loss") else f"loss_{name}"
        if full not in self.names:
            raise ConfigError(f"WeightedLoss has no term '{name}': it has {', '.join(self.names)}.")
        return self.losses[self.names.index(full)]

    @staticmethod
    def _weights(names: list[str], outputs: Mapping[str, float] | None) -> dict[str, float]:
        """Return the weight of every output that is compared."""
        if outputs is None:
            return dict.fromkeys(names, 1.0)
        for pattern in outputs:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigError(
                    f"outputs of WeightedLoss name '{pattern}', but the network returns"
                    f" {', '.join(names)}."
                )
        weights: dict[str, float] = {}
        for name in names:
            for pattern, weight in outputs.items():
                if fnmatchcase(name, pattern):
                    weights.setdefault(name, weight)
        if not weights:
            raise ConfigError("outputs of WeightedLoss is empty: nothing would be compared.")
        return weights


def _is_weighted(kind: Any) -> bool:
    found = LOSSES.get(kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, WeightedLoss)


def _given(targets: Mapping[str, Tensor], name: str, term: str) -> Tensor:
    if name not in targets:
        raise ConfigError(
            f"the term '{term}' needs the picture '{name}', which the task did not give: it gave"
            f" {', '.join(targets)}. Remove the term, or choose a task that makes the picture."
        )
    return targets[name]


def _by_name(prediction: Tensor | Mapping[str, Tensor] | NamedOutputs) -> dict[str, Tensor]:
    if isinstance(prediction, Tensor):
        return {"sr": prediction}
    if isinstance(prediction, NamedOutputs):
        return prediction.named()
    return dict(prediction)


def _class_name(kind: Any) -> str:
    return str(kind).rpartition(".")[2] if isinstance(kind, str) else getattr(kind, "__name__", "")


def _full_name(class_name: str, name: Any = None) -> str:
    """Return a term's name; ``CrossEntropyLoss`` becomes ``loss_cross_entropy``."""
    if name is None:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name.removesuffix("Loss"))
        return f"loss_{words.lower()}"
    return str(name) if str(name).startswith("loss") else f"loss_{name}"
