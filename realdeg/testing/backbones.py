"""The contract of super-resolution networks."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from realdeg.backbones import Backbone, Outputs
from realdeg.backbones.base import Colour, SameSizeForm, Upsample
from realdeg.backbones.build import backbone_from_config
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES
from realdeg.testing.contract import Contract
from realdeg.testing.network_outputs import reach, size_of_outputs, sr
from realdeg.utils.component import save_component

SIZES = [(1, 1), (1, 6), (3, 5), (7, 4), (9, 16)]


class BackboneContract(Contract, page="docs/your_own_backbone.md"):
    """What every network promises to tasks, tiles, files and exports.

    Without ``arguments`` the network under test is the class's own ``example()``.
    """

    component: type[Backbone]
    registry = BACKBONES

    @pytest.fixture
    def backbone(self) -> Backbone:
        """The network under test, with random weights, in evaluation mode."""
        torch.manual_seed(0)
        if self.arguments:
            return self.component(**self.arguments).eval()
        return self.component.example().eval()

    def test_metadata_are_valid(self, backbone: Backbone) -> None:
        """The metadata that tasks, tiles and configs read from the class are valid.

        The docstring names its ``Source:``, and `example()` is tiny.
        """
        assert isinstance(backbone, Backbone)
        assert backbone.colour in get_args(Colour)
        assert backbone.value_range in (1.0, 255.0)
        assert backbone.upsample in get_args(Upsample)
        assert backbone.same_size_form in (None, *get_args(SameSizeForm))
        assert backbone.scales is None or all(isinstance(s, int) for s in backbone.scales)
        assert isinstance(backbone.size_multiple, int) and backbone.size_multiple >= 1
        assert isinstance(backbone.halo, int) and backbone.halo >= 1
        assert isinstance(backbone.whole_image, bool)
        assert isinstance(backbone.needs, tuple)
        assert isinstance(backbone.scale, int) and isinstance(backbone.same_size, bool)
        assert isinstance(backbone.any_scale, bool) and isinstance(backbone.teacher_forced, bool)
        assert not (backbone.any_scale and backbone.scales), "any_scale, or these scales?"
        assert "Source:" in (type(backbone).__doc__ or ""), "the docstring names no source"
        assert sum(p.numel() for p in backbone.parameters()) < 100_000, "example() is not tiny"

    def test_arguments_rebuild_it(self, backbone: Backbone) -> None:
        """Constructor arguments are plain values, and rebuild the network."""
        arguments = json.loads(json.dumps(backbone.arguments))
        assert arguments == backbone.arguments
        again = type(backbone).rebuild(arguments, backbone.state_dict())
        again.load_state_dict(backbone.state_dict())
        lr = images(backbone, 1, 5, 6)
        assert torch.equal(sr(again.eval()(lr)), sr(backbone(lr)))

    def test_output_size_in_every_geometry(self, backbone: Backbone) -> None:
        """Any height and width works, down to one pixel, and gives the size of `output_size`."""
        for geometry in geometries(backbone):
            network = rebuilt(backbone, **geometry)
            for height, width in SIZES:
                lr = images(network, 1, height, width)
                with torch.no_grad():
                    output = sr(network(lr))
                wanted = network.output_size(height, width)
                assert output.shape == (1, network.channels, *wanted), (geometry, height, width)
                assert output.isfinite().all()

    def test_refuses_other_geometries(self, backbone: Backbone) -> None:
        """A scale or `same_size` that the metadata do not list is refused with a clear message."""
        with pytest.raises(GeometryError):
            rebuilt(backbone, scale=0)
        if backbone.scales is not None:
            with pytest.raises(GeometryError, match=type(backbone).__name__):
                rebuilt(backbone, scale=max(backbone.scales) + 3, same_size=False)
        if backbone.same_size_form is None:
            with pytest.raises(GeometryError, match="same_size=False"):
                rebuilt(backbone, same_size=True)

    def test_refuses_other_colours(self, backbone: Backbone) -> None:
        """An image with another number of channels is refused with a clear message."""
        lr = torch.zeros(1, 4 - backbone.channels, 5, 5)
        with pytest.raises(GeometryError) as caught:
            backbone(lr)
        name = type(backbone).__name__
        assert str(caught.value) == (
            f"{name} works on colour '{backbone.colour}' and takes (B, {backbone.channels}, h, w),"
            f" got {tuple(lr.shape)}: convert the image, or build {name} with the other colour."
        )

    def test_any_network_may_be_told_scale_and_condition(self, backbone: Backbone) -> None:
        """``forward`` takes the image and what the network uses of ``scale`` and ``cond``.

        A caller may pass either to any network: the call passes on what ``forward`` names.
        """
        takes = list(inspect.signature(type(backbone).forward).parameters)
        assert takes[:2] == ["self", "lr"] and {*takes[2:]} <= {"scale", "cond"}
        lr = images(backbone, 1, 5, 6)
        with torch.no_grad():
            assert torch.equal(sr(backbone(lr, scale=backbone.scale)), sr(backbone(lr)))
        if "cond" not in takes:
            assert torch.equal(sr(backbone(lr, cond=torch.zeros(1, 2))), sr(backbone(lr)))

    def test_maps_of_codes(self, backbone: Backbone) -> None:
        """A map of equal codes means the same as one of them; a map of another size is refused."""
        if not backbone.takes_map:
            return
        lr = images(backbone, 1, 9, 8)
        code = backbone.condition_of({})
        assert code is not None and code.ndim == 1
        size = backbone.output_size(9, 8)
        maps = code[None, :, None, None].expand(-1, -1, 9, 8)
        with torch.no_grad():
            torch.testing.assert_close(
                sr(backbone(lr, cond=maps)), sr(backbone(lr, cond=code[None]))
            )
            changed = maps.clone()
            changed[..., 0, 0] += 1
            differs = sr(backbone(lr, cond=changed)) - sr(backbone(lr, cond=maps))
        assert differs.shape[-2:] == size and differs[..., : size[0] // 2, : size[1] // 2].any()
        with pytest.raises(GeometryError):
            backbone(lr, cond=maps[..., :-1])

    @pytest.mark.parametrize("batch", [0, 1, 3])
    def test_batches(self, backbone: Backbone, batch: int) -> None:
        """Batches of any size work, including empty ones."""
        lr = images(backbone, batch, 5, 7).requires_grad_()
        output = sr(backbone(lr))
        assert output.shape[0] == batch
        if batch:  # torch's pixel shuffle has no backward for empty batches
            output.sum().backward()

    def test_an_image_does_not_depend_on_its_batch(self, backbone: Backbone) -> None:
        """An image gives the same result alone and in a batch."""
        lr = images(backbone, 3, 6, 5)
        with torch.no_grad():
            together = sr(backbone(lr))
            alone = torch.cat([sr(backbone(lr[i : i + 1])) for i in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5 * backbone.value_range)

    def test_gradients_reach_every_parameter(self, backbone: Backbone) -> None:
        """Every trainable parameter and the input get a gradient."""
        lr = images(backbone.train(), 3, 9, 8).requires_grad_()
        size_of_outputs(backbone(lr)).backward()  # type: ignore[no-untyped-call]
        for name, parameter in backbone.named_parameters():
            if not parameter.requires_grad:
                continue  # published tensors that are not used
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
            assert parameter.grad.isfinite().all(), name
        assert lr.grad is not None and lr.grad.abs().sum() > 0

    def test_eval_is_deterministic_and_leaves_its_input(self, backbone: Backbone) -> None:
        """In evaluation, equal inputs give equal outputs; the input is not changed."""
        lr = images(backbone, 2, 7, 6)
        before = lr.clone()
        with torch.no_grad():
            first, second = sr(backbone(lr)), sr(backbone(lr))
        assert torch.equal(first, second)
        assert torch.equal(lr, before)

    def test_training_leaves_its_input(self, backbone: Backbone) -> None:
        """In-place operations do not change the input or outputs, forwards and backwards."""
        lr = images(backbone.train(), 2, 6, 7).requires_grad_()
        before = lr.detach().clone()
        output = backbone(lr)
        named = output.named() if isinstance(output, Outputs) else {"sr": output}
        kept = {name: value.detach().clone() for name, value in named.items()}
        torch.stack([value.float().square().mean() for value in named.values()]).sum().backward()
        assert torch.equal(lr, before)
        # An output that a later operation overwrote would silently be wrong.
        assert all(torch.equal(value, kept[name]) for name, value in named.items())

    def test_targets_fit_the_outputs(self, backbone: Backbone) -> None:
        """`targets` gives each additional output a target of its shape."""
        network = backbone.train()
        lr = images(network, 2, 6, 8)
        output = network(lr)
        aux = output.aux if isinstance(output, Outputs) else {}
        targets = network.targets(images(network, 2, *network.output_size(6, 8)))
        # Outputs that are not named are compared with the HR image in [0, 1].
        assert network.value_range == 1 or aux.keys() <= targets.keys()
        for name in aux.keys() & targets.keys():  # other calls may have more outputs
            found = aux[name].shape
            # Class logits have an axis of classes that their targets lack.
            assert targets[name].shape in (found, found[:1] + found[2:]), name

    def test_file_round_trip(self, backbone: Backbone, tmp_path: Path) -> None:
        """The file of its weights is enough to rebuild the network."""
        path = tmp_path / "backbone.safetensors"
        name = type(backbone).__name__
        save_component(
            path, backbone, kind="backbone", type=name, arguments=backbone.arguments, meta={}
        )
        again = backbone_from_config(path, backbone.scale, backbone.same_size).eval()
        lr = images(backbone, 1, 6, 7)
        assert torch.equal(sr(again(lr)), sr(backbone(lr)))

    def test_bfloat16_autocast(self, backbone: Backbone) -> None:
        """Mixed precision changes the result by less than 3 %."""
        lr = images(backbone, 1, 8, 9)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = sr(backbone(lr)).float()
        assert found.isfinite().all()
        assert (found - wanted).abs().max() < 0.03 * max(
            float(wanted.abs().max()), backbone.value_range
        )

    def test_channels_last_training(self, backbone: Backbone) -> None:
        """Gradients are the same in either memory layout."""
        lr = images(backbone.train(), 2, 6, 8).requires_grad_()
        size_of_outputs(backbone(lr)).backward()  # type: ignore[no-untyped-call]
        learned = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
        wanted = {name: p.grad.clone() for name, p in learned.items() if p.grad is not None}
        backbone.zero_grad()
        backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        laid_out = lr.contiguous(memory_format=torch.channels_last)
        size_of_outputs(backbone(laid_out)).backward()  # type: ignore[no-untyped-call]
        # Relative to the largest: the gradient of a bias before batch norm is only noise.
        size = max((gradient.abs().max().item() for gradient in wanted.values()), default=0.0)
        for name, parameter in learned.items():
            torch.testing.assert_close(
                parameter.grad, wanted[name], rtol=1e-3, atol=1e-4 * size, msg=name
            )

    def test_channels_last(self, backbone: Backbone) -> None:
        """The result is the same in either memory layout."""
        lr = images(backbone, 2, 8, 6)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            laid_out = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            found = sr(laid_out(lr.contiguous(memory_format=torch.channels_last)))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * backbone.value_range)

    def test_double_precision(self, backbone: Backbone) -> None:
        """No constant has single precision: float64 in gives float64 out."""
        lr = images(backbone, 1, 6, 6)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            found = sr(backbone.double()(lr.double()))
        assert found.dtype == torch.float64
        torch.testing.assert_close(
            found.float(), wanted, rtol=1e-4, atol=1e-5 * backbone.value_range
        )

    def test_export(self, backbone: Backbone) -> None:
        """`torch.export` can trace it: control flow does not depend on pixel values."""
        lr = images(backbone, 1, 8, 6)
        exported = torch.export.export(backbone, (lr,)).module()
        with torch.no_grad():
            torch.testing.assert_close(
                sr(exported(lr)), sr(backbone(lr)), rtol=1e-5, atol=1e-5 * backbone.value_range
            )

    def test_compiles_as_one_graph(self, backbone: Backbone) -> None:
        """`torch.compile` gives one graph, so that training can be compiled."""
        check_compiled(backbone, "aot_eager")

    def test_nothing_reaches_further_than_halo(self, backbone: Backbone) -> None:
        """An LR pixel beyond the halo, the receptive-field radius, has no gradient."""
        if backbone.whole_image:
            pytest.skip("global pooling reaches everywhere; its test states the local halo")
        for geometry in geometries(backbone):
            network = rebuilt(backbone, **geometry)
            assert reach(network) <= network.halo, geometry


def rebuilt(backbone: Backbone, **changes: Any) -> Backbone:
    """Make another instance from the captured arguments, in evaluation mode.

    Args:
        backbone: The network whose arguments are used.
        **changes: Arguments that differ.
    """
    arguments = {**backbone.arguments, **changes}
    return type(backbone).rebuild(arguments, backbone.state_dict()).eval()


def geometries(backbone: Backbone) -> Iterator[dict[str, Any]]:
    """Yield every geometry that the metadata list; for networks of any scale, some of them.

    Args:
        backbone: The network whose metadata are read.
    """
    for scale in (2, 3, 4) if backbone.scales is None else backbone.scales:
        yield {"scale": scale, "same_size": False}
    if backbone.same_size_form is not None:
        for scale in (2, 3, 4):
            yield {"scale": scale, "same_size": True}


def images(backbone: Backbone, batch: int, height: int, width: int) -> Tensor:
    """Return fixed random images in the network's channels and value range.

    Args:
        backbone: The network that will be given the images.
        batch: Number of images.
        height: In pixels.
        width: In pixels.

    Shape:
        (batch, 1 or 3, height, width)
    """
    generator = torch.Generator().manual_seed(0)
    size = (batch, backbone.channels, height, width)
    return torch.rand(size, generator=generator) * backbone.value_range


def check_compiled(network: Backbone, backend: str) -> None:
    """Fail unless a network compiles as one graph and gives the same image compiled.

    Args:
        network: The network to compile.
        backend: ``"aot_eager"`` traces the graph; ``"inductor"`` also compiles it to machine code.
    """
    torch._dynamo.reset()
    lr = images(network, 1, 8, 6)
    with torch.no_grad():
        wanted = sr(network(lr))
        found = sr(torch.compile(network, backend=backend, fullgraph=True)(lr))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * network.value_range)
