"""Run folders as realdeg writes them, without a training."""

from __future__ import annotations

import json
from pathlib import Path

from realdeg.evaluation.protocols import get_protocol
from realdeg.evaluation.report import Report
from realdeg.utils.data_file import data_text


def write_run(folder: Path, seed=0, iterations=10, done=10, **config) -> Path:
    """Write a run's folder: config, one session, the name of the newest checkpoint."""
    session = folder / "20260101_120000" / "vis_data"
    session.mkdir(parents=True)
    lines = [{"train/loss": 1 / step, "step": step} for step in range(1, done + 1)]
    (session / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "last_checkpoint").write_text(f"iter_{done}.pth")
    stated = {"seed": seed, "recipe": "net/net_x4", "train_cfg": {"max_iters": iterations}}
    (folder / "config.yaml").write_text(data_text({**stated, **config}))
    return folder


def write_test(folder: Path, values, protocol="rgb", samples=None, dataset="Set test") -> Path:
    """Write the report of a test into ``folder/test``.

    Args:
        folder: The work dir.
        values: PSNR by image.
        protocol: As for a metric.
        samples: How many tiles each image is, all of them with the image's value.
        dataset: The data set in words.
    """
    report = Report("net/net_x4", dataset, facts={"Scale": "4, LR smaller than HR"})
    found = get_protocol(protocol)
    label = found.label("psnr")
    for key, value in values.items():
        report.add_image({"key": key, label: value})
        count = (samples or {}).get(key, 1)
        report.images[key]["samples"] = count
        report.images[key]["all"][label] = [value] * count
    report.unfinished = "its mean is the one so far"
    report.add_scores(report.means(), protocol=found)
    report.unfinished = ""
    report.write(folder / "test")
    return folder
