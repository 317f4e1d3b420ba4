"""Any architecture that spandrel recognises, as a backbone."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.ceiling import Ceiling, check_scale
from realdeg.backbones.parts.tracing import trace
from realdeg.backbones.weights import read_weights
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.component import FORMAT, refuse_non_finite
from realdeg.utils.tensor_file import open_tensors

UNKNOWN_HALO = 64
"""The overlap of tiles in LR pixels for networks whose receptive field cannot be traced."""

PROBE = (32, 40)
"""Height and width of the image on which a network is tried when it is built."""

REFUSED = {
    "Inpainting": "it fills holes and needs a mask beside the image",
    "FaceSR": "it restores faces of one size, not images of another size or subject",
}
# What networks and loaders raise on inputs that they were not made for.
FAULTS = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
)
COLOURS: dict[tuple[int, int], Colour] = {(1, 1): "y", (3, 3): "rgb"}


class Description(dict[str, Any]):
    """What is known about a community model, for a model card; one line as a string."""

    def __str__(self) -> str:
        tags = f" ({', '.join(self['tags'])})" if self["tags"] else ""
        return f"SpandrelModel, {self['architecture']}{tags} x{self['scale']}, {self['file']}"


@BACKBONES.register_module()
class SpandrelModel(Backbone):
    """A community network of any architecture that spandrel recognises by its weights.

    Needs the optional package (``pip install 'realdeg[spandrel]'``). The file is read here and
    none of its code is run; spandrel receives its tensors. Names in the state dict are spandrel's
    (for ESRGAN the oldest of three dialects), so files saved here open elsewhere. A
    ``backbone.safetensors`` written by training holds the network's own tensors and does not need
    the original file.

    Values are in [0, 1], whatever range the network uses inside. Sizes that it cannot process are
    padded by reflection, and the result is cropped.

    The halo is computed by tracing a call on a small image (:mod:`.parts.tracing`). It is unknown
    for networks with attention, windows or means over the image: these have ``whole_image`` and a
    halo of 64 pixels, so tiled results are an approximation.

    Args:
        file: The weights (required): ``.safetensors``, ``.pth``, ``.pt`` or ``.ckpt``, old pickles
            included.
        scale: The requested scale; None: the network's.
        same_size: The LR image lies on the HR grid: only for networks of x1, such as denoisers,
            for which ``scale`` then only states how much resolution was lost.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        ConfigError: If no file is given, or spandrel cannot be imported.
        CheckpointError: If the file is unreadable, not recognised, or not a network that maps an
            image to an image of the same colour.
        GeometryError: If the network has a different scale.

    Source:
        spandrel, https://github.com/chaiNNer-org/spandrel (MIT), and the authors of each network.
    """

    upsample = "post"
    brings_weights = True

    def __init__(
        self,
        file: str | os.PathLike[str] | None = None,
        scale: int | None = None,
        same_size: bool = False,
    ) -> None:
        if file is None:
            raise ConfigError(
                "SpandrelModel needs a file: give SpandrelModel(file='weights.pth'),"
                " or backbone.file=... on the command line."
            )
        import_spandrel()  # report a missing package before reading the file
        state = read_weights(file)
        refuse_non_finite(state, os.fspath(file))
        self._assemble(state, os.fspath(file), scale, same_size)
        self._metadata = _metadata(Path(file))

    @classmethod
    def rebuild(cls, arguments: Mapping[str, Any], state: Mapping[str, Tensor]) -> SpandrelModel:
        """Create the network from its tensors alone; ``file`` is only a name here."""
        network = cls.__new__(cls)
        network._assemble(
            state,
            str(arguments.get("file", "tensors in memory")),
            arguments.get("scale"),
            bool(arguments.get("same_size", False)),
        )
        network._metadata = {}
        return network

    @classmethod
    def example(cls) -> SpandrelModel:
        """Return a x2 SRVGGNetCompact of 3 hidden convolutions, 6 wide."""
        from realdeg.backbones.srvgg_compact import SRVGGNetCompact

        return cls.rebuild({"file": "example"}, SRVGGNetCompact.example().state_dict())

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, with the scale that was found."""
        return {"file": self._file, "scale": self.scale, "same_size": self.same_size}

    def describe(self) -> Description:
        """Return what is known about the network, as plain data for a model card.

        The licence is the one in the file's own metadata, or None: spandrel knows the licences of
        architectures, not of weights.
        """
        descriptor, need = self._descriptor, self._descriptor.size_requirements
        stated = (self._metadata.get(key) for key in ("modelspec.license", "license", "licence"))
        return Description(
            architecture=descriptor.architecture.name,
            id=str(descriptor.architecture.id),
            tags=[str(tag) for tag in descriptor.tags],
            purpose=str(descriptor.purpose),
            scale=int(descriptor.scale),
            channels=self.channels,
            minimum=int(need.minimum),
            multiple_of=int(need.multiple_of),
            square=bool(need.square),
            tiling=descriptor.tiling.name.lower(),
            half=bool(descriptor.supports_half),
            file=self._file,
            licence=next((text for text in stated if text), None),
            metadata=dict(self._metadata),
        )

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Rename tensors as spandrel does, or raise CheckpointError if it does not know them."""
        if state.keys() == self.state_dict().keys():
            return dict(state)
        return dict(detect(state, where).model.state_dict())

    def train(self, mode: bool = True) -> SpandrelModel:
        """Set the mode of the network as well, which is not a submodule."""
        super().train(mode)
        self._descriptor.model.training = mode
        return self

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        height, width = (side * self._descriptor.scale for side in lr.shape[-2:])
        if lr.shape[0] == 0:
            return lr.new_zeros(0, self.channels, height, width)
        padded = self._padded(lr)
        if self._one_by_one:
            sr = torch.cat([self._call(image) for image in padded.split(1)])
        else:
            sr = self._call(padded)
        return sr[..., :height, :width]

    def _call(self, image: Tensor) -> Tensor:
        # Some networks scale their input in place.
        return self._descriptor._call_fn(self._descriptor.model, image.clone())

    def _padded(self, lr: Tensor) -> Tensor:
        height, width = lr.shape[-2:]
        need = self._descriptor.size_requirements
        right, bottom = (0, 0) if need.none else need.get_padding(width, height)
        if not right and not bottom:
            return lr
        reflected = (0, min(right, width - 1), 0, min(bottom, height - 1))
        image = F.pad(lr, reflected, mode="reflect")
        return F.pad(image, (0, right - reflected[1], 0, bottom - reflected[3]), mode="replicate")

    def _assemble(
        self, state: Mapping[str, Tensor], file: str, scale: int | None, same_size: bool
    ) -> None:
        descriptor = detect(state, file)
        own = int(descriptor.scale)
        name = f"{descriptor.architecture.name} in {file}"
        fits = own == 1 if same_size else scale in (None, own)
        if not fits:
            asked = f"same_size=True (scale {scale})" if same_size else f"scale={scale}"
            form = " or same_size=True" if own == 1 else ""
            raise GeometryError(
                f"SpandrelModel: the {name} has scale {own} and {asked} is asked for: use"
                f" scale={own} with same_size=False{form}, or other weights."
            )
        channels = (int(descriptor.input_channels), int(descriptor.output_channels))
        # The weights determine the geometry.
        self.scales = (own,)
        self.same_size_form = "native" if own == 1 else None
        super().__init__(scale=own if scale is None else scale, same_size=same_size)
        self.colour = COLOURS[channels]
        self._file = Path(file).name
        self._descriptor = descriptor
        self._share()
        self._probe(name)
        self.train()

    def _share(self) -> None:
        """Share the network's tensors and submodules under their own names.

        Both modules hold the same dictionaries, so moving or replacing a tensor of one affects the
        other; a submodule would prepend its name to every key.
        """
        inner: nn.Module = self._descriptor.model
        for name in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            self.__dict__[name] = inner.__dict__[name]

    def _probe(self, name: str) -> None:
        """Try the network on small images: size, halo, randomness, batches."""
        self.eval()
        factor = int(self._descriptor.scale)
        pair = torch.rand(2, self.channels, *PROBE, generator=torch.Generator().manual_seed(0))
        pair = self._padded(pair.to(next(self.parameters())))
        try:
            traced, alone = trace(self._call, pair[:1], factor)
        except FAULTS as error:
            raise CheckpointError(
                f"the {name} cannot be run: on an image of {pair.shape[-2]} x {pair.shape[-1]}"
                f" pixels it ends with '{_first_line(error)}'."
            ) from error
        wanted = (1, self.channels, *(side * factor for side in pair.shape[-2:]))
        if alone.shape != wanted:
            raise CheckpointError(
                f"the {name} is declared as scale {factor}, but returns {tuple(alone.shape)} for"
                f" {tuple(pair[:1].shape)}: it cannot be used here."
            )
        if traced.random:
            raise CheckpointError(
                f"the {name} draws random numbers in every call, so no result could be reproduced:"
                " use another network."
            )
        try:
            # spandrel guarantees single images only: some networks fail on batches or mix images.
            with torch.no_grad():
                together = self._call(pair)[:1]
            self._one_by_one = not torch.allclose(together, alone, rtol=1e-3, atol=1e-3)
        except FAULTS:
            self._one_by_one = True
        required = int(self._descriptor.size_requirements.multiple_of)
        self.size_multiple = math.lcm(required, traced.multiple)
        self.whole_image = traced.halo is None
        self.halo = UNKNOWN_HALO if traced.halo is None else traced.halo


def import_spandrel() -> Any:
    """Import spandrel, or raise ConfigError that names what to install."""
    try:
        import spandrel
    except (ImportError, RuntimeError, OSError) as error:
        # A torchvision built for another torch raises RuntimeError or OSError.
        raise ConfigError(
            f"SpandrelModel needs spandrel, which cannot be imported ({_first_line(error)}):"
            " pip install 'realdeg[spandrel]'. It needs torchvision, whose version has to match"
            f" torch ({torch.__version__} here)."
        ) from error
    return spandrel


def detect(state: Mapping[str, Tensor], file: str) -> Any:
    """Let spandrel recognise a network, and refuse those that do not map image to image.

    Args:
        state: The state dict.
        file: Where it comes from, for messages.

    Returns:
        spandrel's ``ImageModelDescriptor``.

    Raises:
        ConfigError: If spandrel cannot be imported.
        CheckpointError: If the architecture is unknown or cannot be used here.
    """
    spandrel = import_spandrel()
    registry = spandrel.MAIN_REGISTRY
    try:
        with Ceiling(state, file):
            descriptor = registry.load(dict(state))
    except spandrel.UnsupportedModelError as error:
        raise CheckpointError(
            f"spandrel {_version()} recognises none of its {len(registry)} architectures in {file}"
            f" ({len(state)} tensors: {', '.join(list(state)[:4])}, ...).{_alike(state)}"
        ) from error
    except FAULTS as error:
        supports = registry.architectures("detection")
        taken = next((s.architecture.name for s in supports if s.detect(dict(state))), "a network")
        raise CheckpointError(
            f"spandrel {_version()} recognises {file} as {taken} and cannot load it"
            f" ({type(error).__name__}: {_first_line(error)}).{_alike(state)}"
        ) from error
    name = descriptor.architecture.name
    if descriptor.purpose in REFUSED:
        raise CheckpointError(
            f"{file} is a {name}, which cannot be used here: {REFUSED[descriptor.purpose]}."
        )
    channels = (descriptor.input_channels, descriptor.output_channels)
    if channels not in COLOURS:
        raise CheckpointError(
            f"{file} is a {name} from {channels[0]} to {channels[1]} channels: only networks from 3"
            " to 3 (RGB) or from 1 to 1 (Y) can be used here."
        )
    check_scale(descriptor.scale, f"{file} is a {name}")
    return descriptor


def _alike(state: Mapping[str, Tensor]) -> str:
    """Return a hint at realdeg's own network whose tensors have the most similar names, if any."""
    wanted = _patterns(state)
    best, name = 0.0, ""
    for candidate in BACKBONES.names():
        cls = BACKBONES.get(candidate)
        if cls is None or cls is SpandrelModel or not cls.__module__.startswith("realdeg."):
            continue
        own = _patterns(cls.example().state_dict())
        share = len(wanted & own) / max(len(wanted | own), 1)
        if share > best:
            best, name = share, candidate
    if best < 0.5:
        return ""
    return f" The names are those of realdeg's own {name}: use dict(type='{name}', checkpoint=...)."


def _patterns(state: Mapping[str, Any]) -> set[str]:
    return {re.sub(r"\d+", "#", name) for name in state}


def _metadata(file: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file that another program wrote."""
    if file.suffix.lower() != ".safetensors":
        return {}
    with open_tensors(file) as opened:
        found = dict(opened.metadata() or {})
    return {} if found.get("format") == FORMAT else found


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("spandrel")
    except PackageNotFoundError:
        return "(unknown version)"


def _first_line(error: BaseException) -> str:
    """Return an error's message in one line; torch's first line may only announce the second."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return " ".join(line.strip() for line in lines[: 2 if lines[0].endswith(":") else 1])
