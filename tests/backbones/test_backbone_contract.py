"""What every registered backbone must fulfil: registering one is enough to have it tested."""

from __future__ import annotations

import inspect
import json
from typing import get_args

import pytest
import torch

from realdeg.backbones import Backbone, Outputs, build_backbone
from realdeg.backbones.base import Colour, SameSizeForm, Upsample
from realdeg.backbones.spandrel_model import import_spandrel
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.component import save_component

SIZES = [(1, 1), (1, 6), (3, 5), (7, 4), (9, 16)]
# The networks whose ``forward`` is handed more than the image.
TAKES = {
    name: ("scale",) for name in ("CARN", "CARNM", "MDSR", "MSLapSRN", "MetaSR", "PCARN", "ProSR")
}
TAKES |= {name: ("cond",) for name in ("IRCNNHQS", "PixelRecursiveSR")}
# One network for each way to be built; `make test-all` compiles every one to machine code.
FAMILIES = ("VDSR", "MemNet", "CARN", "RCAN", "LapSRN", "DBPN", "SRFBN", "KPN", "MetaSR")


def types() -> list[str]:
    ours = [name for name in BACKBONES.names() if BACKBONES.get(name).__module__[:8] == "realdeg."]
    assert ours
    return ours


def need_packages(name: str) -> None:
    """Skip a type whose optional package is not there."""
    if name == "SpandrelModel":
        try:
            import_spandrel()
        except ConfigError as error:
            pytest.skip(str(error))


def rebuilt(backbone: Backbone, **changes) -> Backbone:
    """Make another instance from the captured arguments, in eval mode."""
    arguments = {**backbone.arguments, **changes}
    return type(backbone).rebuild(arguments, backbone.state_dict()).eval()


def geometries(backbone: Backbone) -> list[dict]:
    scales = (2, 3, 4) if backbone.scales is None else backbone.scales
    found = [{"scale": scale, "same_size": False} for scale in scales]
    if backbone.same_size_form is not None:
        found += [{"scale": scale, "same_size": True} for scale in (2, 3, 4)]
    return found


def image(backbone: Backbone, batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (batch, backbone.channels, height, width)
    return torch.rand(size, generator=generator) * backbone.value_range


def sr(output: torch.Tensor | Outputs) -> torch.Tensor:
    return output.sr if isinstance(output, Outputs) else output


@pytest.fixture(params=types())
def backbone(request) -> Backbone:
    need_packages(request.param)
    torch.manual_seed(0)
    return BACKBONES.get(request.param).example().eval()


class TestBackboneContract:
    def test_metadata_are_valid(self, backbone):
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
        assert type(backbone).__doc__ and "Source:" in type(backbone).__doc__
        assert sum(p.numel() for p in backbone.parameters()) < 100_000, "example() is not tiny"

    def test_arguments_rebuild_it(self, backbone):
        arguments = json.loads(json.dumps(backbone.arguments))
        assert arguments == backbone.arguments
        again = type(backbone).rebuild(arguments, backbone.state_dict())
        again.load_state_dict(backbone.state_dict())
        lr = image(backbone, 1, 5, 6)
        assert torch.equal(sr(again.eval()(lr)), sr(backbone(lr)))

    def test_output_size_in_every_geometry(self, backbone):
        for geometry in geometries(backbone):
            network = rebuilt(backbone, **geometry)
            for height, width in SIZES:
                lr = image(network, 1, height, width)
                with torch.no_grad():
                    output = sr(network(lr))
                wanted = network.output_size(height, width)
                assert output.shape == (1, network.channels, *wanted), (geometry, height, width)
                assert output.isfinite().all()

    def test_refuses_other_geometries(self, backbone):
        with pytest.raises(GeometryError):
            rebuilt(backbone, scale=0)
        if backbone.scales is not None:
            with pytest.raises(GeometryError, match=type(backbone).__name__):
                rebuilt(backbone, scale=max(backbone.scales) + 3, same_size=False)
        if backbone.same_size_form is None:
            with pytest.raises(GeometryError, match="same_size=False"):
                rebuilt(backbone, same_size=True)

    def test_refuses_other_colours(self, backbone):
        lr = torch.zeros(1, 4 - backbone.channels, 5, 5)
        with pytest.raises(GeometryError) as caught:
            backbone(lr)
        name = type(backbone).__name__
        assert str(caught.value) == (
            f"{name} works on colour '{backbone.colour}' and takes (B, {backbone.channels}, h, w),"
            f" got {tuple(lr.shape)}: convert the image, or build {name} with the other colour."
        )

    def test_forward_names_the_image_and_what_the_network_uses(self, backbone):
        """An ordinary network's ``forward`` takes the image alone; any may be told the rest."""
        takes = list(inspect.signature(type(backbone).forward).parameters)
        assert takes == ["self", "lr", *TAKES.get(type(backbone).__name__, ())]
        lr = image(backbone, 1, 5, 6)
        with torch.no_grad():
            assert torch.equal(sr(backbone(lr, scale=backbone.scale)), sr(backbone(lr)))
        if "cond" not in takes:
            assert torch.equal(sr(backbone(lr, cond=torch.zeros(1, 2))), sr(backbone(lr)))

    @pytest.mark.parametrize("batch", [0, 1, 3])
    def test_batches(self, backbone, batch):
        lr = image(backbone, batch, 5, 7)
        output = sr(backbone(lr))
        assert output.shape[0] == batch
        if batch:  # torch's pixel shuffle has no backward for empty batches
            output.sum().backward()

    def test_an_image_does_not_see_its_batch(self, backbone):
        lr = image(backbone, 3, 6, 5)
        with torch.no_grad():
            together = sr(backbone(lr))
            alone = torch.cat([sr(backbone(lr[i : i + 1])) for i in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5 * backbone.value_range)

    def test_gradients_reach_every_parameter(self, backbone):
        lr = image(backbone.train(), 3, 9, 8).requires_grad_()
        sr(backbone(lr)).square().sum().backward()
        for name, parameter in backbone.named_parameters():
            if not parameter.requires_grad:
                continue  # published tensors that take no part
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
            assert parameter.grad.isfinite().all(), name
        assert lr.grad is not None and lr.grad.abs().sum() > 0

    def test_eval_is_deterministic_and_leaves_its_input(self, backbone):
        lr = image(backbone, 2, 7, 6)
        before = lr.clone()
        with torch.no_grad():
            first, second = sr(backbone(lr)), sr(backbone(lr))
        assert torch.equal(first, second)
        assert torch.equal(lr, before)

    def test_training_leaves_its_input(self, backbone):
        """Operations in place stay within the network, forwards and backwards."""
        lr = image(backbone.train(), 2, 6, 7).requires_grad_()
        before = lr.detach().clone()
        output = backbone(lr)
        named = output.named() if isinstance(output, Outputs) else {"sr": output}
        kept = {name: value.detach().clone() for name, value in named.items()}
        sum(value.float().square().mean() for value in named.values()).backward()
        assert torch.equal(lr, before)
        # An output that a later operation overwrote would be wrong, and nothing would say so.
        assert all(torch.equal(value, kept[name]) for name, value in named.items())

    def test_targets_fit_the_outputs(self, backbone):
        network = backbone.train()
        lr = image(network, 2, 6, 8)
        output = network(lr)
        aux = output.aux if isinstance(output, Outputs) else {}
        targets = network.targets(image(network, 2, *network.output_size(6, 8)))
        # What is not named is compared with the HR image in [0, 1].
        assert network.value_range == 1 or aux.keys() <= targets.keys()
        for name in aux.keys() & targets.keys():  # other calls may have further outputs
            found = aux[name].shape
            # Class logits have an axis of classes that their targets lack.
            assert targets[name].shape in (found, found[:1] + found[2:]), name

    def test_file_round_trip(self, backbone, tmp_path):
        path = tmp_path / "backbone.safetensors"
        name = type(backbone).__name__
        save_component(
            path, backbone, kind="backbone", type=name, arguments=backbone.arguments, meta={}
        )
        again = build_backbone(path, backbone.scale, backbone.same_size).eval()
        lr = image(backbone, 1, 6, 7)
        assert torch.equal(sr(again(lr)), sr(backbone(lr)))

    def test_bfloat16_autocast(self, backbone):
        lr = image(backbone, 1, 8, 9)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = sr(backbone(lr)).float()
        assert found.isfinite().all()
        assert (found - wanted).abs().max() < 0.03 * max(wanted.abs().max(), backbone.value_range)

    def test_channels_last_training(self, backbone):
        """Gradients are the same in either memory layout."""
        lr = image(backbone.train(), 2, 6, 8)
        sr(backbone(lr)).square().mean().backward()
        learned = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
        wanted = {name: p.grad.clone() for name, p in learned.items()}
        backbone.zero_grad()
        backbone.to(memory_format=torch.channels_last)
        sr(backbone(lr.contiguous(memory_format=torch.channels_last))).square().mean().backward()
        # The largest of all: of a bias before batch normalisation there is nothing but noise.
        size = max(gradient.abs().max().item() for gradient in wanted.values())
        for name, parameter in learned.items():
            torch.testing.assert_close(
                parameter.grad, wanted[name], rtol=1e-3, atol=1e-4 * size, msg=name
            )

    def test_channels_last(self, backbone):
        lr = image(backbone, 2, 8, 6)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            laid_out = backbone.to(memory_format=torch.channels_last)
            found = sr(laid_out(lr.contiguous(memory_format=torch.channels_last)))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * backbone.value_range)

    def test_double_precision(self, backbone):
        lr = image(backbone, 1, 6, 6)
        with torch.no_grad():
            wanted = sr(backbone(lr))
            found = sr(backbone.double()(lr.double()))
        assert found.dtype == torch.float64
        torch.testing.assert_close(
            found.float(), wanted, rtol=1e-4, atol=1e-5 * backbone.value_range
        )

    def test_export(self, backbone):
        lr = image(backbone, 1, 8, 6)
        exported = torch.export.export(backbone, (lr,)).module()
        with torch.no_grad():
            torch.testing.assert_close(
                sr(exported(lr)), sr(backbone(lr)), rtol=1e-5, atol=1e-5 * backbone.value_range
            )

    @pytest.mark.slow
    def test_compile(self, backbone):
        check_compiled(backbone, "inductor")

    def test_nothing_reaches_further_than_halo(self, backbone, reach):
        """An LR pixel beyond the halo has no gradient, and no nearer bound is promised."""
        if backbone.whole_image:
            pytest.skip("global pooling reaches everywhere; its test states the local halo")
        for geometry in geometries(backbone):
            network = rebuilt(backbone, **geometry)
            assert reach(network) <= network.halo, geometry


def check_compiled(network: Backbone, backend: str) -> None:
    """Compile a network as one graph, and compare it with itself."""
    torch._dynamo.reset()
    lr = image(network, 1, 8, 6)
    with torch.no_grad():
        wanted = sr(network(lr))
        found = sr(torch.compile(network, backend=backend, fullgraph=True)(lr))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * network.value_range)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_are_one_graph(name):
    torch.manual_seed(0)
    check_compiled(BACKBONES.get(name).example().eval(), "aot_eager")
