"""``fit`` and ``finetune``: what they choose, write, give again, and refuse."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from scipy.ndimage import gaussian_filter

import realdeg
from realdeg.apis import finetune_plan, finetuning, fit_plan, fitting, guided
from realdeg.apis.camera_report import camera_noise
from realdeg.apis.holding_out import divide, hold_out
from realdeg.apis.photo_pairs import find_pairs
from realdeg.backbones.build import backbone_from_config
from realdeg.cli.main import main
from realdeg.degradations.build import degradation_from_config
from realdeg.engine.hooks.early_stop import EarlyStopHook
from realdeg.errors import ConfigError, DataError, GeometryError, OutputError
from realdeg.utils.component import read_component, save_component
from realdeg.utils.image import write_image

SCALE = 2


def _scene(seed: int, height: int = 96, width: int = 112) -> np.ndarray:
    """Smooth and sharp shapes, and a flat part."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.random((height, width, 3)), (1, 1, 0)) * 2 - 0.5
    image[: height // 3] = 0.5
    image[height // 2 :, : width // 2] = rng.random((1, 1, 3))
    return np.clip(image, 0.1, 0.9)


def _pairs(folder, count=6, shift=0, noise=0.0, scale=SCALE, width=112):
    for number in range(count):
        hr = _scene(number, width=width)
        blurred = gaussian_filter(np.roll(hr, shift, (0, 1)), (1.2, 1.2, 0))
        rows, columns = (side // scale for side in hr.shape[:2])
        lr = blurred.reshape(rows, scale, columns, scale, 3).mean((1, 3))
        lr = lr + np.random.default_rng(100 + number).normal(0, noise / 255, lr.shape)
        for name, image in (("HR", hr), ("LR", np.clip(lr, 0, 1))):
            write_image(folder / name / f"photo_{number}.png", np.round(image * 255).astype("u1"))
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return _pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def short(monkeypatch):
    """Runs of a few iterations, whatever the time."""
    monkeypatch.setattr(fit_plan, "LEAST_PIXELS", 1)
    monkeypatch.setattr(fit_plan, "LEAST_ITERATIONS", 1)
    monkeypatch.setattr(fit_plan, "MOST_ITERATIONS", 8)
    monkeypatch.setattr(finetune_plan, "LEAST_ITERATIONS", 1)
    monkeypatch.setattr(finetune_plan, "MOST_ITERATIONS", 8)
    # Every step takes the same, so that the same number fits in.
    for module in (fitting, finetuning):
        monkeypatch.setattr(
            module, "measure_pace", lambda *_: guided.Pace(step=0.01, validation=0.01)
        )


@pytest.fixture(scope="module")
def camera(pairs, tmp_path_factory):
    """A camera of one kernel; the module's fixture cannot use ``short``."""
    folder = tmp_path_factory.mktemp("fitted") / "my_camera"
    return realdeg.fit_camera(pairs, folder, device="cpu")


def test_few_pixels_get_one_kernel_that_is_better_than_bicubic(camera):
    assert camera.kind == "one kernel"
    assert "too few" in camera.stopped
    assert camera.psnr["one kernel"] > camera.psnr["bicubic"] + 3
    report = json.loads((camera.folder / "report.json").read_text())
    assert report["complete"] and report["psnr"] == camera.report["psnr"]
    assert (camera.folder / "README.md").read_text().startswith("# my_camera")
    for picture in report["pictures"]:
        assert (camera.folder / picture).is_file()


def test_a_mixture_is_trained_and_trained_again_to_the_same_bits(pairs, tmp_path, short):
    torch.set_num_threads(1)
    fitted = realdeg.fit_camera(pairs, tmp_path / "cam", device="cpu", seed=3)
    assert fitted.report["iterations"] == 8 and len(fitted.report["validations"]) >= 4
    again = realdeg.train(tmp_path / "cam" / "run", work_dir=tmp_path / "again")
    assert again.iterations == 8
    first = read_component(tmp_path / "cam" / "run" / "best_degradation.safetensors")
    second = read_component(tmp_path / "again" / "best_degradation.safetensors")
    assert first.hash == second.hash
    # The camera is made of what the config in its folder gives.
    chosen = realdeg.train(tmp_path / "cam" / "config.yaml", work_dir=tmp_path / "chosen")
    weights = guided.best_weights(chosen.work_dir, "degradation")
    made = read_component(weights).state
    kept = read_component(fitted.weights).state
    for name, tensor in made.items():
        found = kept.get(name, kept.get(f"parts.0.{name}"))
        assert found is not None and torch.equal(tensor, found)


def _break_off(*_, **__):
    raise KeyboardInterrupt


def _break_off_in_training(monkeypatch):
    """A validation after the first checkpoint is the last thing that happens."""
    ordinary = EarlyStopHook.after_val_epoch

    def watched(self, runner, metrics=None):
        if runner.iter > 2 and runner.training:
            raise KeyboardInterrupt
        ordinary(self, runner, metrics)

    monkeypatch.setattr(EarlyStopHook, "after_val_epoch", watched)


def test_an_interrupted_fit_is_continued_to_the_same_camera(pairs, tmp_path, short):
    torch.set_num_threads(1)
    whole = realdeg.fit_camera(pairs, tmp_path / "whole", device="cpu")
    # Again and again, each time later: while a step is timed, in training, and afterwards.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting, "measure_pace", _break_off)
        realdeg.fit_camera(pairs, tmp_path / "cut", device="cpu")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        _break_off_in_training(patch)
        realdeg.fit_camera(pairs, tmp_path / "cut", device="cpu", resume=True)
    (tmp_path / "cut/run/iter_3.pth").unlink()  # a kill leaves no last checkpoint
    assert (tmp_path / "cut/run/iter_2.pth").is_file()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting, "measure_camera", _break_off)
        realdeg.fit_camera(pairs, tmp_path / "cut", device="cpu", resume=True)
    with pytest.raises(OutputError, match="not finished"):
        realdeg.fit_camera(pairs, tmp_path / "cut", device="cpu")
    with pytest.raises(ConfigError, match="trained"):
        realdeg.create_degradation(tmp_path / "cut", trained=True)
    left = (tmp_path / "cut/report.json").read_bytes()
    others = _pairs(tmp_path / "others", count=7)
    for photos, change, words in (
        (pairs, dict(time="5m"), "with time 10 min 0 s, not 5 min 0 s: continue it with the same"),
        (pairs, dict(seed=3), "with seed 0, not 3"),
        (others, {}, "7 pairs x2"),
    ):
        with pytest.raises(ConfigError, match=words):
            realdeg.fit_camera(photos, tmp_path / "cut", device="cpu", resume=True, **change)
    assert (tmp_path / "cut/report.json").read_bytes() == left
    cut = realdeg.fit_camera(pairs, tmp_path / "cut", device="cpu", resume=True)
    assert cut.report["hash"] == whole.report["hash"]
    assert cut.report["validations"] == whole.report["validations"]


def test_images_without_room_for_patches_get_one_kernel(tmp_path, short):
    found = find_pairs(_pairs(tmp_path, count=5, width=40))
    assert "smallest image" in fitting._too_few(found, {"learned_from": found.names})
    larger = find_pairs(_pairs(tmp_path / "larger", count=5, width=48))
    assert not fitting._too_few(larger, {"learned_from": larger.names})


def test_files_of_others_are_neither_replaced_nor_removed(camera, pairs, network, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "mine.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="pictures is already there"):
            realdeg.fit_camera(pairs, tmp_path, device="cpu", overwrite=overwrite)
        # A camera's folder is none of a network's.
        with pytest.raises(OutputError, match="not part of a network"):
            realdeg.finetune(
                network,
                camera=camera.folder,
                hr=_photos(tmp_path),
                out=camera.folder,
                overwrite=overwrite,
            )
    assert (tmp_path / "pictures" / "mine.jpg").exists()
    assert not (tmp_path / "report.json").exists()
    assert camera.weights.exists()


def test_a_camera_is_not_removed_for_pairs_that_are_refused(camera, tmp_path):
    out = shutil.copytree(camera.folder, tmp_path / "out")
    with pytest.raises(DataError, match="register them first"):
        realdeg.fit_camera(_pairs(tmp_path / "off", shift=6), out, device="cpu", overwrite=True)
    assert (out / "camera.safetensors").exists()


def test_overwrite_starts_again(camera, pairs, tmp_path):
    out = shutil.copytree(camera.folder, tmp_path / "my_camera")
    (out / "notes.txt").touch()
    again = realdeg.fit_camera(pairs, out, device="cpu", overwrite=True)
    assert again.report["hash"] == camera.report["hash"] and (out / "notes.txt").exists()


def test_the_folder_of_a_camera_is_taken_where_its_file_is(camera, tmp_path, monkeypatch):
    hr = torch.rand(1, 3, 32, 32)
    wanted = realdeg.create_degradation(camera.weights)(hr, [1])
    assert torch.equal(realdeg.create_degradation(camera.folder)(hr, [1]), wanted)
    monkeypatch.chdir(camera.folder.parent)
    for cfg in ("my_camera", {"checkpoint": "my_camera"}):
        assert torch.equal(degradation_from_config(cfg)(hr, [1]), wanted)
    assert main(["degrade", "my_camera", str(_photos(tmp_path)), str(tmp_path / "lr")]) == 0


def test_noise_is_measured_as_it_was_added(tmp_path):
    found = find_pairs(_pairs(tmp_path, noise=4.0))
    truth = realdeg.fit_camera(_pairs(tmp_path / "clean"), tmp_path / "clean_cam", device="cpu")
    learned = realdeg.create_degradation(tmp_path / "clean_cam" / "one_kernel")
    levels = camera_noise(learned, fit_plan.held_out(found, found.names))
    assert all(levels[name] == pytest.approx(4.0, rel=0.15) for name in ("red", "green", "blue"))
    assert levels["luma"] == pytest.approx(0.57 * 4.0, rel=0.15)
    assert truth.noise < 1


def test_few_pairs_are_divided_by_region(tmp_path):
    found = find_pairs(_pairs(tmp_path, count=2, width=160))
    plan = divide(found, tmp_path / "out", seed=0)
    assert plan["regions"] and len(plan["held_out"]) == len(plan["learned_from"]) == 2
    cut = find_pairs((tmp_path / "out/regions/HR", tmp_path / "out/regions/LR"))
    for name in ("photo_0", "photo_1"):
        sides = [cut.sizes[f"{name}-{part}"] for part in ("learn", "held")]
        assert sides[0][0] == sides[1][0] == 96
        # A window of 15 pixels never sees both.
        assert sides[0][1] + sides[1][1] <= 160 - 15


def test_crops_of_a_scene_are_held_out_together():
    names = [f"scene{scene}_s{crop:03}" for scene in "abcdef" for crop in range(4)]
    learn, held = hold_out(names, seed=1)
    assert held and not set(learn) & set(held)
    assert not {name.partition("_")[0] for name in learn} & {n.partition("_")[0] for n in held}
    assert hold_out([f"IMG_{n:04}" for n in range(20)], seed=1)[1] != []


def _photos(folder, count=3):
    for number in range(count):
        image = np.round(_scene(50 + number) * 255).astype("u1")
        write_image(folder / "photos" / f"{number}.png", image)
    return folder / "photos"


@pytest.fixture
def network(tmp_path):
    """A tiny network of luma with weights."""
    torch.manual_seed(0)
    built = realdeg.create_backbone("FSRCNN", scale=SCALE, features=8, shrunk=4, mapping=1)
    save_component(
        tmp_path / "net.safetensors",
        built,
        kind="backbone",
        type="FSRCNN",
        arguments=built.arguments,
    )
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("real", [False, True])
def test_a_network_is_fine_tuned_and_again_to_the_same_bits(
    real, camera, pairs, network, tmp_path, short
):
    torch.set_num_threads(1)
    tuned = realdeg.finetune(
        network,
        camera=camera.folder,
        hr=_photos(tmp_path),
        pairs=pairs if real else None,
        out=tmp_path / "tuned",
        device="cpu",
    )
    assert tuned.held_out == ("real pairs" if real else "synthetic pairs")
    assert tuned.after["psnr"] >= tuned.before["psnr"]
    again = realdeg.train(tmp_path / "tuned" / "config.yaml", work_dir=tmp_path / "again")
    hashes = [
        read_component(folder / "best_backbone.safetensors").hash
        for folder in (again.work_dir, tmp_path / "tuned" / "run")
    ]
    assert hashes[0] == hashes[1]
    if tuned.report["gained"]:
        assert read_component(tuned.weights).hash == hashes[0]
    taken = backbone_from_config({"checkpoint": str(tuned.folder)})
    assert type(taken).__name__ == "FSRCNN"
    assert (tmp_path / "tuned" / "pictures" / "before_after.png").is_file()


def test_an_interrupted_fine_tuning_is_continued_to_the_same_network(
    camera, pairs, network, tmp_path, short
):
    torch.set_num_threads(1)
    given = dict(camera=camera.folder, hr=_photos(tmp_path), device="cpu")
    whole = realdeg.finetune(network, out=tmp_path / "whole", **given)
    for interrupt in (
        lambda patch: patch.setattr(finetuning, "measure_pace", _break_off),
        _break_off_in_training,
    ):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt(patch)
            realdeg.finetune(network, out=tmp_path / "cut", resume=True, **given)
    (tmp_path / "cut/run/iter_3.pth").unlink()  # a kill leaves no last checkpoint
    assert (tmp_path / "cut/run/iter_2.pth").is_file()
    with pytest.raises(OutputError, match="not finished"):
        realdeg.finetune(network, out=tmp_path / "cut", **given)
    for change in (dict(camera="Bicubic"), dict(pairs=pairs), dict(time="9m")):
        with pytest.raises(ConfigError, match=f"with {[*change][0]} .*, not"):
            realdeg.finetune(network, out=tmp_path / "cut", resume=True, **{**given, **change})
    cut = realdeg.finetune(network, out=tmp_path / "cut", resume=True, **given)
    assert cut.after == whole.after and cut.report["validations"] == whole.report["validations"]
    hashes = [
        read_component(each.folder / "run" / "best_backbone.safetensors").hash
        for each in (whole, cut)
    ]
    assert hashes[0] == hashes[1]


def test_hr_of_held_out_pairs_is_not_trained_on(pairs, network, tmp_path):
    found, start = find_pairs(pairs), realdeg.create_backbone(network)
    photos = finetune_plan.find_photos(pairs / "HR", start)
    plan = {"held_out": ["photo_1"], "regions": False}
    assert photos.without(photos.names, found, plan) == [f"photo_{n}" for n in (0, 2, 3, 4, 5)]
    with pytest.raises(DataError, match="give others"):
        photos.without(photos.names, found, {**plan, "regions": True})
    others = finetune_plan.find_photos(_photos(tmp_path), start)
    assert others.without(others.names, found, plan) == list(others.names)


def test_a_time_that_is_too_short_leaves_nothing(camera, network, tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "measure_pace", lambda *_: guided.Pace(60.0, 60.0))
    monkeypatch.setattr(finetune_plan, "_SIDES", (192,))
    given = dict(camera=camera.folder, hr=_photos(tmp_path), out=tmp_path / "out", device="cpu")
    with pytest.raises(ConfigError, match=r"too short.*time='52m'"):
        realdeg.finetune(network, time="1m", **given)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(pairs="absent"), DataError, "there is no folder"),
        (dict(pairs="photos"), DataError, "not the folders HR and LR"),
        (dict(pairs="one"), DataError, "at least two"),
        (dict(pairs="shifted"), DataError, "register them first"),
        (dict(pairs="odd"), GeometryError, "fit no whole scale"),
        (dict(scale=4), GeometryError, "2 times larger"),
        (dict(time="5s"), ConfigError, "too short"),
        (dict(time="soon"), ConfigError, "10m"),
        (dict(out="my_camera"), OutputError, "holds a camera already"),
    ],
)
def test_fit_refuses_in_one_sentence(change, error, words, camera, pairs, tmp_path):
    folders = {"absent": tmp_path / "absent", "photos": _photos(tmp_path)}
    if change.get("pairs") == "one":
        folders["one"] = _pairs(tmp_path / "one", count=1)
    if change.get("pairs") == "shifted":
        folders["shifted"] = _pairs(tmp_path / "shifted", shift=6)
    if change.get("pairs") == "odd":
        folders["odd"] = _pairs(tmp_path / "odd", count=2)
        write_image(tmp_path / "odd/LR/photo_0.png", np.zeros((30, 50, 3), "u1"))
    given = folders.get(change.get("pairs"), pairs)
    out = camera.folder if "out" in change else tmp_path / "out"
    options = {key: change[key] for key in ("scale", "time") if key in change}
    with pytest.raises(error, match=words) as caught:
        realdeg.fit_camera(given, out, device="cpu", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "camera.safetensors").exists()


def test_lr_as_large_as_hr_needs_a_scale(tmp_path):
    _pairs(tmp_path, count=2, scale=1)
    with pytest.raises(GeometryError, match="scale=4"):
        find_pairs(tmp_path)
    assert find_pairs(tmp_path, 4).same_size
    fitted = realdeg.fit_camera(tmp_path, tmp_path / "cam", scale=4, device="cpu", time="60s")
    assert fitted.kind == "one kernel" and fitted.psnr["one kernel"] > fitted.psnr["HR as it is"]
    (tmp_path / "registration.json").write_text('{"scale": 3, "same_size": true}')
    assert find_pairs(tmp_path).scale == 3


def test_finetune_refuses_in_one_sentence(camera, network, tmp_path):
    def tune(**change):
        given = dict(camera=camera.folder, hr=_photos(tmp_path), out=tmp_path / "out") | change
        return realdeg.finetune(given.pop("network", network), **given)

    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photo"):
        tune(hr=tmp_path / "empty")
    larger = realdeg.create_backbone("FSRCNN", scale=4, features=8, shrunk=4, mapping=1)
    with pytest.raises(GeometryError, match="name a network for x2"):
        tune(network=larger)
    with pytest.raises(ConfigError, match="no weights"):
        tune(network="FSRCNN", scale=2)
    with pytest.raises(ConfigError, match="not been learned|not trained|untrained"):
        tune(camera="DML")


def test_a_camera_on_the_hr_grid_is_followed_by_a_reduction(network, tmp_path):
    from realdeg.apis.finetune_start import find_camera, find_network

    built = realdeg.create_degradation("GlobalKernel", scale=SCALE, same_size=True)
    built.mark_trained()
    built.save(tmp_path / "same.safetensors")
    config = find_camera(tmp_path / "same.safetensors", find_network(network, None, None, None))
    made = realdeg.create_degradation(config, SCALE, False)
    assert made(torch.rand(1, 3, 32, 48), [0]).shape == (1, 3, 16, 24)


def test_a_network_that_enlarges_itself_is_tuned_on_the_hr_grid(camera, tmp_path, short):
    """SRCNN interpolates by itself, or takes LR that is enlarged already, as RealSR V1 has it."""
    same = tmp_path / "same"
    for number in range(5):
        hr = _scene(number)
        for name, image in (("HR", hr), ("LR", gaussian_filter(hr, (1.2, 1.2, 0)))):
            write_image(same / name / f"{number}.png", np.round(image * 255).astype("u1"))
    file = tmp_path / "srcnn.pth"
    torch.save(backbone_from_config({"type": "SRCNN"}, SCALE).state_dict(), file)
    given = dict(weights=file, scale=SCALE, camera="Bicubic", pairs=same, device="cpu")
    given |= dict(hr=_photos(tmp_path), out=tmp_path / "out")
    with pytest.raises(GeometryError, match="same_size=True"):
        realdeg.finetune("SRCNN", **given)
    assert not (tmp_path / "out").exists()
    tuned = realdeg.finetune("SRCNN", same_size=True, **given)
    assert tuned.report["same_size"] and realdeg.create_backbone(tuned.folder).same_size


def test_the_command_prints_json(camera, monkeypatch, capsys):
    def fitted(pairs, out, **options):
        print("a line of the run's log")
        assert pairs == ("hr", "lr") and out == "cam" and options["time"] == "1h"
        return camera

    monkeypatch.setattr(fitting, "fit_camera", fitted)
    assert main(["fit", "hr", "lr", "-o", "cam", "--time", "1h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "one kernel"


def test_a_run_whose_time_is_up_states_its_last_iteration(tmp_path, monkeypatch):
    """A slower or faster machine then trains to the same weights by the same config."""
    config = tmp_path / "config.yaml"
    hooks = [{"type": "EarlyStopHook"}, {"type": "TimeLimitHook", "seconds": 60.0}]
    guided.write_config(config, {"seed": 3, "custom_hooks": hooks}, "One line.\nAnother.")
    outcome = realdeg.TrainingResult(tmp_path, 40, (), "no gain of psnr in 5 validations")
    monkeypatch.setattr(guided, "train", lambda *_, **__: outcome)
    before = config.read_text()
    guided.train_in_time(config, tmp_path, None)
    assert config.read_text() == before
    outcome = realdeg.TrainingResult(tmp_path, 40, (), "the time is up: 58 of 60 s are used")
    guided.train_in_time(config, tmp_path, None)
    heading, _, data = config.read_text().partition("\n# Another.\n")
    assert heading == "# One line."
    assert yaml.safe_load(data) == {
        "seed": 3,
        "custom_hooks": [hooks[0], {"type": "TimeLimitHook", "iteration": 40}],
    }
