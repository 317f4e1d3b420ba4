"""What is known of one published file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# The protocols that most PSNR values were measured with.
Y_BORDER = "Y, border of the scale"
RGB_BORDER = "RGB, border of the scale"
MEASURED = "measured with realdeg; Y, border of the scale"


@dataclass(frozen=True)
class Pretrained:
    """One published file of weights.

    Attributes:
        type: The registered network that it fills.
        name: The name of the weights; several files may share it, each for other scales.
        scales: The scales that the file serves.
        page: Where it is published, and where its address was read.
        licence: As the publisher states it, or ``"not stated"``.
        trained_on: The training data and how LR was made; empty if unknown.
        file: The file's name in the cache.
        url: The file itself; None where it has to be downloaded by hand from ``page``.
        arguments: Arguments of the network, besides the scale.
        sha256: The file's SHA-256 in hexadecimal digits, or its first digits; None if unknown.
        hash_from: Who computed it: we, from the ``file`` itself; the ``publisher``, who put its
            first digits into the file's name; or ``others``, two or more projects that publish the
            same digits for that file.
        git_blob: The file's id in the publisher's Git repository, 40 hexadecimal digits, where its
            SHA-256 is unknown; None elsewhere.
        size: The file's length in bytes; None if unknown.
        set5: The PSNR in dB on Set5 for each of ``scales``, as its publisher reports it or
            as ``protocol`` states; None where neither is known.
        protocol: How ``set5`` was measured.
        note: Anything else that a user should know.
    """

    type: str
    name: str
    scales: tuple[int, ...]
    page: str
    licence: str
    trained_on: str
    file: str
    url: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    hash_from: Literal["file", "publisher", "others"] | None = None
    git_blob: str | None = None
    size: int | None = None
    set5: tuple[float | None, ...] = ()
    protocol: str = Y_BORDER
    note: str = ""

    @property
    def reference(self) -> str:
        """The name by which :func:`realdeg.create_backbone` finds it: ``SPAN:ntire2024``."""
        return f"{self.type}:{self.name}"

    def settings(self) -> dict[str, Any]:
        """Return the network's arguments, with the scale where the file serves only one."""
        scale = {"scale": self.scales[0]} if len(self.scales) == 1 else {}
        return {**scale, **self.arguments}

    def __str__(self) -> str:
        """Name it as messages do: ``SwinIR 'classical-df2k' x4``."""
        return f"{self.type} '{self.name}' {scales_text(self.scales)}"


def scales_text(scales: tuple[int, ...]) -> str:
    """Write scales as tables do.

    Args:
        scales: The scales.

    Examples:
        >>> scales_text((2, 3, 4)), scales_text((1,))
        ('x2, x3, x4', 'x1')
    """
    return ", ".join(f"x{scale}" for scale in scales)
