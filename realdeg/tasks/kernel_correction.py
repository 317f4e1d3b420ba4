"""Train the predictor and the corrector of IKC, by the results of a restorer that is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from realdeg.backbones import IKC
from realdeg.backbones.base import BackboneLike
from realdeg.backbones.running import network_input
from realdeg.degradations.base import DegradationLike
from realdeg.errors import ConfigError, DataError
from realdeg.losses.build import LossConfig
from realdeg.registry import BACKBONES, TASKS
from realdeg.tasks.base import Mode
from realdeg.tasks.blind_super_resolution import BlindSuperResolution
from realdeg.tasks.low_resolution import DegradeIn
from realdeg.tasks.player_checks import check_optimisers
from realdeg.tasks.players import optimisers_of, take_step
from realdeg.utils.argument_types import RealScale
from realdeg.utils.samples import Batch

_PLAYERS = ("predictor", "corrector")


class Turn(TypedDict):
    """What one step is computed from.

    Attributes:
        lr: The network's input (B, 3, h, w).
        target: The true codes (B, K).
        code: The present codes (B, K); not for the predictor.
    """

    lr: Tensor
    target: Tensor
    code: Tensor | None


@TASKS.register_module()
class KernelCorrection(BlindSuperResolution):
    """Trains IKC's two estimators of the kernel's code; its restorer is frozen.

    In each iteration the predictor takes one step, then the corrector one for each correction: the
    restorer makes the image of the present code, the corrector's result is compared with the true
    code, and is the present code of the next step. Each has an optimiser::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            predictor_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
            corrector_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
        )

    Validation measures the image after the last correction.

    Args:
        backbone: Config, path or object of an :class:`~realdeg.backbones.IKC`, whose restorer is
            trained (``start_from`` an SFTMD).
        degradation: Config, path or object; each image has one kernel, of the network's size.
        kernel_loss: Config of the loss of a code. The authors' is the squared error.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR is clipped and rounded to 8 bit, as in files.
        degrade_in: Where training images are degraded, as for :class:`SuperResolution`.

    Raises:
        ConfigError: If the network is another, or the degradation has no kernel.
        GeometryError: If degradation and backbone differ in geometry, or in the kernel's size.

    Source:
        Gu, Lu, Zuo, Dong, Blind Super-Resolution with Iterative Kernel Correction, CVPR 2019;
        yuanjunchai/IKC (codes/train_IKC.py, 2a846cf).
    """

    own_losses: ClassVar[tuple[str, ...]] = ("loss_predictor", "loss_corrector")
    players: ClassVar[tuple[str, ...]] = _PLAYERS
    """The parts with an optimiser of their own."""

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike | None = None,
        kernel_loss: LossConfig = {"type": "MSELoss"},  # noqa: B006 - never changed
        scale: RealScale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
        degrade_in: DegradeIn = "device",
    ) -> None:
        super().__init__(
            backbone,
            degradation,
            kernel_loss=kernel_loss,
            scale=scale,
            same_size=same_size,
            quantise=quantise,
            degrade_in=degrade_in,
        )
        if not isinstance(self.backbone, IKC):
            raise _other_network(type(self.backbone).__name__, "'model.backbone'")
        self.network = (self.backbone,)  # a tuple hides it from the module's parts
        self.backbone.restorer.requires_grad_(False)

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse other networks, and optimisers that are not those of the two parts.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        super().check_recipe(cfg)
        check_optimisers(cfg, cls.__name__, _PLAYERS)
        network = cfg.get("backbone")
        if not isinstance(network, Mapping) or "type" not in network:
            return
        kind = BACKBONES.get(network["type"])
        if isinstance(kind, type) and not issubclass(kind, IKC):
            raise _other_network(kind.__name__, "'backbone'")

    @property
    def predictor(self) -> nn.Module:
        """IKC's predictor."""
        return self.network[0].predictor

    @property
    def corrector(self) -> nn.Module:
        """IKC's corrector."""
        return self.network[0].corrector

    def train(self, mode: bool = True) -> KernelCorrection:
        """Set the mode; the restorer stays as in evaluation."""
        super().train(mode)
        self.network[0].restorer.eval()
        return self

    def forward(self, batch: Any, mode: Mode | str = "tensor") -> Any:
        """Process a batch.

        Args:
            batch: A batch of HR images, or the :class:`Turn` of a part.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; ``"predictor"`` or
                ``"corrector"`` for the loss of a part's turn, and the ``code`` that it makes.

        Returns:
            As ``mode`` says.
        """
        if mode == "predictor":
            code = self.predictor(batch["lr"])
        elif mode == "corrector":
            with torch.no_grad():
                image = self.network[0].restored(batch["lr"], batch["code"])
            code = self.corrector(image.clamp(0, 1), batch["code"])
        else:
            return super().forward(batch, mode)  # type: ignore[arg-type]
        return {f"loss_{mode}": self.kernel_loss(code, batch["target"]), "code": code.detach()}

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the predictor once and the corrector once for each correction.

        Returns:
            ``loss_predictor``, and ``loss_corrector``, the mean over the corrections.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the two optimisers by name.
            DataError: If the batch holds real pairs, whose kernels are unknown.
        """
        wrappers = optimisers_of(self, optim_wrapper, _PLAYERS)
        (batch,) = self.data_preprocessor(data, True)
        turn = self._turn(batch)
        losses: dict[str, list[Tensor]] = {}
        for player in ("predictor", *["corrector"] * (self.network[0].rounds - 1)):
            with wrappers[player].optim_context(self):
                # Called as a module, so that hooks see the losses.
                found = self(turn, mode=player)
            turn["code"] = found.pop("code").to(turn["lr"])
            take_step(wrappers[player], found, getattr(self, player).parameters())
            losses.setdefault(f"loss_{player}", []).append(found[f"loss_{player}"].detach())
        return {name: torch.stack(values).mean() for name, values in losses.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of both parts without a step in between, for inspection."""
        turn = self._turn(batch)
        found: dict[str, Tensor] = {}
        terms = []
        for player in ("predictor", *["corrector"] * (self.network[0].rounds - 1)):
            made = self(turn, mode=player)
            turn["code"] = made.pop("code").to(turn["lr"])
            if player == "predictor":
                found |= made
            else:
                terms += list(made.values())
        return found | {"loss_corrector": torch.stack(terms).mean()}

    def _turn(self, batch: Batch) -> Turn:
        target = self.kernel_targets(batch)
        if target is None:
            raise DataError(
                "KernelCorrection learns from LR that it makes itself, and this batch holds real"
                " pairs, whose kernels are unknown: take a data set of HR images."
            )
        lr = network_input(self.backbone, self.low_resolution(batch))
        return {"lr": lr, "target": target.to(lr), "code": None}


def _other_network(name: str, place: str) -> ConfigError:
    return ConfigError(
        f"{place} is {name}, and KernelCorrection trains the predictor and the corrector of IKC:"
        " take backbone=dict(type='IKC'), or the task BlindSuperResolution."
    )
