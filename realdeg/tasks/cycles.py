"""What a task of networks that undo each other is made of: its parts, images and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from realdeg.backbones.base import Backbone, BackboneLike
from realdeg.backbones.build import backbone_from_config
from realdeg.backbones.running import run_backbone
from realdeg.degradations import Degradation
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.errors import ConfigError
from realdeg.tasks.discriminators import check_colour, discriminator_from_config
from realdeg.tasks.players import Opponent
from realdeg.tasks.unpaired_losses import real_lr
from realdeg.utils.colour import to_colour
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.samples import Batch

_WEIGHTS = ("checkpoint", "pretrained", "start_from")


@dataclass(frozen=True)
class Direction:
    """What judges the images that a network made of another collection's.

    Args:
        name: Its name in the log: ``"inner"`` makes ``loss_inner_gan``, ``loss_inner_cycle``,
            ``loss_inner_identity`` and ``loss_inner_alone``.
        opponent: The discriminator of the collection that the network leads to.
        cycle: Compares an image, after the network and the way back, with itself.
        identity: Compares an image of the other collection with what the network makes of it.
        alone: Judges the made image alone, as total variation does; None: nothing does. A loss
            whose ``weight`` is 0 is not computed, here and above.
    """

    name: str
    opponent: Opponent
    cycle: nn.Module
    identity: nn.Module
    alone: nn.Module | None = None

    def losses(
        self,
        made: Tensor,
        given: Tensor,
        wanted: Tensor,
        back: Callable[[Tensor], Tensor],
        same: Callable[[], Tensor],
        identity_factor: float = 1.0,
    ) -> dict[str, Tensor]:
        """Return the losses of the networks of this direction, weighted, by name.

        Args:
            made: What the network made of ``given``, (B, C, H, W).
            given: Images of the collection that it comes from, (B, C, h, w).
            wanted: Images of the collection that it leads to, (B, C, H, W).
            back: The way back, from the shape of ``made`` to that of ``given``.
            same: Returns what the network makes of images that it should make ``wanted`` of.
            identity_factor: Another factor of the identity loss.
        """
        found = {"gan": self.opponent.against(made, lambda: wanted)}
        if _counts(self.cycle):
            found["cycle"] = self.cycle(back(made), given)
        if _counts(self.identity) and identity_factor:
            found["identity"] = identity_factor * self.identity(same(), wanted)
        if self.alone is not None and _counts(self.alone):
            found["alone"] = self.alone(made, wanted)
        return {f"loss_{self.name}_{name}": value for name, value in found.items()}


def _counts(loss: nn.Module) -> bool:
    return getattr(loss, "weight", 1) != 0


def given_images(
    batch: Batch, colour: str, reduction: Degradation, quantise: bool = True
) -> dict[str, Tensor]:
    """Return the images of both collections.

    Args:
        batch: With ``hr`` and ``real_lr``.
        colour: ``"rgb"`` or ``"y"``: what they are converted to.
        reduction: Makes clean LR of HR.
        quantise: Whether clean LR is clipped and rounded to 8 bit, as in files.

    Returns:
        ``hr``, ``clean_lr`` and ``real_lr``.

    Raises:
        DataError: If real LR is missing, or of another size than clean LR.
    """
    hr = to_colour(batch["hr"], colour)
    clean = reduction(hr, batch["seeds"])
    real = real_lr(batch, colour, clean, "reduced HR patches")
    return {"hr": hr, "clean_lr": round_to_8_bit(clean) if quantise else clean, "real_lr": real}


def check_parts(task: str, backbone: Backbone) -> None:
    """Refuse a backbone of one part.

    Args:
        task: The task's type, for messages.
        backbone: Its backbone.

    Raises:
        ConfigError: Naming what would fit.
    """
    if not (hasattr(backbone, "cleaner") and hasattr(backbone, "enlarger")):
        raise ConfigError(
            f"{task}: the backbone is {type(backbone).__name__}, which has no cleaner and no"
            " enlarger: take dict(type='CleanThenEnlarge', cleaner=..., enlarger=...)."
        )


def way_back(network: BackboneLike, backbone: Backbone, place: str) -> Backbone:
    """Build a network that keeps the size, in the backbone's colour.

    Args:
        network: Config, path or object.
        backbone: The task's backbone.
        place: The network's place in the config, for messages.

    Raises:
        ConfigError: If its colour is another one.
    """
    if not isinstance(network, Backbone):
        network = backbone_from_config(network, scale=1, same_size=False)
    if network.colour != backbone.colour:
        raise ConfigError(
            f"'{place}' works on colour '{network.colour}' and the backbone on"
            f" '{backbone.colour}': set {place}.colour='{backbone.colour}'."
        )
    return network


def judge_for(
    discriminator: DiscriminatorLike, backbone: Backbone, task: str, part: str
) -> nn.Module:
    """Build a discriminator of images in the backbone's colour.

    Args:
        discriminator: Config or object.
        backbone: The task's backbone.
        task: The task's type, for messages.
        part: The discriminator's part of the task.

    Raises:
        ConfigError: If it takes another number of channels.
    """
    built = discriminator_from_config(discriminator, part)
    check_colour(built, backbone.colour, type(backbone).__name__, task, part)
    return built


def translated(network: Backbone, lr: Tensor) -> Tensor:
    """Return what a network makes of images (B, C, h, w) in [0, 1], not clipped."""
    return run_backbone(network, lr).sr


def names_weights(backbone: object) -> bool:
    """Return whether the network that enlarges has weights, as far as a config says.

    Args:
        backbone: Config of ``CleanThenEnlarge``; a path or an object passes.
    """
    if not isinstance(backbone, Mapping):
        return True
    parts = (backbone, backbone.get("enlarger", {}))
    return any(
        not isinstance(part, Mapping) or any(part.get(key) for key in _WEIGHTS) for part in parts
    )
