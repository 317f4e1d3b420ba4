"""The exercise: the network as given, its loss, and every step of the README on the sample."""

import hashlib
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from a2001sr import A2001SR

from realdeg import create_backbone, load_config, super_resolve
from realdeg.backbones import RCAN
from realdeg.backbones.pretrained import CATALOGUE, catalogue
from realdeg.cli.main import main
from realdeg.degradations.primitives.resize import imresize
from realdeg.losses import TVLoss, WeightedLoss
from realdeg.testing import BackboneContract
from realdeg.utils.component import read_component
from realdeg.utils.image import read_image, write_image

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TINY = dict(num_groups=1, num_blocks=1, num_features=8, reduction=4)
SHORT = ["train_cfg.max_iters=2", "batch_size=2", "train_dataloader.num_workers=0"]
STILL = ["optim_wrapper.optimizer.lr=0", "param_scheduler=None"]
NO_TESTS = ["val_cfg=None", "val_dataloader=None", "val_evaluator=None"]


class TestA2001SR(BackboneContract):
    component = A2001SR


@pytest.mark.parametrize("scale", [2, 4])
def test_layers_are_those_of_the_exercise(scale):
    network = A2001SR(scale=scale)
    shapes = [tuple(p.shape) for p in network.parameters() if p.ndim == 4]
    left = 256 // scale**2
    assert shapes == [(32, 3, 5, 5), (64, 32, 3, 3), (256, 64, 3, 3), (3, left, 3, 3)]
    assert sum(p.numel() for p in network.parameters()) == {2: 170_371, 4: 169_075}[scale]
    lr = torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        last = network.layers[-1]
        last.weight.zero_(), last.bias.fill_(0.25)
        torch.testing.assert_close(network(lr), imresize(lr, scale) + 0.25)


def test_the_loss_is_absolute_error_and_a_little_variation():
    loss = dict(load_config(str(CONFIGS / "exercise_x2.py")).model.loss)
    assert loss.pop("type") == "WeightedLoss"
    sr, hr = torch.rand(2, 1, 3, 8, 8)
    terms = WeightedLoss(**loss)(sr, hr)
    torch.testing.assert_close(terms["loss_l1"], (sr - hr).abs().mean())
    torch.testing.assert_close(terms["loss_tv"], 0.001 * TVLoss()(sr, hr))


def train(recipe, folder, *options):
    words = ["train", str(CONFIGS / f"{recipe}.py"), "--sample", "--work-dir", str(folder)]
    small = ["patch_size=16", *SHORT, *NO_TESTS]
    assert main([*words, "--device", "cpu", "--cfg-options", *small, *options]) == 0
    return folder / "backbone.safetensors"


def test_the_exercise_trains_on_the_sample(tmp_path):
    file = read_component(train("exercise_x2", tmp_path))
    assert file.type == "A2001SR" and file.arguments["scale"] == 2


def test_x4_starts_from_x2_and_is_self_ensembled(tmp_path):
    tiny = [f"backbone.{key}={value}" for key, value in TINY.items()]
    first = train("rcan_x2", tmp_path / "x2", *tiny)
    start = f"backbone.start_from.checkpoint={first}"
    second = train("rcan_x4_from_x2", tmp_path / "x4", start, *STILL, *tiny)
    x2, x4 = (create_backbone({"checkpoint": str(file)}) for file in (first, second))
    assert (x2.scale, x4.scale) == (2, 4)
    kept = {k: v for k, v in x2.state_dict().items() if not k.startswith("tail.")}
    assert kept and all(torch.equal(x4.state_dict()[k], v) for k, v in kept.items())

    write_image(tmp_path / "lr.png", (torch.rand(12, 10, 3) * 255).byte().numpy())
    words = ["infer", str(second), str(tmp_path / "lr.png")]
    assert main([*words, str(tmp_path / "sr.png"), "--self-ensemble"]) == 0
    super_resolve(second, tmp_path / "lr.png", tmp_path / "once.png", progress=False)
    sr, once = read_image(tmp_path / "sr.png"), read_image(tmp_path / "once.png")
    assert sr.shape == once.shape == (48, 40, 3) and (sr != once).any()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A tiny RCAN on a server of this machine, in the place of the published one of x4."""
    torch.manual_seed(0)
    network = RCAN(scale=4, **TINY)
    torch.save(network.state_dict(), tmp_path / "published.pt")
    content = (tmp_path / "published.pt").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    listed = next(e for e in CATALOGUE if (e.type, e.name) == ("RCAN", "div2k") and 4 in e.scales)
    place = dict(url=f"http://127.0.0.1:{server.server_port}/{listed.file}", size=len(content))
    digest = dict(sha256=hashlib.sha256(content).hexdigest(), hash_from="file")
    entry = replace(listed, arguments=TINY, **place, **digest)
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("REALDEG_OFFLINE", raising=False)
    yield network
    server.shutdown()
    server.server_close()


def test_published_weights_are_fetched_tested_and_fine_tuned(published, tmp_path):
    write_image(tmp_path / "lr.png", (torch.rand(12, 10, 3) * 255).byte().numpy())
    words = ["infer", "RCAN", str(tmp_path / "lr.png"), str(tmp_path / "sr.png"), "--scale", "4"]
    assert main([*words, "--cfg-options", "backbone.pretrained=div2k"]) == 0
    network = create_backbone("RCAN", scale=4, weights="div2k")
    state = network.state_dict()
    assert all(torch.equal(state[k], v) for k, v in published.state_dict().items())
    start = ["backbone.start_from.checkpoint=None", "backbone.start_from.pretrained=div2k"]
    start += ["backbone.start_from.ignore=()", *STILL]
    tiny = [f"backbone.{key}={value}" for key, value in TINY.items()]
    file = train("rcan_x4_from_x2", tmp_path / "run", *start, *tiny)
    state = create_backbone({"checkpoint": str(file)}).state_dict()
    assert all(torch.equal(state[k], v) for k, v in published.state_dict().items())


@pytest.mark.parametrize("recipe", ["set5", "set14", "kodak"])
def test_the_second_exercise_is_that_of_its_program(recipe):
    cfg = load_config(str(CONFIGS / f"zssr_{recipe}_x2.py"))
    assert (cfg.scale, cfg.backbone.type, cfg.backbone.form) == (2, "ZSSR", "exercise")
    steps = [step["type"] for step in cfg.test_dataloader.dataset.transforms]
    known = {"set5": [], "set14": ["ModCrop", "Degrade"], "kodak": ["CentreCrop", "Degrade"]}
    assert steps == [*known[recipe], "PackSample"]


def test_the_second_exercise_trains_on_the_images_that_it_is_tested_on(tmp_path):
    (tmp_path / "Kodak24").mkdir()
    photo = (torch.rand(256, 260, 3) * 255).byte().numpy()
    write_image(tmp_path / "Kodak24/01.png", photo)
    words = ["test", str(CONFIGS / "zssr_kodak_x2.py"), "--work-dir", str(tmp_path / "run")]
    small = ["backbone.iterations=2", "backbone.crop=16", "backbone.width=4"]
    workers = "test_dataloader.num_workers=0"
    assert main([*words, "--cfg-options", f"data_root={tmp_path}", workers, *small]) == 0
    (image,) = json.loads((tmp_path / "run/test/report.json").read_text())["images"]
    assert image["key"] == "01" and 5 < image["psnr[benchmark-y]"] < 30
