"""Community weights on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import realdeg.backbones.spandrel_model  # noqa: F401 - registers the type
from realdeg.backbones import SRVGGNetCompact
from realdeg.cli.main import main
from realdeg.utils.image import write_image


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        pytest.importorskip("spandrel", reason="spandrel cannot be imported", exc_type=Exception)
        monkeypatch.chdir(tmp_path)
        network = SRVGGNetCompact(4, num_features=6, num_convs=3)
        torch.save(network.state_dict(), "4x.pth")
        write_image(tmp_path / "lr.png", np.zeros((6, 7, 3), np.uint8))

    def run(self, command, *words, options=()):
        options = ["--cfg-options", *options] if options else []
        return main([command, *words, "--device", "cpu", *options])

    def test_infer(self, capsys):
        words = ("infer", "SpandrelModel", "lr.png", "sr.png", "--quiet")
        assert self.run(*words, options=["backbone.file=4x.pth"]) == 0
        assert "6 x 7 -> 24 x 28" in capsys.readouterr().out
        assert self.run(*words) == 2
        assert "error: SpandrelModel needs a file" in capsys.readouterr().err

    def test_train_then_test_then_infer(self, tmp_path, capsys):
        (tmp_path / "mine.py").write_text(
            '_base_ = ["realdeg::srvgg_compact/srvgg_compact_t91_x4_cpu.py"]\n'
            'backbone = dict(type="SpandrelModel", file="4x.pth")\n'
        )
        assert self.run("test", "mine.py", "--sample", "--no-pictures") == 0
        before = json.loads((tmp_path / "work_dirs/mine/test/report.json").read_text())["mean"]
        assert self.run("train", "mine.py", "--sample", options=["train_cfg.max_iters=1"]) == 0
        tuned = tmp_path / "work_dirs/mine/backbone.safetensors"
        words = ("mine.py", str(tuned), "--sample", "--no-pictures", "--work-dir", "out")
        assert self.run("test", *words) == 0
        report = json.loads((tmp_path / "out/test/report.json").read_text())
        assert report["mean"] != before
        assert report["facts"]["Backbone"].startswith("SpandrelModel, RealESRGAN Compact")
        (tmp_path / "4x.pth").unlink()
        assert self.run("infer", str(tuned), "lr.png", "tuned.png", "--quiet") == 0
