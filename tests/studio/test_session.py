"""Photo and settings to results, without a page."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import realdeg
from realdeg.degradations.bicubic import Bicubic
from realdeg.degradations.blur_down import BlurDown
from realdeg.degradations.containers import Compose
from realdeg.degradations.true_kernels import kernels_of
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.studio import pictures, session
from realdeg.studio.desk import Desk, number_in, pair, place_of
from realdeg.studio.local import kernel_at, noise_of
from realdeg.studio.recipe import read_recipe, recipe_of
from realdeg.visualization.taps import draw_kernel

CHAIN = """
degradation:
  type: Compose
  parts: [{type: BlurDown, kind: DAN}, {type: AWGN, sigma: 6}, {type: JPEG, quality: [40, 90]}]
scale: 2
same_size: false
"""
ALONE = ["Bicubic", "BSRGAN", "BSRGANPlus", "RealESRGAN", "SRMD", "CameraISP", "AWGN", "BlurDown"]


@pytest.fixture
def photo_file(tmp_path):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(75, 90, 3)), axis=1)
    pixels = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    realdeg.write_image(tmp_path / "photo.png", pixels)
    return tmp_path / "photo.png"


@pytest.fixture
def photo(photo_file):
    return session.open_photo(photo_file, 64, 4)


@pytest.fixture
def camera_file(tmp_path):
    camera = realdeg.create_degradation(
        "DML", scale=2, num_kernels=2, kernel_size=5, width=4, levels=1
    )
    camera.mark_trained()
    camera.save(tmp_path / "camera.safetensors")
    return tmp_path / "camera.safetensors"


def test_the_most_detailed_part_is_taken_and_kept_in_the_trace(photo):
    assert photo.pixels.shape == (64, 64, 3) and photo.crop[2:] == (64, 64)
    shot = session.draw(photo, read_recipe(CHAIN), 5, {})
    record = json.loads(shot.trace_text)
    assert record["crop"] == list(photo.crop) and record["seed"] == 5
    assert "quality" in shot.words and shot.lr.shape == (32, 32, 3)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_python_and_config_give_the_same_bits(tmp_path, depth, channels):
    rng = np.random.default_rng(1)
    most = np.iinfo(depth).max
    realdeg.write_image(
        tmp_path / "photo.png", rng.integers(0, most, (41, 50, channels), dtype=depth)
    )
    photo = session.open_photo(tmp_path / "photo.png", 32, 2)
    recipe = read_recipe(CHAIN)
    lr = session.draw(photo, recipe, 11, {}).lr

    scope: dict = {}
    script = session.python_of(photo, recipe, 11).replace("'photo.png'", repr("photo.png"))
    here = tmp_path / "run.py"
    here.write_text(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(compile(script, str(here), "exec"), scope)
    assert np.array_equal(scope["lr"], lr) and scope["lr"].dtype == depth
    assert np.array_equal(realdeg.read_image(tmp_path / "lr.png"), lr)

    (tmp_path / "degradation.yaml").write_text(recipe.text)
    again, _ = realdeg.Degrader(str(tmp_path / "degradation.yaml")).degrade(photo.pixels, 11)
    assert np.array_equal(again, lr)


@pytest.mark.slow
def test_the_exported_script_runs_by_itself(photo_file):
    desk = Desk()
    shot = desk.draw(str(photo_file), 48, CHAIN, 3)
    made = desk.export(CHAIN, 3, photo_file.parent)
    assert [file.name for file in made.files] == ["degradation.yaml", "degradation.py"]
    subprocess.run([sys.executable, str(made.files[1])], cwd=photo_file.parent, check=True)
    assert np.array_equal(realdeg.read_image(photo_file.parent / "lr.png"), shot.lr)


def test_a_built_in_image_and_an_odd_name_are_named_as_they_are_found(tmp_path, photo_file):
    desk, scope = Desk(), {}
    shot = desk.draw("sample/coffee", 48, CHAIN, 3)
    made = desk.export(CHAIN, 3, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(made.python, scope)
    assert np.array_equal(scope["lr"], shot.lr)
    assert made.commands.startswith("realdeg preview degradation.yaml sample/coffee\n")
    odd = photo_file.rename(photo_file.parent / "my photo; date.png")
    desk.draw(str(odd), 48, CHAIN, 3)
    commands = desk.export(CHAIN, 3, tmp_path).commands
    assert commands.startswith("realdeg preview degradation.yaml 'my photo; date.png'\n")


def test_a_trace_is_replayed_and_another_one_is_refused(photo):
    recipe = read_recipe(CHAIN)
    first = session.draw(photo, recipe, 2, {})
    again = session.replay(photo, recipe, first.trace_text, {})
    assert np.array_equal(again.lr, first.lr) and "replayed" in again.words
    plain = session.replay(photo, recipe, first.record.trace.to_json(), {})
    assert np.array_equal(plain.lr, first.lr)
    with pytest.raises(DataError, match="cannot be replayed by Bicubic"):
        session.replay(photo, read_recipe("degradation: Bicubic\nscale: 2"), first.trace_text, {})
    with pytest.raises(DataError, match="not readable JSON"):
        session.replay(photo, recipe, "{", {})


def test_wrong_photos_are_refused(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError):
        session.open_photo(tmp_path / "text.png", 64)
    with pytest.raises(DataError, match="no image"):
        session.open_photo(tmp_path / "missing.png", 64)
    with pytest.raises(ConfigError, match="16 to 2048"):
        session.open_photo("sample/coffee", 5000)
    monkeypatch.setattr(session, "LARGEST_PHOTO", 1000)
    with pytest.raises(DataError, match="at most"):
        session.open_photo("sample/coffee", 64)


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("same_size", [False, True])
def test_every_place_has_a_kernel_of_the_right_sum(name, same_size, photo):
    recipe = recipe_of({"degradation": {"type": name}, "scale": 4, "same_size": same_size})
    shot = session.draw(photo, recipe, 1, {})
    place = session.look_at(shot, shot.lr.shape[0] // 2, shot.lr.shape[1] // 2)
    assert place.kernel.shape[0] == place.kernel.shape[1] <= 65
    # A sinc filter's window is cut off at the photo's border.
    assert place.kernel.sum() == pytest.approx(1, abs=0.2 if name in ALONE[2:4] else 1e-3)


def test_the_derivative_is_the_stated_kernel(photo):
    """Two ways to one kernel: what BlurDown states, and the slope of its LR pixel."""
    stated = BlurDown(scale=2, kind="DAN")
    chain = Compose(
        [{"type": "BlurDown", "kind": "DAN", "scale": 2}, {"type": "Bicubic", "scale": 1}], 2
    )
    hr = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    trace = chain.sample_one((3, 64, 64), 4)
    slope = kernel_at(chain, hr, trace, 15, 16)
    (want,) = kernels_of(stated, hr, [trace.parts[0]], [(15, 16)])[0].double().numpy()
    rim = (len(want) - len(slope)) // 2
    inner = want[rim : rim + len(slope), rim : rim + len(slope)] if rim >= 0 else want
    assert np.abs(slope - inner).max() < 1e-5 and np.abs(want).sum() - np.abs(inner).sum() < 1e-3


@pytest.mark.parametrize("size", [4, 5])
def test_the_cross_of_a_kernel_lies_on_the_lr_pixel(size, photo, tmp_path, monkeypatch):
    camera = realdeg.create_degradation("DML", scale=2, num_kernels=2, kernel_size=size, width=4)
    camera.mark_trained()
    camera.save(tmp_path / "camera.safetensors")
    recipe = session.load_camera(tmp_path / "camera.safetensors")
    files = {"camera.safetensors": tmp_path / "camera.safetensors"}
    place = session.look_at(session.draw(photo, recipe, 1, files), 6, 7)
    drawn = []

    def draw(axes, *args, **options):
        drawn.append(axes)
        draw_kernel(axes, *args, **options)

    monkeypatch.setattr(pictures, "draw_kernel", draw)
    pictures.kernel_picture(place.kernel, place.stride)
    (across, _) = drawn[0].collections[-1].get_segments()
    # The contract: LR pixel i lies at s i + (s - 1) / 2, its window starts at
    # s i + floor((s - k) / 2). The first tap is at 0.
    assert across.mean(0).tolist() == [0.5 - (2 - size) // 2] * 2


def test_the_kernel_of_a_pipeline_is_its_impulse_response(photo):
    """A pipeline without noise and codec is linear: an LR pixel is the kernel's sum over HR."""
    degradation = realdeg.create_degradation(
        "BSRGAN", scale=4, jpeg_probability=0.0, noise_levels=(0, 0), jpeg_qualities=(100, 100)
    )
    hr = 0.3 + 0.4 * torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    trace = degradation.sample_one((3, 96, 96), 9)
    kernel = kernel_at(degradation, hr, trace, 12, 11)
    side = len(kernel)
    start = [4 * place + (4 - side) // 2 for place in (12, 11)]
    window = hr[0, :, start[0] : start[0] + side, start[1] : start[1] + side].double().numpy()
    lr = degradation.replay(hr, [trace])[0, :, 12, 11]
    assert np.abs((window * kernel).sum((1, 2)) - lr.numpy()).max() < 0.01  # the codec's share


def test_noise_is_measured(photo):
    degradation = realdeg.create_degradation("AWGN", scale=2, sigma=8.0, clip=False)
    hr = torch.full((1, 3, 128, 128), 0.5)
    trace = degradation.sample_one((3, 128, 128), 0)
    noise, deviation = noise_of(degradation, hr, trace, draws=8)
    assert float(deviation.square().mean().sqrt()) * 255 == pytest.approx(8, rel=0.05)
    assert float(noise.std()) * 255 == pytest.approx(8 * (1 + 1 / 8) ** 0.5, rel=0.05)
    still = Bicubic(scale=2)
    assert noise_of(still, hr, still.sample_one((3, 128, 128), 0)) is None


def test_a_place_outside_is_refused(photo):
    shot = session.draw(photo, read_recipe(CHAIN), 0, {})
    with pytest.raises(GeometryError, match="32 x 32 pixels, none at row 32"):
        session.look_at(shot, 32, 0)


@pytest.mark.parametrize("same_size", [False, True])
def test_the_slider_shows_equal_sizes(photo, same_size):
    recipe = recipe_of({"degradation": {"type": "Bicubic"}, "scale": 4, "same_size": same_size})
    shot = session.draw(photo, recipe, 0, {})
    hr, lr = pair(shot)
    assert hr.shape == lr.shape and hr.dtype == lr.dtype == np.uint8
    side = 1 if same_size else 4
    assert np.array_equal(lr[:: shot.stride, :: shot.stride], shot.lr)
    assert place_of(shot, 9, 13) == (13 // 4 * (4 // side), 9 // 4 * (4 // side)) or same_size
    assert place_of(shot, 1e4, -1) == (0, shot.lr.shape[1] - 1)


def test_a_camera_is_loaded_used_and_exported(photo_file, camera_file):
    desk = Desk()
    recipe = desk.load_camera(camera_file)
    assert recipe.config == {
        "degradation": {"checkpoint": "camera.safetensors"},
        "scale": 2,
        "same_size": False,
    }
    shot = desk.draw(str(photo_file), 48, recipe.text, 0)
    want, _ = realdeg.Degrader(camera_file).degrade(shot.photo.pixels)
    assert np.array_equal(shot.lr, want)
    place = desk.look(5, 6)
    assert place.kernel.shape == (5, 5) and place.noise is None
    assert "camera.safetensors" in desk.export(recipe.text, 0, photo_file.parent).python
    with pytest.raises(ConfigError, match="loaded in the page"):
        Desk().draw(str(photo_file), 48, recipe.text, 0)


def test_wrong_cameras_are_refused(tmp_path, camera_file):
    with pytest.raises(CheckpointError, match="end in .safetensors"):
        session.load_camera(tmp_path / "camera.pth")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(camera_file.read_bytes()[:100])
    with pytest.raises(CheckpointError):
        session.load_camera(damaged)
    with pytest.raises(DataError, match="at most"):
        session.load_camera(camera_file, most=100)


def test_two_are_compared_on_one_photo(photo_file):
    desk = Desk()
    with pytest.raises(ConfigError, match="keep a degradation as A"):
        desk.compare(str(photo_file), 64, CHAIN, 0)
    desk.keep("degradation: Bicubic\nscale: 4\nsame_size: false")
    first, second, table = desk.compare(str(photo_file), 64, CHAIN, 0)
    assert first.lr.shape == (16, 16, 3) and second.lr.shape == (32, 32, 3)
    assert table["PSNR to bicubic LR"][0] == "equal" and "dB" in table["PSNR to bicubic LR"][1]
    assert table["noise in the middle, sigma of 255"][0] == "none"
    _, _, alike = desk.compare(str(photo_file), 64, desk.kept.text, 0)
    assert alike["PSNR to each other"] == ("equal", "equal")


def test_without_a_photo_or_a_drawn_image(tmp_path):
    desk = Desk()
    for action in (
        lambda: desk.draw(None, 64, CHAIN, 0),
        lambda: desk.look(0, 0),
        lambda: desk.save_lr(tmp_path),
    ):
        with pytest.raises(DataError, match="yet"):
            action()
    with pytest.raises(ConfigError, match="whole number from 0"):
        desk.draw("sample/coffee", 64, CHAIN, -1)


def test_numbers_that_may_be_left_out():
    assert number_in(" ", "blur") is None and number_in("0", "blur") == 0
    with pytest.raises(ConfigError, match="the blur is a number or empty, not 'wide'"):
        number_in("wide", "blur")
