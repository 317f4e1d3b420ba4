import json
import math

import pytest
import torch

from realdeg.errors import ConfigError, OutputError
from realdeg.evaluation import ImageQuality, Report, mean_and_spread, over_seeds


def measured(protocol="realsr-official", prefix=None, **changes):
    metric = ImageQuality(protocol, prefix=prefix, **changes)
    target = torch.rand(3, 24, 24)
    for key in ("Canon_001", "a|b"):
        prediction = target if key == "a|b" else target + 0.1
        metric.process(None, [{"key": key, "prediction": prediction, "target": target}])
    metric.evaluate(2)
    return metric


def test_both_files_say_everything(tmp_path):
    report = Report(
        title="vdsr_dml_realsr_x4",
        dataset="RealSR V2, test, x4",
        checkpoint="vdsr.safetensors",
        checkpoint_hash="0123456789abcdef",
        facts={"seed": 0},
    )
    report.add(measured())
    report.add(measured("benchmark-y"))
    json_path, markdown_path = report.write(tmp_path / "made" / "here")
    assert sorted(path.name for path in json_path.parent.iterdir()) == ["report.json", "report.md"]
    data = json.loads(json_path.read_text(encoding="utf-8"))
    assert data["dataset"] == "RealSR V2, test, x4"
    assert data["checkpoint_hash"] == "0123456789abcdef"
    assert data["sample"] is False and data["notice"] == "" and data["facts"] == {"seed": 0}
    assert data["protocols"]["realsr-official"]["tile"] == 1200
    assert [image["key"] for image in data["images"]] == ["Canon_001", "a|b"]
    # One image is perfect; JSON has no infinity.
    assert data["images"][1]["psnr[realsr-official]"] == "inf" == data["mean"]["psnr[benchmark-y]"]
    assert 0 < data["mean"]["ssim[realsr-official]"] < 1
    text = markdown_path.read_text(encoding="utf-8")
    for said in ("RealSR V2, test, x4", "0123456789abcdef", "`psnr[realsr-official]` | inf |"):
        assert said in text
    assert "tiles of 1200 px every 800 px" in text and "a\\|b" in text
    assert "SAMPLE" not in text


def test_images_end_in_the_order_of_the_data_set():
    report = Report(title="t", dataset="d")
    for key in ("first", "third"):  # what one of two processes measured
        report.add_image({"key": key, "psnr[rgb]": 30.0})
    every = [{"key": key, "psnr[rgb]": 30.0} for key in ("first", "second", "third")]
    report.add_scores({"psnr[rgb]": 30.0}, per_image=every)
    assert list(report.images) == ["first", "second", "third"]


def test_a_sample_run_says_so_loudly(tmp_path):
    report = Report(title="demo", dataset="sample", sample=True)
    report.add(measured())
    json_path, markdown_path = report.write(tmp_path)
    data = json.loads(json_path.read_text(encoding="utf-8"))
    assert data["sample"] is True and data["notice"].startswith("SAMPLE RUN")
    text = markdown_path.read_text(encoding="utf-8")
    assert text.count("SAMPLE RUN") == 2 and text.index("SAMPLE RUN") < text.index("Data set")


def test_missing_numbers_are_listed_with_their_reason(tmp_path):
    report = Report(title="t", dataset="d")
    report.add(measured(metrics=["psnr", "lpips"], lpips_weights=str(tmp_path / "absent.pth")))
    text = report.to_markdown()
    assert "| `lpips[alex-v0.1]` | n/a |" in text and "absent.pth" in text
    assert "absent.pth" in report.to_dict()["missing"]["lpips[alex-v0.1]"]


def test_prefixes_and_plain_numbers():
    report = Report(title="t", dataset="d")
    report.add(measured(prefix="canon"))
    report.add_scores({"error": 0.25}, per_image=[{"key": "Canon_001", "error": 0.25}], prefix="k")
    assert set(report.averages) == {
        "canon/psnr[realsr-official]",
        "canon/ssim[realsr-official]",
        "k/error",
    }
    assert report.images["Canon_001"]["values"]["k/error"] == 0.25
    assert "| 0.2500 |" in report.to_markdown()
    with pytest.raises(ConfigError, match="prefix"):
        report.add_scores({"error": 0.5}, prefix="k")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        Report(title="t", dataset="d").write(tmp_path / "file")


def test_mean_and_spread():
    assert mean_and_spread([30.0, 31.0, 32.0]) == (31.0, 1.0, 3)
    assert mean_and_spread([5.0]) == (5.0, None, 1)
    assert mean_and_spread([5.0]).text() == "5.00 (n = 1)"
    assert mean_and_spread([0.91, 0.92]).text(4) == "0.9150 ± 0.0071 (n = 2)"
    with pytest.raises(ValueError, match="no runs"):
        mean_and_spread([])
    assert over_seeds([]) == {}
    assert over_seeds([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": (2.0, math.sqrt(2), 2)}


def test_a_metric_of_another_package_needs_averages_alone():
    class Theirs:
        averages = {"sharpness": 2.0}  # noqa: RUF012

    class Scores:
        key = "a"

        def mean(self):
            return {"sharpness": 2.0}

    report = Report(title="t", dataset="d")
    report.add(Theirs())
    report.add_image(Scores())
    assert report.averages == {"sharpness": 2.0}
    assert report.to_dict()["images"] == [{"key": "a", "samples": 1, "sharpness": 2.0}]
