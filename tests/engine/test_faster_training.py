"""bfloat16, channels_last and compilation: what they keep, and what happens where they fail."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from realdeg.config import load_config
from realdeg.engine import AutocastOptimWrapper, OptimWrapper, RealdegRunner
from realdeg.engine import wrappers as engine_wrappers
from realdeg.engine.compiling import GuardedCall, compile_component
from realdeg.engine.devices import bfloat16_fault
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES, TASKS
from realdeg.utils.component import read_component
from tests.engine.tiny import TinyTask, differences, final_state, tiny_config

EMA = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]


class Images(nn.Module):
    """A network of convolutions, dropout and batch normalisation on 2 x 2 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: dict = {}
        self.head, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.tail = nn.Conv2d(8, 1, 3, padding=1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        features = torch.relu(self.norm(self.head(x.view(-1, 1, 2, 2))))
        return self.tail(features).view(-1, 4)


@TASKS.register_module(force=True)
class TinyImages(TinyTask):
    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.backbone = Images()


SGD = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.05, momentum=0.9))


def build(work_dir, **changes) -> RealdegRunner:
    changes.setdefault("optim_wrapper", SGD)
    return RealdegRunner.from_cfg(tiny_config(work_dir, model=dict(type="TinyImages"), **changes))


def train(work_dir, **changes) -> RealdegRunner:
    runner = build(work_dir, **changes)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


COMBINATIONS = [
    dict(precision=precision, memory_format=layout, compile_model=compiled)
    for precision, layout, compiled in itertools.product(
        ("float32", "bfloat16"), ("contiguous", "channels_last"), (False, dict(backend="aot_eager"))
    )
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The run that all others are compared with."""
    folder = tmp_path_factory.mktemp("plain")
    train(folder, custom_hooks=EMA, iterations=8)
    return final_state(folder, 8), read_component(folder / "backbone.safetensors").state


def name_of(settings: dict) -> str:
    return "-".join(str(value) for value in settings.values() if isinstance(value, str)) + (
        "-compiled" if settings["compile_model"] else ""
    )


@pytest.mark.parametrize("settings", COMBINATIONS, ids=name_of)
def test_every_combination_trains_alike_and_resumes(tmp_path, plain, settings):
    settings = dict(settings, custom_hooks=EMA)
    runner = train(tmp_path / "whole", iterations=8, **settings)
    train(tmp_path / "parts", iterations=4, **settings)
    train(tmp_path / "parts", iterations=8, resume=True, **settings)
    whole = final_state(tmp_path / "whole", 8)
    assert differences(whole, final_state(tmp_path / "parts", 8)) == []
    # The same files: keys, shapes, types and, up to the precision, values.
    bound = 0.05 if settings["precision"] == "bfloat16" else 1e-4
    for key in ("state_dict", "ema_state_dict"):
        assert list(whole[key]) == list(plain[0][key])
        for name, value in plain[0][key].items():
            found = whole[key][name]
            assert found.dtype == value.dtype and found.shape == value.shape
            torch.testing.assert_close(found, value, rtol=bound, atol=bound)
    exported = read_component(tmp_path / "whole" / "backbone.safetensors").state
    assert list(exported) == list(plain[1])
    # What is validated is the average, in float32 and not compiled.
    score = whole["message_hub"]["scalars"]["val/tiny/error"]["values"][-1]
    again = build(tmp_path / "again", load_from=str(tmp_path / "whole" / "iter_8.pth"))
    assert again.test()["tiny/error"] == pytest.approx(float(score), rel=1e-5)
    again.close()
    weight = runner.model.backbone.head.weight
    channels_last = settings["memory_format"] == "channels_last"
    tail = runner.model.backbone.tail.weight
    assert tail.is_contiguous(memory_format=torch.channels_last) or not channels_last
    assert weight.dtype == torch.float32
    assert (runner.model.backbone._compiled_call_impl is not None) == bool(
        settings["compile_model"]
    )


def test_a_run_may_change_them_on_resume(tmp_path, capsys):
    train(tmp_path / "run", iterations=4)
    train(
        tmp_path / "run",
        iterations=8,
        resume=True,
        precision="bfloat16",
        memory_format="channels_last",
        compile_model=dict(backend="eager"),
    )
    assert "changed since: precision: bfloat16, was float32" in capsys.readouterr().out
    assert train(tmp_path / "run", iterations=10, resume=True).iter == 10


def test_the_precision_means_a_wrapper(work_dir):
    def type_of(**changes):
        runner = build(work_dir, **changes)
        return runner.optim_wrapper["type"]

    auto = dict(type="AutocastOptimWrapper", optimizer=dict(type="SGD", lr=0.1))
    assert type_of(precision="bfloat16") == "AutocastOptimWrapper"
    assert type_of(precision="float32", optim_wrapper=auto) == "OptimWrapper"
    assert type_of(optim_wrapper=auto) == "AutocastOptimWrapper"
    several = dict(
        constructor="MultiOptimizerConstructor",
        backbone_step=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)),
        loss_step=dict(optimizer=dict(type="SGD", lr=0.1)),
    )
    built = build(work_dir, precision="bfloat16", optim_wrapper=several).optim_wrapper
    assert built["constructor"] == "MultiOptimizerConstructor"
    assert {built[f"{name}_step"]["type"] for name in ("backbone", "loss")} == {
        "AutocastOptimWrapper"
    }
    with pytest.raises(ConfigError, match="'precision' is 'float32', and 'optim_wrapper' is a Amp"):
        build(work_dir, precision="float32", optim_wrapper={**auto, "type": "AmpOptimWrapper"})


def test_without_bfloat16_training_is_in_float32(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engine_wrappers, "bfloat16_fault", lambda device: "no such instructions")
    train(tmp_path / "fallen", precision="bfloat16", iterations=4)
    assert "bfloat16 is not used, training is in float32: no such" in capsys.readouterr().out
    train(tmp_path / "plain", iterations=4)
    fallen, plain = (final_state(tmp_path / name, 4) for name in ("fallen", "plain"))
    assert differences(fallen["state_dict"], plain["state_dict"]) == []
    assert fallen["optimizer"]["state"].keys() == plain["optimizer"]["state"].keys()


def test_what_lacks_bfloat16_is_told(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert "no instructions" in bfloat16_fault(torch.device("cpu"))


def broken_backend(graph, inputs):
    raise RuntimeError("no compiler was found\nin a second line")


def broken_backward(graph, inputs):
    """A backend that compiles the forward pass and not the backward pass."""
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

    def forward(inner, _):
        return make_boxed_func(inner.forward)

    return aot_autograd(fw_compiler=forward, bw_compiler=broken_backend)(graph, inputs)


@pytest.mark.parametrize("backend", [broken_backend, broken_backward])
def test_what_cannot_be_compiled_trains_as_it_is(tmp_path, backend, capsys):
    train(tmp_path / "fallen", iterations=4, custom_hooks=EMA, compile_model=dict(backend=backend))
    said = capsys.readouterr().out
    assert said.count("Images is not compiled, training continues without:") == 1
    assert "no compiler was found" in said
    train(tmp_path / "plain", iterations=4, custom_hooks=EMA)
    assert differences(*(final_state(tmp_path / n, 4) for n in ("fallen", "plain"))) == []


def test_a_mistake_of_the_network_itself_is_raised(work_dir):
    runner = build(work_dir, compile_model=dict(backend="eager"))
    runner.model.backbone.tail = nn.Conv2d(3, 1, 1)
    with pytest.raises(RuntimeError, match="expected input"):
        runner.train()
    runner.close()


def test_sizes_that_change_are_served_and_evaluation_is_not_compiled():
    sizes: list[int] = []

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.layer(x)

    def backend(graph, inputs):
        sizes.append(len(inputs))
        return graph.forward

    network = Network()
    compile_component(network, dict(backend=backend), lambda *_: None)
    plain = copy.deepcopy(network)
    assert plain._compiled_call_impl is None
    for size in (8, 9, 10, 12):
        image = torch.rand(1, 1, size, size)
        assert torch.equal(network(image), plain(image))
    compiled = len(sizes)
    assert 1 <= compiled <= 3  # the second size is compiled for any
    network.eval()
    network(torch.rand(1, 1, 20, 31))
    assert len(sizes) == compiled


def test_the_trial_leaves_no_trace():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    calls = []

    def compiled(x):
        calls.append(x)
        return network.forward(x)

    guard, image = GuardedCall(network, compiled, lambda *_: None), torch.rand(2, 1, 6, 6)
    copied = copy.deepcopy(network)
    torch.manual_seed(0)
    found = guard(image)
    torch.manual_seed(0)
    assert torch.equal(found, copied(image)) and len(calls) == 2
    for one, other in zip(network.buffers(), copied.buffers(), strict=True):
        assert torch.equal(one, other)
    assert all(parameter.grad is None for parameter in network.parameters())
    guard(image)
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"precision": "half"}, "'precision' is 'half', wanted 'float32' or 'bfloat16'"),
        ({"memory_format": "nhwc"}, "'memory_format' is 'nhwc'"),
        ({"compile_model": 3}, "'compile_model' is 3"),
    ],
)
def test_mistakes_are_refused_when_the_config_is_read(options, said):
    with pytest.raises(ConfigError, match=said):
        load_config("edsr/edsr_div2k_x4", options)


@pytest.mark.slow
def test_the_default_compiler_trains_a_network():
    """Inductor, bfloat16 and channels_last at once: the loss falls as it does without."""
    losses: list[float] = []
    said: list[str] = []
    for fast in (False, True):
        torch.manual_seed(0)
        network = BACKBONES.require("EDSR")(scale=2, num_blocks=1, num_features=8)
        if fast:
            network.to(memory_format=torch.channels_last)
            compile_component(network, {}, lambda message, *args: said.append(message))
        kind = AutocastOptimWrapper if fast else OptimWrapper
        wrapper = kind(optimizer=torch.optim.Adam(network.parameters(), lr=1e-3))
        lr, hr = torch.rand(2, 3, 8, 8) * 255, torch.rand(2, 3, 16, 16) * 255
        for _ in range(10):
            with wrapper.optim_context(network):
                out = network(lr)
                loss = (getattr(out, "sr", out).float() - hr).abs().mean()
            wrapper.update_params(loss)
        losses.append(float(loss))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert len(said) == 1 and "is compiled" in said[0]
