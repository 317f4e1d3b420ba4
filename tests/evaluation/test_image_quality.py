import logging
import math
import sys
import types

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from realdeg.errors import ConfigError, DataError
from realdeg.evaluation import ImageQuality, Protocol, measure
from realdeg.evaluation.metrics import PerceptualUnavailableError, load_lpips, lpips_distance
from realdeg.registry import METRICS


def sample(key, height=24, width=28, seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(3, height, width, generator=generator)
    noise = 0.05 * torch.randn(3, height, width, generator=generator)
    return {"key": key, "prediction": target + noise, "target": target, "scale": 4, **changes}


def test_means_and_per_image_values():
    metric = ImageQuality("benchmark-y", metrics=["psnr", "ssim", "gmsd"])
    batch = [sample("a", seed=1), sample("b", seed=2), sample("c", seed=3)]
    metric.process(None, batch[:2])
    metric.process({}, batch[2:])
    found = metric.evaluate(3)
    assert list(found) == ["psnr[benchmark-y]", "ssim[benchmark-y]", "gmsd[benchmark-y]"]
    expected = [
        measure(item["prediction"], item["target"], "benchmark-y", ["psnr"], scale=4)
        for item in batch
    ]
    values = [next(iter(item.values()))[0] for item in expected]
    assert found["psnr[benchmark-y]"] == pytest.approx(np.mean(values), abs=1e-12)
    assert [scores.key for scores in metric.per_image] == ["a", "b", "c"]
    assert [scores.mean()["psnr[benchmark-y]"] for scores in metric.per_image] == values
    assert metric.averages == found and metric.missing == {} and metric.results == []


def test_large_images_weigh_by_their_tiles():
    protocol = Protocol(name="tiles", tile=16, stride=16)
    metric = ImageQuality(protocol, metrics=["psnr"])
    small, large = sample("small", 12, 12, seed=4), sample("large", 32, 32, seed=5)
    large["prediction"] = large["target"] + 0.5 * (large["prediction"] - large["target"])
    metric.process(None, [small, large])
    found = metric.evaluate(2)["psnr[tiles]"]
    first, second = (scores.samples["psnr[tiles]"] for scores in metric.per_image)
    assert len(first) == 1 and len(second) == 9
    assert found == pytest.approx((sum(first) + sum(second)) / 10, abs=1e-12)


def test_equal_images_give_infinity():
    metric = ImageQuality("rgb")
    item = sample("same")
    metric.process(None, [{**item, "prediction": item["target"]}])
    assert metric.evaluate(1) == {"psnr[rgb]": math.inf, "ssim[rgb]": pytest.approx(1)}


def test_luma_predictions():
    item = sample("luma")
    luma_only = {**item, "prediction": torch.rand(1, 24, 28)}
    metric = ImageQuality("realsr-official")
    metric.process(None, [luma_only])
    assert set(metric.evaluate(1)) == {"psnr[realsr-official]", "ssim[realsr-official]"}
    metric = ImageQuality("rgb")
    with pytest.raises(DataError, match="image 'luma': protocol 'rgb' needs RGB"):
        metric.process(None, [luma_only])
    metric.process(None, [{**luma_only, "prediction_rgb": item["prediction"]}])
    assert metric.evaluate(1)["psnr[rgb]"] < 40


def test_the_evaluator_builds_it_and_prefixes_tell_apart():
    evaluator = Evaluator(
        [
            METRICS.build({"type": "ImageQuality", "protocol": "rgb", "prefix": "canon"}),
            METRICS.build({"type": "ImageQuality", "protocol": {"base": "rgb", "border": 2}}),
        ]
    )
    evaluator.process([sample("a")], None)
    found = evaluator.evaluate(1)
    assert {"canon/psnr[rgb]", "psnr[rgb,border=2]"} <= set(found)


def test_errors_name_the_image():
    metric = ImageQuality("realsr-official", metrics=["ms_ssim"])
    with pytest.raises(DataError, match="image 'tiny'.*at least 176"):
        metric.process(None, [sample("tiny")])
    with pytest.raises(DataError, match="image 'bare' has no target"):
        metric.process(None, [{"key": "bare", "prediction": torch.rand(3, 8, 8)}])


@pytest.mark.parametrize("wrong", [["pnsr"], "psnr", [], ["psnr", "psnr"]])
def test_wrong_metrics_are_refused(wrong):
    with pytest.raises(ConfigError, match="metric"):
        ImageQuality("rgb", metrics=wrong)


def test_two_ranks_give_what_one_gives(monkeypatch):
    """The gathering is mmengine's: results of rank r are images r, r + 2, ..., the doubles last."""
    items = [sample(key, seed=index) for index, key in enumerate("abc")]
    alone = ImageQuality("rgb")
    alone.process(None, items)
    expected = alone.evaluate(3)

    ranks = [ImageQuality("rgb"), ImageQuality("rgb")]
    ranks[0].process(None, [items[0], items[2]])
    ranks[1].process(None, [items[1], items[0]])  # the double that fills the last batch
    gathered = [scores for pair in zip(*(r.results for r in ranks), strict=True) for scores in pair]
    monkeypatch.setattr(
        "mmengine.evaluator.metric.collect_results", lambda results, size, *_, **__: gathered[:size]
    )
    assert ranks[0].evaluate(3) == expected
    assert [scores.key for scores in ranks[0].per_image] == ["a", "b", "c"]


def distributed_worker(rank, folder):
    import torch.distributed as dist

    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    metric = ImageQuality("rgb", collect_dir=f"{folder}/exchange")
    for index in ((0, 2), (1, 0))[rank]:
        metric.process(None, [sample("abc"[index], seed=index)])
    torch.save(metric.evaluate(3), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    alone = ImageQuality("rgb")
    alone.process(None, [sample(key, seed=index) for index, key in enumerate("abc")])
    expected = alone.evaluate(3)
    torch.multiprocessing.spawn(distributed_worker, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == expected


def lpips_metric(weights):
    return ImageQuality("rgb", metrics=["psnr", "lpips"], lpips_weights=weights)


def check_missing(metric, reason):
    metric.process(None, [sample("a"), sample("b")])
    assert set(metric.evaluate(2)) == {"psnr[rgb]"}
    assert reason in metric.missing["lpips[alex-v0.1]"]
    assert reason in metric.per_image[1].missing["lpips[alex-v0.1]"]


def test_missing_lpips_weights_are_said_once_and_the_run_goes_on(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        "realdeg.evaluation.base.print_log",
        lambda message, logger, level: said.append((message, level)),
    )
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    check_missing(lpips_metric(None), "there is no file")
    check_missing(lpips_metric(str(tmp_path / "absent.pth")), "absent.pth")
    assert [level for _, level in said] == [logging.WARNING] * 2
    assert all("n/a" in message for message, _ in said)


def test_a_torchvision_that_does_not_fit_torch(tmp_path, monkeypatch):
    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("operator torchvision::nms does not exist")

    (tmp_path / "alex.pth").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "lpips", Broken("lpips"))
    check_missing(lpips_metric(str(tmp_path / "alex.pth")), "torchvision::nms does not exist")


def alexnet(path, seed=0):
    """AlexNet's convolutions with random weights, in torchvision's names."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        0: (64, 3, 11),
        3: (192, 64, 5),
        6: (384, 192, 3),
        8: (256, 384, 3),
        10: (256, 256, 3),
    }
    state = {}
    for index, (out, into, size) in shapes.items():
        weight = torch.randn(out, into, size, size, generator=generator)
        state[f"features.{index}.weight"] = weight / math.sqrt(into * size * size / 2)
        state[f"features.{index}.bias"] = torch.zeros(out)
    torch.save(state, path)
    return str(path)


def test_lpips_with_weights(tmp_path):
    path = alexnet(tmp_path / "alex.pth")
    before = torch.get_rng_state()
    try:
        network = load_lpips(path)
    except PerceptualUnavailableError as error:
        pytest.skip(f"lpips does not load here: {error}")
    assert torch.equal(before, torch.get_rng_state())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    x = 255 * torch.rand(3, 64, 64, dtype=torch.float64)
    slightly, strongly = x + torch.randn_like(x), x + 40 * torch.randn_like(x)
    assert lpips_distance(network, x, x) == 0
    assert 0 < lpips_distance(network, x, slightly) < lpips_distance(network, x, strongly)

    metric = lpips_metric(path)
    metric.process(None, [sample("a", 64, 64)])
    assert metric.evaluate(1)["lpips[alex-v0.1]"] > 0
    metric.process(None, [sample("a", 64, 64), sample("tiny", 12, 12)])
    assert set(metric.evaluate(2)) == {"psnr[rgb]"}
    assert "image 'tiny'" in metric.missing["lpips[alex-v0.1]"]
    metric = ImageQuality("realsr-official", metrics=["lpips"], lpips_weights=path)
    metric.process(None, [sample("luma", prediction=torch.rand(1, 24, 28))])
    assert metric.evaluate(1) == {} and "only Y" in metric.missing["lpips[alex-v0.1]"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_damaged_lpips_weights(tmp_path, content):
    pytest.importorskip("torchvision", exc_type=Exception)
    (tmp_path / "alex.pth").write_bytes(content)
    with pytest.raises(PerceptualUnavailableError, match="cannot use .*alex.pth"):
        load_lpips(tmp_path / "alex.pth")
