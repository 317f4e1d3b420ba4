from pathlib import Path

import numpy as np

from realdeg.apis import curve_pictures
from realdeg.apis.curve_pictures import draw_curves
from realdeg.runs import Curve, RunRecord
from realdeg.utils.image import read_image


def record(label, **curves):
    folder = Path(label)
    return RunRecord(folder, label, {}, None, 0, False, curves, (), (), {}, 3, 3, True, (), ())


def curve(*values):
    return Curve(tuple(range(10, 10 * len(values) + 1, 10)), tuple(map(float, values)))


def test_validation_comes_first_and_short_curves_are_left_out(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        curve_pictures, "run_curves", lambda panels, path, **_: seen.update(panels) or path
    )
    names = {
        "train/lr": curve(1, 1, 1),
        "train/loss": curve(3, 2, 1),
        "val/psnr[rgb]": curve(20, 21, 22),
        "train/grad_norm": curve(1, 2),
        "train/time": curve(1, 1, 1),
    }
    runs = [record("one", **names), record("two", **{"train/loss": curve(4, 3, 2)})]
    assert draw_curves(runs, tmp_path / "c.png") == tmp_path / "c.png"
    assert list(seen) == ["psnr[rgb]", "loss", "learning rate", "s per iteration"]
    assert list(seen["loss"]) == ["one", "two"] and seen["psnr[rgb]"]["one"][1] == (20, 21, 22)
    assert draw_curves([record("short", **{"train/loss": curve(2, 1)})], tmp_path / "d") is None


def test_the_picture_is_drawn_and_reproducible(tmp_path):
    run = record(
        "a_$run$", **{"train/loss": curve(*np.geomspace(1, 0.001, 40)), "val/x": curve(1, 3, 2)}
    )
    first, second = (draw_curves([run], tmp_path / name) for name in ("1.png", "2.png"))
    assert first.read_bytes() == second.read_bytes()
    picture = read_image(first)[..., :3].astype(int)
    # Both panels have a line in the first colour.
    near = np.abs(picture - np.array([0, 114, 178])).max(axis=2) < 40
    half = picture.shape[1] // 2
    assert near[:, :half].sum() > 200 and near[:, half:].sum() > 200
