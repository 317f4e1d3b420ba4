"""Community weights run here: read safely, recognised by spandrel, run, tuned, saved."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from realdeg import create_backbone
from realdeg.apis import SuperResolver
from realdeg.backbones import HAT, IPT, RCAN, RRDBNet, SRVGGNetCompact, SwinIR, load_weights
from realdeg.backbones.span import SPAN
from realdeg.backbones.spandrel_model import SpandrelModel
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.utils.component import read_component

TINY_RCAN = {"scale": 2, "num_groups": 2, "num_blocks": 1, "num_features": 8, "reduction": 2}


@pytest.fixture
def spandrel():
    return pytest.importorskip("spandrel", reason="spandrel cannot be imported", exc_type=Exception)


def compact(scale=2, **settings):
    torch.manual_seed(0)
    return SRVGGNetCompact(scale=scale, num_features=6, num_convs=3, **settings).eval()


@pytest.fixture
def weights(tmp_path, spandrel):
    """A x2 network of random weights, as the community stores them."""
    torch.save({"params_ema": compact().state_dict()}, tmp_path / "2x_random.pth")
    return tmp_path / "2x_random.pth"


def opened(network: nn.Module) -> SpandrelModel:
    return SpandrelModel.rebuild({"file": "memory"}, network.state_dict()).eval()


def saved(network: SpandrelModel, path) -> str:
    return SuperResolution(network).export(path, {})


class TestRunning:
    @pytest.mark.parametrize(
        ("cls", "settings"),
        [
            (RRDBNet, {"scale": 4, "num_blocks": 2, "num_features": 8}),
            (RCAN, TINY_RCAN),
            (SPAN, {"scale": 2, "num_features": 8}),
            (SRVGGNetCompact, {"scale": 3, "num_features": 8, "num_convs": 2}),
            (SRVGGNetCompact, {"scale": 4, "num_features": 8, "num_convs": 2, "colour": "y"}),
        ],
    )
    def test_same_picture_as_ours(self, spandrel, cls, settings):
        torch.manual_seed(0)
        ours = cls(**settings).eval()
        network = opened(ours)
        assert (network.scale, network.colour, network.value_range) == (ours.scale, ours.colour, 1)
        assert network.whole_image == ours.whole_image
        assert network.halo == (64 if ours.whole_image else ours.halo)
        renamed = cls is RRDBNet  # spandrel prefers the oldest of its three dialects
        assert renamed != (set(network.state_dict()) == set(ours.state_dict()))
        lr = torch.rand(2, ours.channels, 9, 13)
        with torch.no_grad():
            wanted = ours(lr * ours.value_range) / ours.value_range
            tolerance = 1e-5 * max(1, float(wanted.abs().max()))
            torch.testing.assert_close(network(lr), wanted, rtol=0, atol=tolerance)

    @pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 24)])
    def test_same_picture_as_spandrel_where_sizes_are_padded(self, spandrel, size):
        network = opened(denoiser(spandrel))
        assert (network.scale, network.scales, network.size_multiple) == (1, (1,), 8)
        lr = torch.rand(3, 3, *size)
        call = network._descriptor
        with torch.no_grad():
            wanted = torch.cat([call(image.clone()) for image in lr.split(1)])
            found = network(lr).clamp(0, 1)  # spandrel clamps
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)

    @pytest.mark.parametrize(
        "ours",
        [
            IPT.example(),
            SwinIR(scale=2, groups=1, blocks=2, width=16, heads=2, window=8),
            HAT(2, groups=1, blocks=2, width=24, heads=2, window=16, compress=3, squeeze=4),
        ],
        ids=lambda ours: type(ours).__name__,
    )
    def test_same_picture_as_spandrel_of_transformers(self, spandrel, ours):
        network = opened(ours)
        assert network.whole_image and network.halo == 64
        assert network.describe()["id"] == type(ours).__name__
        lr = torch.rand(2, 3, 19, 21)
        with torch.no_grad():
            wanted = torch.cat([network._descriptor(image.clone()) for image in lr.split(1)])
            torch.testing.assert_close(network(lr).clamp(0, 1), wanted, rtol=0, atol=1e-5)

    def test_equal_size(self, spandrel):
        network = denoiser(spandrel).state_dict()
        arguments = {"file": "dn.pth", "scale": 4, "same_size": True}
        same = SpandrelModel.rebuild(arguments, network)
        assert (same.scale, same.same_size, same.same_size_form) == (4, True, "native")
        assert same(torch.rand(1, 3, 6, 5)).shape == (1, 3, 6, 5)
        assert same.arguments == arguments

    def test_tiles_are_the_whole_image(self, spandrel):
        picture = np.random.default_rng(0).random((41, 37, 3), np.float32)
        for network in (opened(compact()), opened(denoiser(spandrel))):
            network.eval()
            whole = SuperResolver(network, tile=None).upscale(picture)
            tiled = SuperResolver(network, tile=8).upscale(picture)
            assert not network.whole_image and np.abs(whole - tiled).max() < 1e-5

    def test_reach(self, spandrel, reach):
        rrdb = {"num_blocks": 1, "num_features": 4}
        network = RRDBNet(scale=4, **rrdb)
        assert reach(opened(network)) == opened(network).halo == network.halo

    def test_networks_that_change_their_input_get_a_copy(self, spandrel):
        network = opened(RCAN(**TINY_RCAN))
        lr = torch.rand(1, 3, 8, 8)
        before = lr.clone()
        network(lr)
        assert torch.equal(lr, before)


def denoiser(spandrel) -> nn.Module:
    """A small DRUNet, which wants sides that are multiples of 8 and takes one image at a time."""
    from spandrel.architectures.DRUNet import DRUNet

    torch.manual_seed(0)
    network = DRUNet(in_nc=4, out_nc=3, nc=(4, 4, 4, 4), nb=2)
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return network


class TestFiles:
    @pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors"])
    def test_formats(self, tmp_path, spandrel, suffix):
        from safetensors.torch import save_file

        path, ours = tmp_path / f"x2{suffix}", compact()
        if suffix == ".safetensors":
            save_file(ours.state_dict(), path, metadata={"modelspec.license": "CC-BY-4.0"})
        elif suffix == ".ckpt":
            torch.save({"state_dict": ours.state_dict(), "epoch": 3}, path)
        elif suffix == ".pt":
            old = {"module." + name: value for name, value in ours.state_dict().items()}
            torch.save(old, path, _use_new_zipfile_serialization=False)
        else:
            torch.save(ours, path)  # the whole network: classes that are not imported
        network = SpandrelModel(file=path).eval()
        lr = torch.rand(1, 3, 6, 7)
        torch.testing.assert_close(network(lr), ours(lr), rtol=0, atol=1e-6)
        licence = "CC-BY-4.0" if suffix == ".safetensors" else None
        assert network.describe()["licence"] == licence
        assert network.arguments["file"] == path.name

    def test_saved_file_needs_no_other(self, weights, tmp_path, spandrel):
        network = SpandrelModel(weights)
        with torch.no_grad():
            network.body[0].bias.add_(0.1)  # tuned
        digest = saved(network, tmp_path / "backbone.safetensors")
        weights.unlink()
        again = create_backbone(tmp_path / "backbone.safetensors", 2, False)
        lr = torch.rand(1, 3, 5, 5)
        assert isinstance(again, SpandrelModel) and torch.equal(again(lr), network(lr))
        assert saved(again, tmp_path / "second.safetensors") == digest
        assert read_component(tmp_path / "second.safetensors").arguments["scale"] == 2
        theirs = spandrel.ModelLoader().load_from_file(tmp_path / "backbone.safetensors")
        assert theirs.architecture.id == "Compact"
        torch.testing.assert_close(theirs.model(lr), network(lr), rtol=0, atol=1e-6)
        # And the file is a file of weights like any other.
        assert not load_weights(compact(), tmp_path / "backbone.safetensors")
        assert SpandrelModel(tmp_path / "backbone.safetensors").scale == 2
        with pytest.raises(GeometryError, match="scale=2 and scale=4"):
            create_backbone(tmp_path / "backbone.safetensors", 4)

    def test_renamed_tensors(self, tmp_path, spandrel):
        """ESRGAN has three dialects: each is read, also into a network that uses another."""
        torch.manual_seed(0)
        ours = RRDBNet(scale=2, num_blocks=1, num_features=4).eval()
        network = opened(ours)
        saved(network, tmp_path / "backbone.safetensors")
        again = create_backbone(tmp_path / "backbone.safetensors").eval()
        lr = torch.rand(1, 3, 8, 8)
        assert torch.equal(again(lr), network(lr))
        torch.save(ours.state_dict(), tmp_path / "new.pth")
        with torch.no_grad():
            for parameter in again.parameters():
                parameter.zero_()
        assert load_weights(again, tmp_path / "new.pth") == []
        assert torch.equal(again(lr), network(lr))
        back = RRDBNet(scale=2, num_blocks=1, num_features=4).eval()
        load_weights(back, tmp_path / "backbone.safetensors")
        torch.testing.assert_close(back(lr), ours(lr), rtol=0, atol=1e-6)

    def test_describe(self, weights):
        facts = SpandrelModel(weights).describe()
        assert (facts["id"], facts["purpose"], facts["scale"]) == ("Compact", "SR", 2)
        assert facts["tags"] == ["6nf", "3nc"] and facts["licence"] is None
        assert str(facts) == "SpandrelModel, RealESRGAN Compact (6nf, 3nc) x2, 2x_random.pth"


class TestTraining:
    def test_ten_steps_lower_the_loss(self, weights):
        network = SpandrelModel(weights)
        assert network.training and all(part.training for part in network.modules())
        hr = F.interpolate(torch.rand(2, 3, 4, 4), scale_factor=4, mode="bicubic").clamp(0, 1)
        lr = F.avg_pool2d(hr, 2)
        adam = torch.optim.Adam(network.parameters(), lr=1e-3)
        losses = []
        for _ in range(11):
            loss = F.l1_loss(network(lr), hr)
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert losses[-1] < 0.9 * losses[0]

    def test_modes(self, spandrel):
        """SPAN computes otherwise when it trains, and its root is no submodule here."""
        network = opened(SPAN(scale=2, num_features=8))
        inner = network._descriptor.model
        assert not inner.training
        network.train()
        assert inner.training
        assert not network.eval()._descriptor.model.training

    def test_inside_a_task_and_copied(self, weights):
        task = SuperResolution(SpandrelModel(weights))
        assert "backbone.body.0.weight" in task.state_dict()
        twin = copy.deepcopy(task).double()
        with torch.no_grad():
            twin.backbone.body[0].weight.zero_()
        lr = torch.rand(1, 3, 5, 5)
        assert task.backbone(lr).dtype == torch.float32
        assert twin.backbone(lr.double()).dtype == torch.float64
        assert not torch.allclose(twin.backbone(lr.double()).float(), task.backbone(lr))
        twin.load_state_dict(task.state_dict())
        found = twin.backbone(lr.double()).float()
        torch.testing.assert_close(found, task.backbone(lr), rtol=0, atol=1e-5)

    def test_start_from_other_weights(self, weights, tmp_path):
        other = compact()
        with torch.no_grad():
            other.body[0].bias.fill_(0.25)
        torch.save(other.state_dict(), tmp_path / "other.pth")
        start = {"checkpoint": str(tmp_path / "other.pth")}
        cfg = {"type": SpandrelModel, "file": str(weights), "start_from": start}
        assert (create_backbone(cfg, 2, False).body[0].bias == 0.25).all()


class TestRefusals:
    def test_scales(self, weights, spandrel):
        with pytest.raises(GeometryError, match=r"2x_random.pth has scale 2 and scale=4"):
            SpandrelModel(weights, scale=4)
        with pytest.raises(GeometryError, match=r"scale 2 and same_size=True.* same_size=False,"):
            SpandrelModel(weights, same_size=True)
        with pytest.raises(GeometryError, match=r"scale 1 and scale=4 .* or same_size=True"):
            SpandrelModel.rebuild({"scale": 4}, denoiser(spandrel).state_dict())

    def test_no_file(self, spandrel, tmp_path):
        with pytest.raises(ConfigError, match=r"backbone\.file=\.\.\."):
            SpandrelModel()
        with pytest.raises(CheckpointError, match="does not exist"):
            SpandrelModel(tmp_path / "none.pth")

    def test_a_file_that_runs_code_runs_none(self, spandrel, tmp_path):
        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "mark"), "w"))

        torch.save({"params": Evil()}, tmp_path / "evil.pth")
        with pytest.raises(CheckpointError, match="evil.pth"):
            SpandrelModel(tmp_path / "evil.pth")
        assert not (tmp_path / "mark").exists()

    def test_not_recognised(self, spandrel, tmp_path):
        torch.save({"a.weight": torch.zeros(1), "b.bias": torch.zeros(2)}, tmp_path / "x.pth")
        wanted = rf"none of its {len(spandrel.MAIN_REGISTRY)} architectures in .*x\.pth .*a\.weight"
        with pytest.raises(CheckpointError, match=wanted) as raised:
            SpandrelModel(tmp_path / "x.pth")
        assert "realdeg's own" not in str(raised.value)

    def test_our_own_network_is_named(self, spandrel):
        from realdeg.backbones import VDSR

        with pytest.raises(
            CheckpointError, match=r"those of realdeg's own VDSR: .*dict\(type='VDSR', checkpoin"
        ):
            SpandrelModel.rebuild({"file": "vdsr.pth"}, VDSR.example().state_dict())

    def test_recognised_but_damaged(self, spandrel):
        state = compact().state_dict()
        del state["body.2.bias"]
        with pytest.raises(
            CheckpointError, match=r"recognises cut\.pth as .*Compact.*body\.2\.bias"
        ):
            SpandrelModel.rebuild({"file": "cut.pth"}, state)

    @pytest.mark.parametrize(("ins", "outs"), [(4, 4), (1, 3)])
    def test_channels(self, spandrel, ins, outs):
        from spandrel.architectures.ESRGAN import ESRGAN

        state = ESRGAN(in_nc=ins, out_nc=outs, num_filters=4, num_blocks=1).state_dict()
        with pytest.raises(CheckpointError, match=rf"from {ins} to {outs} channels"):
            SpandrelModel.rebuild({"file": "alpha.pth"}, state)

    @pytest.mark.parametrize(
        ("purpose", "said"), [("Inpainting", "needs a mask"), ("FaceSR", "restores faces")]
    )
    def test_purposes(self, spandrel, monkeypatch, purpose, said):
        found = SimpleNamespace(architecture=SimpleNamespace(name="LaMa"), purpose=purpose)
        monkeypatch.setattr(spandrel.MAIN_REGISTRY, "load", lambda state: found)
        with pytest.raises(CheckpointError, match=f"big.pt is a LaMa, .*{said}"):
            SpandrelModel.rebuild({"file": "big.pt"}, {})

    def test_more_than_the_file_holds(self, spandrel):
        """Loaders count layers by their names."""
        from spandrel.architectures.ESRGAN import ESRGAN

        state = dict(ESRGAN(num_filters=4, num_blocks=1).state_dict())
        block = {name: t for name, t in state.items() if name.startswith("model.1.sub.0.")}
        state |= {name.replace("sub.0.", "sub.9000000."): t for name, t in block.items()}
        with pytest.raises(CheckpointError):
            SpandrelModel.rebuild({"file": "x.pth"}, state)

    def test_randomness(self, spandrel, monkeypatch):
        call = F.interpolate
        monkeypatch.setattr(
            F, "interpolate", lambda x, **more: call(x + torch.randn_like(x), **more)
        )
        with pytest.raises(CheckpointError, match="draws random numbers"):
            opened(compact())


class TestOptional:
    def test_no_module_imports_it_at_once(self, repository):
        for file in (repository / "realdeg").rglob("*.py"):
            for line in file.read_text("utf-8").splitlines():
                assert not re.match(r"(import|from) (spandrel|torchvision)\b", line), file

    @pytest.mark.slow
    def test_it_is_not_imported_before_it_is_needed(self):
        code = (
            "import sys, realdeg, realdeg.backbones.spandrel_model\n"
            "from realdeg.registry import list_backbones\n"
            "assert 'SpandrelModel' in list_backbones()\n"
            "assert not {'spandrel', 'torchvision'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_absent(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "spandrel", None)
        with pytest.raises(ConfigError, match=r"pip install 'realdeg\[spandrel\]'.*torchvision"):
            SpandrelModel(tmp_path / "none.pth")

    def test_torchvision_of_another_torch(self, tmp_path, monkeypatch):
        class Broken:
            def find_spec(self, name, path=None, target=None):
                if name == "spandrel":
                    raise RuntimeError("operator torchvision::nms does not exist")

        monkeypatch.delitem(sys.modules, "spandrel", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
        with pytest.raises(ConfigError, match=r"nms does not exist.*match torch \("):
            SpandrelModel(tmp_path / "none.pth")
