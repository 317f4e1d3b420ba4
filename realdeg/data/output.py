"""What an item of a data set looks like to a trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor
from torch.nn.functional import interpolate

from realdeg.errors import ConfigError, nearest

Fields: TypeAlias = Mapping[str, str]
"""A trainer's names, each with what it stands for, such as ``{"gt": "hr", "lq": "lr"}``."""

SOURCES = ("hr", "lr", "lr_enlarged", "key", "record")
"""What a field may stand for: ``hr`` and ``lr``, float32 in [0, 1] of shape (3, H, W); LR enlarged
to the size of HR by bicubic interpolation; the image's name; what is recorded of it (a trace)."""


class Output:
    """Turns a pair into what a data set returns.

    Args:
        fields: Names and what they stand for; None: the tuple ``(hr, lr)``.
        signed: Names of images that are returned in [-1, 1], as diffusion models take them.
        transform: Called last, with the tuple or dict.

    Raises:
        ConfigError: If a field stands for nothing, or a signed one is no image.
    """

    def __init__(
        self,
        fields: Fields | None,
        signed: tuple[str, ...],
        transform: Callable[[Any], Any] | None,
    ) -> None:
        self.fields = None if fields is None else dict(fields)
        self.signed = tuple(signed)
        self.transform = transform
        for name, source in (self.fields or {}).items():
            if source not in SOURCES:
                raise ConfigError(
                    f"the field '{name}' stands for {source!r}, but there are"
                    f" {', '.join(SOURCES)}.{nearest(str(source), set(SOURCES))}"
                )
        images = (
            {"hr", "lr"}
            if self.fields is None
            else {name for name, source in self.fields.items() if source in SOURCES[:3]}
        )
        for name in self.signed:
            if name not in images:
                raise ConfigError(
                    f"'signed' names '{name}', but the images are {', '.join(sorted(images))}."
                )

    @property
    def needs_record(self) -> bool:
        """Whether what is recorded of an image is wanted."""
        return self.fields is not None and "record" in self.fields.values()

    def __call__(self, hr: Tensor, lr: Tensor, key: str, record: Any) -> Any:
        """Return what a data set returns for a pair.

        Args:
            hr: Shape (3, H, W) in [0, 1].
            lr: Shape (3, h, w) in [0, 1].
            key: The image's name.
            record: What is recorded of it; {} if nothing is.
        """
        if self.fields is None:
            found: Any = tuple(
                _signed(image) if name in self.signed else image
                for name, image in (("hr", hr), ("lr", lr))
            )
        else:
            sources = {"hr": hr, "lr": lr, "key": key, "record": record}
            found = {}
            for name, source in self.fields.items():
                value = _enlarged(lr, hr) if source == "lr_enlarged" else sources[source]
                found[name] = _signed(value) if name in self.signed else value
        return found if self.transform is None else self.transform(found)


def _signed(image: Tensor) -> Tensor:
    return image * 2 - 1


def _enlarged(lr: Tensor, hr: Tensor) -> Tensor:
    if lr.shape == hr.shape:
        return lr
    size = (int(hr.shape[-2]), int(hr.shape[-1]))
    return interpolate(lr[None], size=size, mode="bicubic", align_corners=False)[0].clamp(0, 1)
