import pytest
import torch

from realdeg.apis import comparison_pictures, result_pictures
from realdeg.apis.comparison_result import Comparison
from realdeg.apis.picture_scores import crop_scores, with_chroma
from realdeg.degradations import Bicubic
from realdeg.degradations.primitives import imresize
from realdeg.evaluation import measure
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.colour import rgb_to_y


def image(side=72, seed=0, channels=3):
    return torch.rand(channels, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["rgb", "lr-fidelity", "benchmark-y"])
def test_the_crop_is_measured_as_the_protocol_measures_the_image(name):
    """The crop's pixels decide, all of them, and nothing beyond the protocol's border."""
    protocol = get_protocol(name)
    target, border = image(), get_protocol(name).border_for(2)
    found = target.clone()
    found[:, 30:50, 28:48] *= 0.9
    text = crop_scores(found, target, protocol, (30, 28, 20), scale=2)
    part = [one[:, 30 - border : 50 + border, 28 - border : 48 + border] for one in (found, target)]
    (psnr,), (ssim,) = measure(*part, protocol, scale=2).values()
    (whole,) = measure(found, target, protocol, ["psnr"], scale=2).values()
    assert text == f"crop {psnr:.2f} dB, {ssim:.3f}\nimage {whole[0]:.2f} dB"
    elsewhere = found.clone()
    elsewhere[:, 52 + border :] = 0
    again = crop_scores(elsewhere, target, protocol, (30, 28, 20), scale=2)
    assert again.split("\n")[0] == text.split("\n")[0] and again != text


def test_a_crop_too_small_for_ssim_has_psnr_alone():
    text = crop_scores(image(seed=1), image(), get_protocol("rgb"), (4, 4, 8), scale=2)
    assert text.startswith("crop ") and text.count("dB") == 2 and ", " not in text


def test_luma_is_shown_in_colour():
    rgb = 0.2 + 0.6 * image()
    assert torch.allclose(with_chroma(rgb_to_y(rgb), rgb), rgb, atol=1e-5)
    darker = with_chroma(rgb_to_y(rgb) - 0.05, rgb)
    assert torch.allclose(rgb_to_y(darker), rgb_to_y(rgb) - 0.05, atol=0.01)
    assert with_chroma(rgb, rgb) is rgb
    grey = rgb_to_y(rgb)
    assert with_chroma(grey, rgb[:, ::2, ::2]) is grey


def drawn_rows(monkeypatch, tmp_path, predictions, degradation=None):
    found = []
    monkeypatch.setattr(
        result_pictures, "comparison_sheet", lambda rows, path, **_: found.extend(rows) or path
    )
    monkeypatch.setattr(result_pictures, "learned_kernels", lambda *_: [])

    class Evaluator:
        metrics = ()

    result_pictures.draw_predictions(predictions, Evaluator(), tmp_path, degradation, None)
    return found


def test_a_sheet_of_networks_has_bicubic_colour_and_numbers(monkeypatch, tmp_path):
    hr = 0.2 + 0.6 * imresize(image(24)[None], 4)[0].clamp(0, 1)
    lr = imresize(hr[None], 0.25)[0]
    bicubic = imresize(lr[None], 4)[0]
    luma = rgb_to_y(bicubic)
    luma[:, 40:60, 44:64] = rgb_to_y(hr)[:, 40:60, 44:64]
    item = dict(key="a", prediction=luma, target=hr, input=lr, scale=4)
    (row,) = drawn_rows(monkeypatch, tmp_path, [item])
    assert list(row.images) == ["LR", "bicubic", "SR", "HR"]
    assert all(shown.shape[2] == 3 for shown in row.images.values())
    chroma = row.images["SR"].astype(int).std(axis=2).mean()
    assert chroma > 5, "the prediction of luma is shown in grey"
    # The crop, 48 px, holds the part that differs.
    top, left = row.crop
    assert top <= 40 and top + 48 >= 60 and left <= 44 and left + 48 >= 64
    assert top % 4 == left % 4 == 0
    assert set(row.values) == {"bicubic", "SR"}
    crops = {name: float(text.split()[1]) for name, text in row.values.items()}
    assert crops["SR"] > crops["bicubic"] + 0.3
    # Without enlargement LR is what there was before.
    same = dict(item, input=bicubic)
    (row,) = drawn_rows(monkeypatch, tmp_path, [same])
    assert list(row.images) == ["LR", "SR", "HR"] and set(row.values) == {"LR", "SR"}


@pytest.mark.parametrize("same_size", [False, True])
def test_a_sheet_of_degradations_has_a_bicubic_one(monkeypatch, tmp_path, same_size):
    hr = image(96)
    degradation = Bicubic(2, same_size)
    lr = degradation(hr[None], [0])[0]
    item = dict(key="a", prediction=rgb_to_y(lr) * 0.9, target=lr, input=hr, scale=2)
    (row,) = drawn_rows(monkeypatch, tmp_path, [item], degradation)
    assert list(row.images) == ["HR", "bicubic LR", "generated LR", "real LR"]
    assert row.images["generated LR"].shape == row.images["real LR"].shape
    assert row.values["bicubic LR"].startswith("crop inf dB, 1.000")
    assert float(row.values["generated LR"].split()[1]) < 40


@pytest.mark.parametrize("name", ["mine", "Bicubic"])
def test_a_comparison_of_degradations_has_a_bicubic_column(monkeypatch, tmp_path, name):
    hr = image(192)
    real = Bicubic(2)(hr[None], [0])[0]
    shown = dict(key="a", hr=hr, real=real, scale=2, made={name: (rgb_to_y(real) * 0.9, 1.0)})
    calls = []
    monkeypatch.setattr(
        comparison_pictures,
        "degradation_comparison",
        lambda names, rows, *_, **__: calls.append((names, rows)),
    )
    made = Comparison("pairs", 1, 1, 0, "y", False, {}, {name: None}, shown=[shown])
    made.results[name] = type("R", (), {"curves": {}})()
    comparison_pictures.draw_comparison(made, tmp_path)
    ((names, (row,)),) = calls
    assert names == [name]
    wanted = [name] if name == "Bicubic" else ["bicubic", name]
    assert list(row["made"]) == wanted
    for found, text in row["made"].values():
        assert found.shape[0] == 3 and text.startswith("crop ") and "\nimage " in text
    top, left, side = row["crop"]
    assert side == 48 and top % 2 == left % 2 == 0
