from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch

import realdeg
from realdeg.apis.interpolation import RELATED, blended, network_distance
from realdeg.backbones import VDSR, SRResNet
from realdeg.cli.main import main
from realdeg.errors import CheckpointError, ConfigError, OutputError
from realdeg.utils.component import read_component, save_component


def network(seed=0, cls=VDSR, **arguments):
    torch.manual_seed(seed)
    net = cls(**{**cls.example_arguments, **arguments})
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return net


def fine_tuned(net, seed=1, size=0.02):
    torch.manual_seed(seed)
    other = copy.deepcopy(net)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            if tensor.is_floating_point():
                tensor += size * torch.randn_like(tensor).abs()
            else:
                tensor += 7
    return other


def save(net, path, **meta):
    save_component(
        path,
        net,
        kind="backbone",
        type=type(net).__name__,
        arguments=net.arguments,
        meta=meta,
    )
    return path


@pytest.fixture
def ends(tmp_path):
    first = network(cls=SRResNet)
    paths = tmp_path / "l1.safetensors", tmp_path / "gan.safetensors"
    save(first, paths[0], objective="L1Loss")
    save(fine_tuned(first), paths[1], objective="GANLoss", sample=True)
    return paths


def test_every_tensor_is_blended_in_float64(ends, tmp_path):
    made = realdeg.interpolate_networks(*ends, tmp_path / "net.safetensors", 0.3)
    first, second = (read_component(path) for path in ends)
    file = read_component(tmp_path / "net.safetensors")
    names = [name for name in first.state if first.state[name].is_floating_point()]
    assert any("running_var" in name for name in names)
    for name in names:
        a, b = (one.state[name].double().numpy() for one in (first, second))
        expected = (0.7 * a + 0.3 * b).astype(np.float32)
        assert np.array_equal(file.state[name].numpy(), expected), name
    counters = [name for name in first.state if name.endswith("num_batches_tracked")]
    assert counters and all(int(file.state[name]) == 7 for name in counters)
    assert made.networks[0].hash == file.hash
    assert file.meta["interpolated"] == {
        "alpha": 0.3,
        "first": {"hash": first.hash, "file": "l1.safetensors"},
        "second": {"hash": second.hash, "file": "gan.safetensors"},
    }
    assert file.meta["objective"] == "0.7 of (L1Loss) and 0.3 of (GANLoss)"
    assert file.meta["sample"] is True
    assert realdeg.create_backbone(tmp_path / "net.safetensors", trained=True).scale == 2


def test_ends_are_kept_and_bytes_are_reproducible(ends, tmp_path):
    out = tmp_path / "net.safetensors"
    made = realdeg.interpolate_networks(*ends, out, [0, 0.5, 1])
    paths = [network.path for network in made.networks]
    assert [path.name for path in paths] == [
        f"net_alpha_{share}.safetensors" for share in ("0", "0.5", "1")
    ]
    for end, path in ((ends[0], paths[0]), (ends[1], paths[2])):
        one, other = read_component(end), read_component(path)
        floating = [name for name in one.state if one.state[name].is_floating_point()]
        assert all(torch.equal(one.state[name], other.state[name]) for name in floating)
    before = paths[1].read_bytes()
    with pytest.raises(OutputError, match="already there"):
        realdeg.interpolate_networks(*ends, out, [0, 0.5, 1])
    realdeg.interpolate_networks(*ends, out, [0, 0.5, 1], overwrite=True)
    assert paths[1].read_bytes() == before


def test_the_distance_against_numpy():
    first = network().state_dict()
    second = fine_tuned(network()).state_dict()
    distance = network_distance(first, second)
    kernels = [name for name in first if first[name].ndim > 1]
    a, b = (
        np.concatenate([state[name].double().numpy().ravel() for name in kernels])
        for state in (first, second)
    )
    size = np.sqrt((a @ a + b @ b) / 2)
    assert distance.relative == pytest.approx(np.linalg.norm(a - b) / size)
    assert distance.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert set(distance.tensors) == set(first) and distance.furthest(1)[0][1] == max(
        distance.tensors.values()
    )
    same = network_distance(first, first)
    assert (same.relative, same.cosine) == (0, pytest.approx(1))


def test_unrelated_networks_are_told(tmp_path, caplog):
    paths = [save(network(seed), tmp_path / f"{seed}.safetensors") for seed in (0, 1)]
    with caplog.at_level("WARNING", "realdeg"):
        made = realdeg.interpolate_networks(*paths, tmp_path / "net.safetensors")
    assert not made.distance.related and abs(made.distance.cosine) < RELATED
    assert "look unrelated" in caplog.text
    caplog.clear()
    save(fine_tuned(network(0), size=0.001), tmp_path / "1.safetensors")
    made = realdeg.interpolate_networks(*paths, tmp_path / "net.safetensors", overwrite=True)
    assert made.distance.related and "unrelated" not in caplog.text


@pytest.mark.parametrize(
    ("other", "error", "sentence"),
    [
        (lambda: network(cls=SRResNet), ConfigError, "is of type VDSR, .* of type SRResNet"),
        (lambda: network(depth=5), ConfigError, "depth of the first network is .* and of the"),
        (lambda: network(scale=3), ConfigError, "scale of the first network is 2 and of .* 3"),
    ],
)
def test_strangers_are_refused(tmp_path, other, error, sentence):
    first = save(network(), tmp_path / "a.safetensors")
    second = save(other(), tmp_path / "b.safetensors")
    with pytest.raises(error, match=sentence):
        realdeg.interpolate_networks(first, second, tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()


def test_whole_numbers_must_agree(tmp_path):
    nets = [network(), network()]
    for number, net in enumerate(nets):
        net.register_buffer("order", torch.tensor([0, number]))
    with pytest.raises(CheckpointError, match="order holds no floating-point numbers and differs"):
        realdeg.interpolate_networks(*nets, tmp_path / "c.safetensors")


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan"), True, [], [0.2, 0.2], [0.2, "a"]])
def test_wrong_alphas(ends, tmp_path, alpha):
    with pytest.raises(ConfigError, match="alpha"):
        realdeg.interpolate_networks(*ends, tmp_path / "c.safetensors", alpha)


def test_half_precision_and_the_ends_of_blending():
    one = {"w": torch.tensor([1.0, 2.0], dtype=torch.float16)}
    other = {"w": torch.tensor([float("3"), 4.0], dtype=torch.float16)}
    assert blended(one, other, 0.5)["w"].dtype == torch.float16
    assert blended(one, other, 0.5)["w"].tolist() == [2, 3]
    made = blended(one, other, 0)["w"]
    assert made.tolist() == [1, 2] and made.data_ptr() != one["w"].data_ptr()


def test_runs_and_checkpoints(tmp_path):
    from realdeg.engine.checkpoint import write_checkpoint

    net, run = network(), tmp_path / "run"
    run.mkdir()
    meta = {"component": {"kind": "backbone", "type": "VDSR", "arguments": net.arguments}}
    for iteration, shift in ((1, 5.0), (2, 0.01)):
        state = {f"backbone.{n}": t + shift for n, t in net.state_dict().items()}
        write_checkpoint(run / f"iter_{iteration}.pth", {"meta": meta, "state_dict": state})
    first = save(net, tmp_path / "a.safetensors")
    made = realdeg.interpolate_networks(first, run, tmp_path / "c.safetensors", 1)
    found = read_component(tmp_path / "c.safetensors").state
    assert all(torch.equal(found[n], t + 0.01) for n, t in net.state_dict().items())
    assert made.networks[0].alpha == 1
    meta["component"]["kind"] = "degradation"
    write_checkpoint(tmp_path / "iter_3.pth", {"meta": meta, "state_dict": state})
    with pytest.raises(CheckpointError, match="checkpoint of a degradation"):
        realdeg.interpolate_networks(first, tmp_path / "iter_3.pth", tmp_path / "d.safetensors")


def test_command(ends, tmp_path, capsys):
    words = ["interpolate", *map(str, ends), "--out", str(tmp_path / "c.safetensors")]
    assert main([*words, "--alpha", "0.25", "0.75"]) == 0
    out = capsys.readouterr().out
    assert "cosine" in out and "c_alpha_0.25.safetensors: alpha 0.25" in out
    assert main([*words, "--alpha", "0.25", "0.75"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--plot", "x.png"]) == 2
    assert "--test" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*words, "--alpha", "2"])


def test_the_curve(tmp_path, capsys):
    config = "sr_resnet/sr_resnet_t91_x4_cpu"
    first = network(cls=SRResNet, scale=4)
    save(first, tmp_path / "l1.safetensors", sample=True)
    save(fine_tuned(first), tmp_path / "gan.safetensors", sample=True)
    ends = (tmp_path / "l1.safetensors", tmp_path / "gan.safetensors")
    words = ["interpolate", *map(str, ends), "--out", str(tmp_path / "c.safetensors")]
    words += ["--alpha", "0", "1", "--test", config, "--sample", "--device", "cpu"]
    assert main([*words, "--axes", "psnr", "psnr"]) == 2
    assert "two different metrics" in capsys.readouterr().err
    plot = tmp_path / "curve.png"
    assert main([*words, "--axes", "psnr", "ssim", "--plot", str(plot)]) == 0
    assert plot.is_file() and "| alpha | psnr[benchmark-y] |" in capsys.readouterr().out
    record = json.loads((tmp_path / "c_trade_off" / "trade_off.json").read_text())
    assert record["axes"] == ["psnr[benchmark-y]", "ssim[benchmark-y]"]
    assert [each["alpha"] for each in record["networks"]] == [0, 1]
    assert main([*words, "--axes", "psnr", "niqe", "--overwrite"]) == 2
    assert "measures no 'niqe'" in capsys.readouterr().err
