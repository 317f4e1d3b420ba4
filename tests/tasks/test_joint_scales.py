"""One network, several scales: one of them is drawn for each training batch."""

from __future__ import annotations

import itertools
import pickle

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from realdeg import create_backbone, create_degradation
from realdeg.config import inject, load_config
from realdeg.datasets import (
    HRFolderDataset,
    MixtureDataset,
    PairedFolderDataset,
    PositionSampler,
    collate_batch,
)
from realdeg.datasets.transforms import PairedCrop
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import TASKS, TRANSFORMS
from realdeg.tasks import SuperResolution
from realdeg.utils.colour import to_colour
from realdeg.utils.component import read_component
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.scales import hr_length, lr_length

NETWORKS = {
    "mdsr": ({"type": "MDSR", "num_blocks": 1, "num_features": 4}, (2, 3, 4)),
    "carn": ({"type": "CARN", "features": 4}, (2, 3, 4)),
    "mslapsrn": (
        {"type": "MSLapSRN", "depth": 1, "recursions": 1, "width": 4},
        (2, 4, 8),
    ),
    "meta": (
        {"type": "MetaSR", "trunk": "edsr", "num_features": 4, "num_blocks": 1, "hidden": 8},
        (1.1, 2.5, 4),
    ),
    "vdsr": ({"type": "VDSR", "depth": 3, "width": 4}, (2, 3, 4)),
}
NOISY = {"type": "Compose", "parts": [{"type": "Bicubic"}, {"type": "AWGN", "sigma": 20}]}
TRAIN = [
    dict(type="PairedCrop", patch_size=32, lr_patch_size=8),
    dict(type="Flip", transpose=True),
    dict(type="PackSample"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, side in (("HR", 48), ("LR", 12)):
        (root / name).mkdir()
        for index in range(3):
            image = rng.integers(0, 256, (side, side + 4 * (side // 12), 3), dtype=np.uint8)
            cv2.imwrite(str(root / name / f"{index}.png"), image)
    return root


def hr_images(photos, **arguments):
    return HRFolderDataset("HR", data_root=photos, seed=5, transforms=TRAIN, **arguments)


def batches(data, count, *, scales=(2, 3, 4), rank=0, world=1, start=0, workers=0, seed=5):
    sampler = PositionSampler(data, 4, seed, rank=rank, world_size=world, scales=scales)
    sampler.start(start)
    loader = DataLoader(
        data, 4 // world, sampler=sampler, num_workers=workers, collate_fn=collate_batch
    )
    return list(itertools.islice(loader, count))


def task(name, degradation=NOISY, **arguments):
    network, scales = NETWORKS[name]
    torch.manual_seed(0)
    arguments = {"scale": 4, "same_size": False, "scales": scales, **arguments}
    return SuperResolution(network, degradation, **arguments)


def batch_of(scale, side=8):
    hr = torch.rand(2, 3, int(side * scale), int(side * scale))
    flags = torch.tensor([False, False])
    return dict(hr=hr, lr=None, paired=flags, seeds=[1, 2], key=["a", "b"], scale=scale)


class TestDrawing:
    def test_a_batch_has_one_scale_and_its_lr_patches_one_size(self, photos):
        found = batches(hr_images(photos), 12)
        assert {batch["scale"] for batch in found} == {2, 3, 4}
        for batch in found:
            assert batch["hr"].shape == (4, 3, 8 * batch["scale"], 8 * batch["scale"])

    def test_every_scale_is_as_likely(self):
        sampler = PositionSampler(range(10), 2, 7, scales=(2, 3, 4))
        drawn = [sampler.scale_at(iteration) for iteration in range(3000)]
        assert all(abs(drawn.count(scale) - 1000) < 100 for scale in (2, 3, 4))
        other = PositionSampler(range(10), 2, 8, scales=(2, 3, 4))
        assert drawn != [other.scale_at(iteration) for iteration in range(3000)]

    def test_workers_resumes_and_processes_change_nothing(self, photos):
        data = hr_images(photos)
        whole = batches(data, 4)
        for again in (batches(data, 4, workers=1), whole[:2] + batches(data, 2, start=2)):
            for one, other in zip(whole, again, strict=True):
                assert one["scale"] == other["scale"] and torch.equal(one["hr"], other["hr"])
        parts = [batches(data, 4, rank=rank, world=2) for rank in range(2)]
        for one, first, second in zip(whole, *parts, strict=True):
            assert one["scale"] == first["scale"] == second["scale"]
            assert torch.equal(one["hr"], torch.cat([first["hr"], second["hr"]]))

    def test_without_scales_nothing_is_said(self, photos):
        (batch,) = batches(hr_images(photos, scale=4), 1, scales=None)
        assert "scale" not in batch and batch["hr"].shape[-1] == 32

    def test_the_scale_goes_through_mixtures(self, photos):
        inner = MixtureDataset([hr_images(photos), hr_images(photos)], [1, 2], seed=5)
        found = batches(MixtureDataset([inner, hr_images(photos)], [1, 1], seed=5), 6)
        assert len({batch["scale"] for batch in found}) > 1
        assert all(batch["hr"].shape[-1] == 8 * batch["scale"] for batch in found)

    def test_a_real_pair_has_its_own_scale(self, photos):
        data = PairedFolderDataset("HR", "LR", data_root=photos, scale=4, transforms=TRAIN)
        with pytest.raises(GeometryError, match="'0' is a real pair with a scale of its own"):
            data[0, 0, 4]

    def test_numbers_that_are_no_scales(self):
        for scales in ((), (0.5, 2)):
            with pytest.raises(
                ConfigError, match="PositionSampler: scales is .*, wanted a list of numbers from 1"
            ):
                PositionSampler(range(10), 2, 7, scales=scales)

    def test_samples_of_two_scales_are_no_batch(self, photos):
        data = hr_images(photos)
        with pytest.raises(DataError, match="one scale, and its samples are of 2 and 3"):
            collate_batch([data[0, 0, 2], data[1, 1, 3]])


class TestCrop:
    @pytest.mark.parametrize(
        ("scale", "side"), [(1.1, 55), (2, 100), (2.3, 115), (3.9, 195), (4, 200)]
    )
    def test_lr_patch_size(self, scale, side):
        crop = TRANSFORMS.build(dict(type="PairedCrop", patch_size=200, lr_patch_size=50))
        assert self.cut(crop, scale, 220) == (side, side)
        with pytest.raises(DataError, match="smaller than the patch of 200"):
            self.cut(crop, scale, 199)

    def test_the_patch_bounds_it(self):
        crop = TRANSFORMS.build(dict(type="CentreCrop", patch_size=50, lr_patch_size=48))
        assert [self.cut(crop, scale, 64)[0] for scale in (1, 2, 3, 4)] == [48, 50, 48, 48]

    def test_each_scale_may_have_a_size(self):
        crop = PairedCrop(192, dict(x2=48, x4=36, x8=24))
        assert [self.cut(crop, scale, 200)[0] for scale in (2, 4, 8)] == [96, 144, 192]
        with pytest.raises(ConfigError, match="has x2, x4, x8, and the scale is 3: add x3"):
            self.cut(crop, 3, 200)

    @pytest.mark.parametrize("size", [0, 2.5, True, "48", {"x2": 0}])
    def test_what_is_no_size(self, size):
        with pytest.raises(
            ConfigError, match="lr_patch_size is .*, wanted a whole number, 1 or more"
        ):
            PairedCrop(200, size)

    @staticmethod
    def cut(crop, scale, side):
        from realdeg.utils.streams import Stream

        image = np.zeros((side, side, 3), np.uint8)
        sample = dict(hr=image, key="k", meta={}, scale=scale, same_size=False)
        return crop({**sample, "stream": Stream(0, 0)})["hr"].shape[:2]


class TestTask:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_degradation_network_and_loss_follow_the_batch(self, name):
        # Compose comes in whole scales.
        cfg = {"type": "Bicubic"} if name == "meta" else NOISY
        loss = {"type": "WeightedLoss", "terms": [{"type": "L1Loss"}]}
        model = task(name, cfg, loss=loss)
        for scale in model.scales:
            batch = batch_of(scale)
            lr = model.low_resolution(batch)
            hr = to_colour(batch["hr"], model.backbone.colour)
            wanted = create_degradation(cfg, scale=scale, same_size=False)(hr, batch["seeds"])
            assert torch.equal(lr, round_to_8_bit(wanted)) and lr.shape[-2:] == (8, 8)
            assert model(batch, "tensor").shape == hr.shape
            model.zero_grad()
            sum(model(batch, "loss").values()).backward()
            assert any(p.grad is not None for p in model.parameters())

    def test_only_the_drawn_scale_learns(self):
        model = task("carn")
        model(batch_of(3), "loss")["loss"].backward()
        heads = {name: p.grad for name, p in model.named_parameters() if ".heads.up" in name}
        assert {name.split(".")[2] for name in heads} == {"up2", "up3", "up4"}
        assert all((grad is not None) == (".up3." in name) for name, grad in heads.items())

    def test_every_tenth_of_the_published_training(self):
        model = task("meta", {"type": "Bicubic"}, scales=[tenths / 10 for tenths in range(11, 41)])
        for scale in model.scales:
            batch = batch_of(scale, side=50)
            batch["hr"] = torch.rand(1, 3, hr_length(50, scale), hr_length(50, scale))
            batch["paired"], batch["seeds"] = torch.tensor([False]), [1]
            assert model.low_resolution(batch).shape[-2:] == (50, 50), scale
            small = torch.rand(1, 3, 9, 9)
            sr = model.backbone(small, scale=scale)
            assert sr.shape[-1] == hr_length(9, scale)

    def test_the_three_places_make_the_same_lr(self, photos):
        data = hr_images(photos)
        items = [data[0, 0, 3], data[1, 1, 3]]
        wanted = task("mdsr").low_resolution(collate_batch(items))
        assert wanted.shape == (2, 3, 8, 8)
        collate = task("mdsr", degrade_in="workers").collate_with(collate_batch)
        batch = pickle.loads(pickle.dumps(collate))(items)  # noqa: S301 - as spawned workers do
        assert torch.equal(batch["lr"], wanted)
        ahead = task("mdsr", degrade_in="prefetch")
        assert torch.equal(ahead.prepare(collate_batch(items))["lr"], wanted)

    def test_a_degradation_among_the_transforms(self, photos):
        degrade = dict(type="Degrade", degradation=NOISY, quantise=True)
        steps = [TRAIN[0], degrade, dict(type="PackSample")]
        data = HRFolderDataset("HR", data_root=photos, seed=5, transforms=steps)
        batch = collate_batch([data[0, 0, 3], data[1, 1, 3]])
        assert batch["lr"].shape == (2, 3, 8, 8) and batch["scale"] == 3
        ours = {**batch, "lr": None, "paired": torch.tensor([False, False])}
        model = task("mdsr")
        assert torch.equal(model.low_resolution(ours), batch["lr"])
        assert model(batch, "tensor").shape == batch["hr"].shape

    def test_the_degradation_of_a_batch(self):
        model = task("mdsr")
        assert [model.degradation_for({"scale": scale}).scale for scale in (2, 3)] == [2, 3]
        assert model.degradation_for({}) is model.active_degradation
        assert task("mdsr", None).degradation_for({"scale": 2}) is None

    def test_validation_has_the_scale_of_the_run(self):
        model = task("mdsr").eval()
        batch = {**batch_of(4), "meta": [{}, {}]}
        del batch["scale"]
        with torch.no_grad():
            first, _ = model(batch, "predict")
        assert first["scale"] == 4 and first["prediction"].shape == first["target"].shape
        assert first["input"].shape[-1] == 8

    def test_the_exported_network_serves_them_all(self, tmp_path):
        model = task("mdsr")
        model.export(tmp_path / "b.safetensors", {})
        again = create_backbone(str(tmp_path / "b.safetensors"))
        lr = torch.rand(1, 3, 8, 8)
        for scale in (2, 3, 4):
            assert torch.equal(again(lr, scale=scale), model.backbone(lr, scale=scale))
        assert read_component(tmp_path / "b.safetensors").meta["scales"] == [2, 3, 4]

    def test_frozen_degradations_stay_outside(self):
        model = task("mdsr").double()
        assert not any("degradation" in name for name in model.state_dict())
        assert model.active_degradation.scale == 4
        model.train()
        degradations = model._low_resolution().by_scale
        assert sorted(degradations) == [2, 3, 4] and not any(
            one.training for one in degradations.values()
        )


class TestRefusals:
    @pytest.mark.parametrize("scales", [(), (2, 2), ("2", 3), (2, 0.5), (2, True), 3, (2, 2.0)])
    def test_what_are_no_scales(self, scales):
        with pytest.raises(ConfigError, match=r"scales is .*, wanted (a list|each scale once)"):
            task("mdsr", scales=scales)

    @pytest.mark.parametrize(
        ("network", "scales", "named"),
        [
            ({"type": "EDSR", "num_blocks": 1, "num_features": 4}, (2, 4), "scale 2, but EDSR"),
            ({"type": "MDSR", "num_blocks": 1, "multi_scale": False}, (3, 4), "scale 3, but MDSR"),
            (NETWORKS["mdsr"][0], (2, 8), "scale 8, but MDSR"),
            (NETWORKS["carn"][0], (2, 2.5), "scale 2.5, but CARN"),
        ],
    )
    def test_a_network_that_does_not_serve_a_scale(self, network, scales, named):
        with pytest.raises(GeometryError, match=f"model.scales draws {named}.* several scales"):
            SuperResolution(network, {"type": "Bicubic"}, scale=4, same_size=False, scales=scales)

    def test_a_learned_degradation_has_one_scale(self, tmp_path):
        learned = create_degradation({"type": "GlobalKernel", "kernel_size": 3}, 4, False)
        learned.save(tmp_path / "d.safetensors")
        for given in (str(tmp_path / "d.safetensors"), create_degradation({"type": "Bicubic"}, 4)):
            with pytest.raises(GeometryError, match="draws scale 2, which .* was made for scale=4"):
                task("mdsr", given)
        with pytest.raises(ConfigError, match="has not been learned"):
            task("mdsr", {"type": "GlobalKernel"})

    def test_a_part_that_states_its_scale(self):
        parts = [{"type": "Bicubic", "scale": 4}]
        with pytest.raises(GeometryError, match=r"draws scale 2, .* shrink 4 times"):
            task("mdsr", {"type": "Compose", "parts": parts})

    def test_a_degradation_of_whole_scales(self):
        with pytest.raises(GeometryError, match=r"draws scale 1.1, which the degradation"):
            task("meta", {"type": "SRMD"})

    def test_joint_training_of_the_degradation(self):
        with pytest.raises(ConfigError, match="trained jointly has one scale"):
            task("mdsr", {"type": "GlobalKernel"}, train_degradation=True)

    def test_lr_on_the_hr_grid(self):
        with pytest.raises(GeometryError, match=r"same_size=True VDSR keeps the size.*joint.py"):
            task("vdsr", {"type": "Bicubic"}, same_size=True)

    def test_a_sampler_that_draws_none(self, photos):
        collate = task("mdsr").collate_with(collate_batch)
        data = hr_images(photos, scale=4)
        with pytest.raises(ConfigError, match=r"has scale None: .*scales=\[2, 3, 4\]"):
            collate([data[0, 0]])
        with pytest.raises(ConfigError, match="has scale 1.5"):
            collate([data[0, 0, 1.5]])
        assert collate([data[0, 0, 3]])["scale"] == 3


RECIPES = {
    "mdsr/mdsr_div2k_multiscale_x4": ([2, 3, 4], 16, [48, 48, 48], 650_000),
    "mdsr/mdsr_t91_multiscale_x4_cpu": ([2, 3, 4], 8, [12, 12, 12], 1200),
    "carn/carn_div2k_multiscale_x4": ([2, 3, 4], 64, [64, 64, 64], 600_000),
    "mslapsrn/mslapsrn_291_multiscale_x4": ([2, 4, 8], 64, [64, 32, 16], 400_000),
    "prosr/prosr_div2k_multiscale_x8": ([2, 4, 8], 16, [48, 36, 24], 300_000),
    "meta_sr/meta_sr_div2k_multiscale_x4": (
        [n / 10 for n in range(11, 41)],
        16,
        [50] * 30,
        1_000_000,
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    scales, size, sides, iterations = RECIPES[name]
    cfg = inject(load_config(name))
    with torch.device("meta"):
        model = TASKS.build(cfg.model.to_dict())
    assert list(model.scales) == scales and name.removesuffix("_cpu").endswith(f"x{cfg.scale}")
    assert cfg.train_dataloader.batch_size == size and cfg.train_cfg.max_iters == iterations
    crop = TRANSFORMS.build(cfg.train_dataloader.dataset.transforms[0].to_dict())
    image_side = crop.patch_size + 1
    cut = [TestCrop.cut(crop, scale, image_side)[0] for scale in scales]
    assert [lr_length(side, scale) for side, scale in zip(cut, scales, strict=True)] == sides
    # Parts of scales that are not drawn get no gradient, which several processes have to know.
    assert not model.uses_all_parameters


def test_weights_of_levels_at_every_scale():
    cfg = inject(load_config("mslapsrn/mslapsrn_291_multiscale_x4"))
    loss = TASKS.build({**cfg.model.to_dict(), "backbone": NETWORKS["mslapsrn"][0]}).loss
    weights = {"sr": 128**2, "half": 64**2, "quarter": 32**2}
    for names in (("sr",), ("sr", "half"), ("sr", "half", "quarter")):
        assert loss._weights(list(names), loss.outputs) == {name: weights[name] for name in names}


def test_a_batch_survives_the_way_to_the_device():
    (moved,) = task("mdsr").data_preprocessor(batch_of(3))
    assert moved["scale"] == 3
