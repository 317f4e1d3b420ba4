from __future__ import annotations

import inspect

import pytest
import torch

from realdeg import create_backbone
from realdeg.backbones import RCAN, VDSR, Backbone, Outputs
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES, list_backbones
from realdeg.utils.component import save_component


class Told(Backbone):
    """A third-party network that is told the degradation, written as the contract was at first."""

    needs = ("cond",)
    scales = (2,)

    @classmethod
    def example(cls):
        return cls(scale=2)

    def forward(self, lr, *, scale=None, cond=None):
        self.check_input(lr, scale, cond)
        return Outputs(lr.repeat_interleave(2, -1).repeat_interleave(2, -2), {"low": lr})


class Plain(Told):
    """Names neither scale nor condition."""

    needs = ()

    def forward(self, lr):
        return lr.repeat_interleave(2, -1).repeat_interleave(2, -2)


class Whole(Plain):
    """Takes whatever a call says."""

    def forward(self, lr, **said):
        return said


class Wants(Plain):
    """Has a condition without a default."""

    def forward(self, lr, cond):
        return cond


def saved(tmp_path, network):
    path = tmp_path / "backbone.safetensors"
    name = type(network).__name__
    save_component(path, network, kind="backbone", type=name, arguments=network.arguments)
    return path


def test_listed():
    assert {"RCAN", "VDSR"} <= set(list_backbones())


def test_needs_and_scale_of_the_call():
    network = Told.example()
    lr = torch.rand(1, 3, 4, 4)
    with pytest.raises(GeometryError, match="cond"):
        network(lr)
    with pytest.raises(GeometryError, match="scale 2 and is called with scale 3"):
        network(lr, scale=3, cond=torch.zeros(1, 2))
    assert set(network(lr, scale=2, cond=torch.zeros(1, 2)).named()) == {"sr", "low"}
    assert network.targets(lr) == {}


def test_same_size_need_not_be_listed():
    """A class without a form for it takes False, from configs and files, and refuses True."""

    class Small(Plain):
        scales = (2, 3)

        def __init__(self, scale=2, width=4):
            super().__init__(scale=scale)
            self.width = width

    network = Small(3, 5, same_size=False)
    assert (network.scale, network.same_size, network.width) == (3, False, 5)
    assert network.arguments == {"scale": 3, "width": 5, "same_size": False}
    with pytest.raises(GeometryError) as caught:
        Small(same_size=True)
    assert str(caught.value) == (
        "Small has no form for LR and HR of the same size (same_size=True): use same_size=False"
        " (scales: 2, 3) or a backbone with such a form."
    )
    with pytest.raises(ConfigError, match="same_size is 'no', wanted True or False"):
        Small(same_size="no")
    with pytest.raises(GeometryError, match="Told has no form for LR and HR of the same size"):
        Told(same_size=True)


def test_forward_is_handed_what_its_signature_names():
    lr, cond = torch.rand(1, 3, 4, 4), torch.zeros(1, 2)
    assert Plain(2)(lr, scale=2, cond=cond).shape == (1, 3, 8, 8)
    assert Whole(2)(lr, cond=cond) == {"scale": None, "cond": cond}
    assert Wants(2)(lr, scale=2, cond=cond) is cond
    assert (Plain.needs, Wants.needs) == ((), ("cond",))
    with pytest.raises(GeometryError, match="Wants needs the degradation: call it with cond="):
        Wants(2)(lr)


def test_a_call_runs_hooks():
    network, seen = Plain(2), []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    network.register_forward_hook(lambda _, given, output: output + 1)
    lr = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(lr, scale=2), network.forward(lr) + 1)
    assert seen == [lr.shape]
    network.compile(backend="eager")
    assert torch.equal(network(lr), network.forward(lr) + 1)
    with pytest.raises(GeometryError, match="colour"):
        network(lr[:, :1])


def test_a_call_is_checked_within_distributed_data_parallel(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        network = VDSR(scale=2, depth=2, width=2)
        parallel = torch.nn.parallel.DistributedDataParallel(network)
        lr = torch.rand(1, 1, 4, 4)
        assert torch.equal(parallel(lr, scale=2), network(lr))
        parallel(lr).sum().backward()
        with pytest.raises(GeometryError, match="colour"):
            parallel(lr.expand(1, 3, 4, 4))
    finally:
        torch.distributed.destroy_process_group()


def test_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Backbone()


def taking(argument: str) -> list[str]:
    """Return the networks that have that argument."""
    return [
        name
        for name in list_backbones()
        if argument in inspect.signature(BACKBONES.get(name).__init__).parameters
    ]


@pytest.mark.parametrize("name", taking("colour"))
def test_a_colour_that_does_not_exist(name):
    cls = BACKBONES.get(name)
    with pytest.raises(ConfigError) as caught:
        cls(**{**cls.example().arguments, "colour": "grey"})
    assert str(caught.value).startswith(f"{name}: colour is 'grey', wanted 'y'")


@pytest.mark.parametrize("name", taking("colour"))
def test_the_colour_is_what_was_asked_for(name):
    cls = BACKBONES.get(name)
    for colour, channels in (("y", 1), ("rgb", 3)):
        network = cls(**{**cls.example().arguments, "colour": colour})
        assert (network.colour, network.channels) == (colour, channels)


@pytest.mark.parametrize("name", taking("preset"))
def test_a_preset_that_does_not_exist(name):
    cls = BACKBONES.get(name)
    with pytest.raises(ConfigError, match=f"{name}: preset is 'zork', wanted '"):
        cls(**{**cls.example().arguments, "preset": "zork"})


def test_geometry_is_handed_over():
    network = create_backbone({"type": "VDSR", "depth": 3, "width": 4}, scale=3, same_size=True)
    assert (network.scale, network.same_size) == (3, True)
    assert network.arguments["scale"] == 3
    network = create_backbone({"type": VDSR, "depth": 3, "width": 4, "scale": 2})
    assert network.scale == 2


@pytest.mark.parametrize(
    ("cfg", "error", "words"),
    [
        ({"type": "RCANN"}, ConfigError, "Did you mean 'RCAN'"),
        ({"type": "VDSR", "dept": 3}, ConfigError, "Did you mean 'depth'"),
        ({"depth": 3}, ConfigError, "'type' or a 'checkpoint'"),
        ({"checkpoint": "x.safetensors", "depth": 3}, ConfigError, "depth beside 'checkpoint'"),
        (None, ConfigError, "dict or a path"),
        ({"type": torch.nn.Identity}, ConfigError, "not a backbone"),
        ({"type": "RCAN", "scale": 4}, GeometryError, "state it once"),
        ({"type": "RCAN", "same_size": False, "scale": 2}, GeometryError, "same_size"),
        ("nowhere.safetensors", CheckpointError, "does not exist"),
    ],
)
def test_refusals(cfg, error, words):
    with pytest.raises(error, match=words):
        create_backbone(cfg, scale=2, same_size=True)


def test_stored_geometry_must_be_the_one_asked_for(tmp_path):
    path = saved(tmp_path, VDSR(scale=2, depth=3, width=4))
    for cfg in (path, str(path), {"checkpoint": str(path)}):
        assert create_backbone(cfg, scale=2).scale == 2
    with pytest.raises(GeometryError, match="scale=2 and scale=4 is asked"):
        create_backbone(path, scale=4)
    with pytest.raises(GeometryError, match="same_size=False and same_size=True"):
        create_backbone(path, same_size=True)
    with pytest.raises(GeometryError, match="scale=2 and scale=4 is asked"):
        create_backbone({"checkpoint": path}, scale=4)
    # Naming the type says that another geometry is wanted on purpose.
    cfg = {"type": "VDSR", "depth": 3, "width": 4, "checkpoint": str(path)}
    assert create_backbone(cfg, scale=4).scale == 4


def test_other_kinds_are_refused(tmp_path):
    path = tmp_path / "degradation.safetensors"
    module = VDSR.example()
    save_component(path, module, kind="degradation", type="DML", arguments={})
    with pytest.raises(CheckpointError, match="holds a degradation"):
        create_backbone(path)
    with pytest.raises(CheckpointError, match="holds a degradation"):
        create_backbone({"type": RCAN, "checkpoint": path})


@pytest.mark.parametrize("scale", [0, -2, 2.0, "4", True, None])
def test_scale_is_a_whole_number(scale):
    with pytest.raises(GeometryError, match="whole number"):
        VDSR(scale=scale, depth=2, width=2)
