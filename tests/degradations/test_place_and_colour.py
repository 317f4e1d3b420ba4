"""Degradations that see where an image lies in its photo, and that treat colours differently."""

import pytest
import torch

from realdeg import Degrader
from realdeg.datasets import HRFolderDataset
from realdeg.degradations import DML, Compose, SampleCamera, Trace, kernels_of
from realdeg.degradations.trace import TRACE_VERSION
from realdeg.errors import ConfigError, DataError
from realdeg.evaluation.kernel_rings import error_by_radius
from realdeg.ops import pixel_kernel_apply
from realdeg.tasks import DegradationLearning
from realdeg.utils.image import write_image
from realdeg.utils.place import Place

LENS = dict(scale=2, content=0.25, position=0.0, radial=1.0, lateral=1.5, noise=False)
SMALL = dict(scale=2, num_kernels=3, kernel_size=7, width=4, levels=1)
FORMS = [
    dict(position=True),
    dict(colour="weights"),
    dict(colour="bases"),
    dict(position=True, colour="weights", activation="softmax", init="gaussian_bank"),
    dict(position=True, colour="bases", renormalise=True, nonnegative=True, lr_grid="pool"),
]


def photo(height=64, width=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 4, width // 4, generator=generator)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


def made(**options):
    torch.manual_seed(0)
    return DML(**{**SMALL, **options}).eval().requires_grad_(False)


class TestDML:
    def test_what_is_switched_off_is_in_no_hash_and_no_state_dict(self):
        plain = made()
        assert not {"position", "without_place", "colour"} & set(plain.arguments)
        assert plain.network.head.weight.shape[1] == 4  # 2 x 2 sub-images of luma
        assert plain.bases.shape == (3, 7, 7)
        assert not plain.uses_place and not plain.needs_rgb
        (trace,) = plain.sample(photo(), [0], [Place.whole(64, 96)])
        assert "place" not in trace.params
        assert made(position=True).arguments["position"] is True

    @pytest.mark.parametrize("form", FORMS, ids=str)
    def test_the_trace_alone_gives_the_same_lr(self, form):
        dml, hr = made(**form), photo().expand(2, -1, -1, -1)
        places = [Place.whole(64, 96), Place(30, 100, 64, 96, 200, 300)]
        traces = [Trace.from_json(t.to_json()) for t in dml.sample(hr, [1, 2], places)]
        lr = dml.replay(hr, traces)
        assert torch.equal(lr, dml.forward_at(hr, [1, 2], places))
        assert lr.shape == (2, 3, 32, 48)
        assert torch.equal(lr[0], lr[1]) != dml.position

    @pytest.mark.parametrize("form", FORMS, ids=str)
    def test_lr_is_the_field_of_kernels_that_it_states(self, form):
        dml, hr = made(**form), photo()
        place = Place(30, 100, 64, 96, 200, 300)
        lr = dml.forward_at(hr, [0], [place])
        points = [(y, x) for y in range(32) for x in range(48)]
        kernels = dml.channel_kernels_at(hr, points, place)
        assert kernels.shape == (len(points), 3, 7, 7)
        for channel in range(3):
            field = kernels[:, channel].flatten(1).t().reshape(1, 49, 32, 48)
            one = pixel_kernel_apply(hr[:, channel : channel + 1], field, 2)
            torch.testing.assert_close(one[:, 0], lr[:, channel], atol=1e-5, rtol=0)

    @pytest.mark.parametrize("form", FORMS, ids=str)
    def test_a_grey_image_gets_the_kernels_of_grey(self, form):
        dml, place = made(**form), Place.whole(64, 96)
        grey = photo()[:, :1]
        lr = dml.forward_at(grey, [0], [place])
        points = [(5, 7), (20, 40)]
        kernels = dml.kernels_at(grey, points, place)
        padded = torch.nn.functional.pad(grey, (3, 4, 3, 4), mode="reflect")[0, 0]
        for (y, x), kernel in zip(points, kernels, strict=True):
            window = padded[2 * y : 2 * y + 7, 2 * x : 2 * x + 7]
            assert float((window * kernel).sum()) == pytest.approx(float(lr[0, 0, y, x]), abs=1e-5)

    def test_grey_kernels_are_the_mean_of_the_channels(self):
        dml, place = made(position=True, colour="weights"), Place.whole(64, 96)
        points = [(3, 4), (9, 30)]
        channels = dml.channel_kernels_at(photo(), points, place)
        shares = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        torch.testing.assert_close(
            dml.kernels_at(photo(), points, place), (channels * shares).sum(1)
        )
        traces = dml.sample(photo(), [0], [place])
        torch.testing.assert_close(
            kernels_of(dml, photo(), traces, points)[0], dml.kernels_at(photo(), points, place)
        )

    def test_a_crop_gets_the_kernels_of_its_place(self):
        dml, whole = made(position=True, levels=0), photo()
        everywhere = dml.forward_at(whole, [0], [Place.whole(64, 96)])
        part = whole[..., 16:64, 32:96]
        place = Place.whole(64, 96).cropped(16, 32, 48, 64)
        lr = dml.forward_at(part, [0], [place])
        inner = (slice(None), slice(None), slice(8, 16), slice(8, 24))
        torch.testing.assert_close(lr[inner], everywhere[..., 8:, 16:][inner], atol=1e-5, rtol=0)
        assert not torch.allclose(dml.forward_at(part, [0], [Place.whole(48, 64)]), lr, atol=1e-4)

    def test_an_unknown_place_is_refused_or_the_centre_if_that_is_asked_for(self):
        dml, hr = made(position=True), photo()
        for call in (
            lambda: dml(hr, [0]),
            lambda: dml.sample(hr, [0]),
            lambda: dml.forward_at(hr, [0], [None]),
            lambda: dml.kernels_at(hr, [(0, 0)]),
        ):
            with pytest.raises(DataError, match="where an image lies.*without_place='centre'"):
                call()
        centred = made(position=True, without_place="centre")
        traces = [Trace.from_json(t.to_json()) for t in centred.sample(hr, [0])]
        assert traces[0].params["place"] is None
        lr = centred.replay(hr, traces)
        assert torch.equal(lr, centred(hr, [0]))
        # A very large photo around it: every pixel is on the axis.
        near = Place(10**7, 10**7, 64, 96, 2 * 10**7 + 64, 2 * 10**7 + 96)
        torch.testing.assert_close(lr, dml.forward_at(hr, [0], [near]), atol=1e-4, rtol=0)

    def test_wrong_places_are_named(self):
        dml, hr = made(position=True), photo()
        with pytest.raises(DataError, match="of 10 x 10 pixels was given for one of 64 x 96"):
            dml.sample(hr, [0], [Place.whole(10, 10)])
        with pytest.raises(DataError, match="2 places were given"):
            dml.sample(hr, [0], [Place.whole(64, 96)] * 2)
        (trace,) = dml.sample(hr, [0], [Place.whole(64, 96)])
        for damaged in ("here", [1, 2], [0, 0, 64, 96, 10, 10]):
            record = {**trace.to_dict(), "version": TRACE_VERSION}
            record["params"]["place"] = damaged
            with pytest.raises(DataError, match="place|photo"):
                dml.replay(hr, [Trace.from_dict(record)])

    def test_luma_cannot_teach_a_camera_of_colours(self):
        with pytest.raises(ConfigError, match=r"kernels for R, G and B.*model.colour='rgb'"):
            DegradationLearning({"type": "DML", **SMALL, "colour": "bases"})
        DegradationLearning({"type": "DML", **SMALL, "colour": "bases"}, colour="rgb")

    def test_colours_are_not_degraded_as_luma(self):
        dml = made(colour="weights")
        dml.mark_trained()
        with pytest.raises(ConfigError, match="kernels for R, G and B.*rgb"):
            Degrader(dml, colour="y")
        Degrader(dml)

    def test_a_container_tells_its_parts(self):
        camera = dict(type="SampleCamera", radial=1.0, noise=False)
        chain = Compose([dict(type="AWGN", sigma=0), camera], scale=2)
        assert chain.uses_place
        hr, place = photo(), Place(100, 100, 64, 96, 200, 300)
        (trace,) = chain.sample(hr, [0], [place])
        assert trace.parts[1].params["place"] == list(place)
        alone = SampleCamera(2, radial=1.0, noise=False)
        lr = chain.replay(hr, [trace])
        torch.testing.assert_close(lr, alone.forward_at(hr, [0], [place]), atol=1 / 254, rtol=0)
        assert torch.equal(lr, chain.forward_at(hr, [0], [place]))

    def test_a_whole_photo_is_degraded_as_one(self):
        dml = made(position=True)
        dml.mark_trained()
        pixels = (photo()[0].permute(1, 2, 0).numpy() * 255).astype("uint8")[:63]
        lr, trace = Degrader(dml).degrade(pixels, remainder="crop")
        assert trace.params["place"] == [0, 0, 62, 96, 63, 96]
        assert (Degrader(dml).replay(pixels, trace) == lr).all()


class TestLens:
    def test_a_camera_without_lens_is_what_it_was(self):
        camera = SampleCamera(2)
        assert not camera.uses_place and not camera.needs_rgb
        assert not {"radial", "lateral"} & set(camera.arguments)

    def test_a_crop_is_taken_as_in_the_whole_photo(self):
        camera, hr = SampleCamera(**LENS), photo(128, 192)
        whole = camera(hr, [0])
        part = camera.forward_at(
            hr[..., 32:128, 64:192], [0], [Place.whole(128, 192).cropped(32, 64, 96, 128)]
        )
        difference = (part - whole[..., 16:, 32:])[..., 16:-16, 16:-16]
        assert difference.abs().max() <= 1.01 / 255

    def test_blur_grows_and_red_and_blue_part_with_the_radius(self):
        camera, hr = SampleCamera(**{**LENS, "content": 0.0}), photo(96, 96)
        points = [(24, 24), (24, 36), (24, 47), (0, 0)]
        kernels = camera.channel_kernels_at(hr, points).double()
        taps = torch.arange(15.0).double()
        x = (kernels.sum(2) * taps).sum(-1)
        y = (kernels.sum(3) * taps).sum(-1)
        apart = torch.hypot(x[:, 0] - x[:, 2], y[:, 0] - y[:, 2])
        radius = [0.5**0.5 / 48, 12.5 / 24 * 0.5**0.5, 23.5 / 24 * 0.5**0.5, 23.5 / 24]
        expected = [2 * 1.5 * r for r in (0.0295, *radius[1:])]
        assert apart.tolist() == pytest.approx(expected, abs=0.08)
        assert x[2, 0] > x[2, 1] > x[2, 2]  # red outwards
        spread = ((taps - x[:, 1:2]) ** 2 * kernels[:, 1].sum(1)).sum(1)
        assert spread[0] < spread[1] < spread[2]
        assert camera.kernels_at(hr, points).shape == (4, 15, 15)

    def test_a_mirrored_photo_gives_the_mirrored_image(self):
        camera, hr = SampleCamera(**LENS), photo()
        torch.testing.assert_close(
            camera(hr.flip(3), [0]), camera(hr, [0]).flip(3), atol=1.01 / 255, rtol=0
        )

    def test_lr_is_the_field_of_true_kernels(self):
        camera, hr = SampleCamera(**LENS, quantise=False), photo()
        lr, points = camera(hr, [0]), [(10, 12), (20, 30)]
        kernels = camera.channel_kernels_at(hr, points)
        for (y, x), kernel in zip(points, kernels, strict=True):
            window = hr[0, :, 2 * y - 7 : 2 * y + 8, 2 * x - 7 : 2 * x + 8]
            torch.testing.assert_close((window * kernel).sum((1, 2)), lr[0, :, y, x])

    def test_errors_by_radius_are_those_of_the_kernels(self):
        camera, photos = SampleCamera(**LENS), {"a": photo(96, 128)[0], "b": photo(96, 128, 1)[0]}
        same = error_by_radius(camera, camera, photos, points_per_photo=60)
        assert same["relative"] == [0, 0, 0] and same["lateral"] == [0, 0, 0]
        assert sum(same["points"]) > 50
        plain = SampleCamera(**{**LENS, "lateral": 0.0, "radial": 0.0})
        other = error_by_radius(plain, camera, photos, points_per_photo=60)
        assert other["relative"][0] < other["relative"][1] < other["relative"][2]
        assert other["lateral"][2] == pytest.approx(2 * 1.5 * 0.75, abs=0.4)


def test_a_folder_of_whole_photos_hands_over_places(tmp_path):
    write_image(tmp_path / "a.png", (photo()[0].permute(1, 2, 0).numpy() * 255).astype("uint8"))
    crop = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]
    known = HRFolderDataset(tmp_path, scale=2, transforms=crop, whole_photos=True)[(3, 0)]
    top, left, height, width = known["meta"]["crop"]
    assert known["meta"]["place"] == (top, left, height, width, 64, 96)
    assert "place" not in HRFolderDataset(tmp_path, scale=2, transforms=crop)[(3, 0)]["meta"]
