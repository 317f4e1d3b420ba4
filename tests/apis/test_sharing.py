"""``realdeg push`` and ``hf:OWNER/NAME``, against a stand-in for the Hub's HTTP interface."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import yaml

import realdeg
from realdeg.backbones import VDSR
from realdeg.cli.main import main
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.utils import hub
from realdeg.utils.component import save_component
from realdeg.utils.image import write_image
from tests.apis.hub_server import Hub, Repository

NAME = "anna/my-camera"
needs_package = pytest.mark.skipif(
    find_spec("huggingface_hub") is None,
    reason="huggingface_hub is not installed (extra realdeg[hub])",
)


@pytest.fixture
def server(monkeypatch, tmp_path):
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_nothing")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REALDEG_OFFLINE", raising=False)
    hub._fetched.clear()
    yield server
    hub._fetched.clear()
    server.close()


@pytest.fixture
def camera(tmp_path):
    """A folder as ``realdeg fit`` writes it, and things that must stay at home."""
    folder = tmp_path / "my_camera"
    realdeg.create_degradation("AWGN", scale=2, sigma=5).save(folder / "camera.safetensors")
    write_image(folder / "pictures" / "kernels.png", np.zeros((4, 4, 3), np.uint8))
    write_image(tmp_path / "private.png", np.zeros((4, 4, 3), np.uint8))
    (folder / "report.json").write_text(json.dumps({"pairs": "/home/anna/secret"}))
    (folder / "config.yaml").write_text("data_root: /home/anna/secret\n")
    (folder / "README.md").write_text(
        "# my_camera\n\n| file | what |\n|---|---|\n| `camera.safetensors` | it |\n"
        "| `config.yaml` | training |\n| `report.json` | numbers |\n\n"
        "![kernels](pictures/kernels.png)\n![other](../private.png)\n"
    )
    return folder


def network(folder):
    model = VDSR.example()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "network.safetensors"
    save_component(file, model, kind="backbone", type="VDSR", arguments=model.arguments)
    return model, file


@needs_package
class TestPush:
    def test_camera_card_and_pictures(self, server, camera):
        pushed = realdeg.push_to_hub(camera, NAME, licence="cc-by-4.0")
        content = server.repositories[NAME].commits[-1]
        assert set(content) == {"camera.safetensors", "README.md", "pictures/kernels.png"}
        assert set(pushed.files) == set(content)
        assert content["camera.safetensors"] == (camera / "camera.safetensors").read_bytes()
        _, front, card = content["README.md"].decode().split("---\n", 2)
        data = yaml.safe_load(front)
        assert data["license"] == "cc-by-4.0"
        assert data["library_name"] == "realdeg"
        assert "image-degradation" in data["tags"]
        assert "![kernels](pictures/kernels.png)" in card
        assert "private.png" not in card
        assert "report.json" not in card
        assert f"realdeg degrade hf:{NAME}" in card
        assert b"secret" not in b"".join(content.values())

    def test_command_and_second_push(self, server, tmp_path, capsys):
        _, file = network(tmp_path / "net")
        for _ in range(2):
            assert main(["push", str(file), "anna/net", "--private"]) == 0
        assert server.repositories["anna/net"].private
        assert len(server.repositories["anna/net"].commits) == 3
        out = capsys.readouterr().out
        assert "hf:anna/net" in out
        assert "no licence is stated" in out
        front = server.repositories["anna/net"].commits[-1]["README.md"].decode().split("---\n")[1]
        assert yaml.safe_load(front)["pipeline_tag"] == "image-to-image"

    def test_private_is_not_sent_to_a_public_repository(self, server, camera):
        server.repositories[NAME] = Repository()
        with pytest.raises(CheckpointError, match="is public, so nothing was sent"):
            realdeg.push_to_hub(camera, NAME, private=True)
        assert server.repositories[NAME].commits == [{}]

    def test_what_cannot_be_pushed(self, server, camera, tmp_path):
        (tmp_path / "x.pth").write_bytes(b"")
        for source in (tmp_path / "x.pth", tmp_path):
            with pytest.raises(CheckpointError, match="neither a folder of realdeg fit"):
                realdeg.push_to_hub(source, NAME)
        for name in ("camera", "a/b/c", "../b", "a/b@v1"):
            with pytest.raises(ConfigError, match="not a repository|names a revision"):
                realdeg.push_to_hub(camera, name)
        with pytest.raises(ConfigError, match="licence is 'All rights'"):
            realdeg.push_to_hub(camera, NAME, licence="All rights")
        assert server.asked == []


@needs_package
class TestPull:
    def test_camera_by_name_wherever_one_is_taken(self, server, camera, tmp_path):
        realdeg.push_to_hub(camera, NAME)
        found = realdeg.create_degradation(f"hf:{NAME}", trained=True)
        assert found.describe() == "AWGN x2, LR 2 times smaller"
        assert found.arguments["sigma"] == 5
        part = {"type": "Compose", "parts": [{"checkpoint": f"hf:{NAME}"}]}
        assert realdeg.create_degradation(part, scale=2).parts[0].arguments["sigma"] == 5
        write_image(tmp_path / "hr" / "a.png", np.zeros((8, 8, 3), np.uint8))
        assert main(["degrade", f"hf:{NAME}", str(tmp_path / "hr"), str(tmp_path / "lr")]) == 0
        # One list and one download of each file, whatever number of objects is made.
        assert sum("resolve" in one and one.startswith("GET") for one in server.asked) == 3
        with pytest.raises(GeometryError):
            realdeg.create_degradation(f"hf:{NAME}", scale=3)
        with pytest.raises(CheckpointError, match=r"holds camera\.safetensors, wanted a network"):
            realdeg.create_backbone(f"hf:{NAME}")

    def test_network_of_a_revision_and_its_record(self, server, tmp_path):
        model, file = network(tmp_path / "net")
        first = realdeg.push_to_hub(file.parent, "anna/net")
        before = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict({k: v + 1 for k, v in before.items()})
        save_component(file, model, kind="backbone", type="VDSR", arguments=model.arguments)
        realdeg.push_to_hub(file, "anna/net")
        old = realdeg.create_backbone(f"hf:anna/net@{first.commit}", trained=True)
        new = realdeg.create_backbone("VDSR", scale=2, weights="hf:anna/net")
        for name, value in model.state_dict().items():
            assert torch.equal(new.state_dict()[name], value)
            assert torch.equal(old.state_dict()[name], before[name])
        folder = tmp_path / "home" / "hub" / "models--anna--net" / "realdeg"
        write_image(tmp_path / "lr.png", np.zeros((8, 8, 3), np.uint8))
        words = ["infer", str(tmp_path / "lr.png"), str(tmp_path / "sr.png")]
        assert main([*words, "--model", "hf:anna/net"]) == 0
        record = json.loads((folder / f"{first.commit}.json").read_text())
        assert record["commit"] == first.commit
        by_name = {one["name"]: one["sha256"] for one in record["files"]}
        assert by_name["network.safetensors"] == first.sha256

    def test_only_harmless_files_are_pulled(self, server, camera):
        realdeg.push_to_hub(camera, NAME)
        more = {"evil.py": b"x", "model.pth": b"x", "pytorch_model.bin": b"x", "a/b/c.json": b"{}"}
        server.repositories[NAME].commits[-1].update(more)
        realdeg.create_degradation(f"hf:{NAME}")
        assert not [one for one in server.asked for name in more if one.endswith(name)]

    def test_sizes_are_checked_before_anything_is_downloaded(self, server, camera, monkeypatch):
        realdeg.push_to_hub(camera, NAME)
        monkeypatch.setenv("REALDEG_MAX_DOWNLOAD", "100")
        with pytest.raises(CheckpointError, match=r"too large: \d+ bytes of weights"):
            realdeg.create_degradation(f"hf:{NAME}")
        monkeypatch.delenv("REALDEG_MAX_DOWNLOAD")
        server.repositories[NAME].lies["README.md"] = {"size": 1 << 40}
        with pytest.raises(CheckpointError, match="too large"):
            realdeg.create_degradation(f"hf:{NAME}")
        assert not [one for one in server.asked if "resolve" in one]

    @pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"size": 7}])
    def test_another_file_than_listed_is_not_kept(self, server, camera, lie, tmp_path):
        realdeg.push_to_hub(camera, NAME)
        server.repositories[NAME].lies["camera.safetensors"] = lie
        with pytest.raises(CheckpointError, match="is not the file of the list"):
            realdeg.create_degradation(f"hf:{NAME}")
        assert not list((tmp_path / "home").rglob("camera.safetensors"))
        server.repositories[NAME].lies.clear()
        assert realdeg.create_degradation(f"hf:{NAME}").scale == 2

    def test_what_is_not_there(self, server, camera):
        with pytest.raises(CheckpointError, match="no such repository, or it is private"):
            realdeg.create_degradation("hf:anna/none")
        realdeg.push_to_hub(camera, NAME)
        with pytest.raises(CheckpointError, match="no branch, tag or commit 'v9'"):
            realdeg.create_degradation(f"hf:{NAME}@v9")
        server.repositories["anna/empty"] = Repository(commits=[{"a.pth": b"x"}])
        with pytest.raises(CheckpointError, match=r"holds no \.safetensors file"):
            realdeg.create_degradation("hf:anna/empty")
        server.repositories["anna/other"] = Repository(commits=[{"a.safetensors": b"x"}])
        with pytest.raises(CheckpointError, match="holds no weights, wanted a camera"):
            realdeg.create_degradation("hf:anna/other")

    def test_offline_what_was_downloaded_is_used_and_checked(self, server, camera, monkeypatch):
        realdeg.push_to_hub(camera, NAME)
        with monkeypatch.context() as context:
            context.setenv("REALDEG_OFFLINE", "1")
            with pytest.raises(CheckpointError, match="forbids downloading it. It was not"):
                realdeg.create_degradation(f"hf:{NAME}")
        file = hub.hub_weights(f"hf:{NAME}")
        hub._fetched.clear()
        monkeypatch.setenv("REALDEG_OFFLINE", "1")
        asked = len(server.asked)
        assert realdeg.create_degradation(f"hf:{NAME}").scale == 2
        assert len(server.asked) == asked
        hub._fetched.clear()
        monkeypatch.delenv("REALDEG_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        assert realdeg.create_degradation(f"hf:{NAME}").scale == 2
        hub._fetched.clear()
        file.write_bytes(b"changed")
        with pytest.raises(CheckpointError, match="is not the file of the list"):
            realdeg.create_degradation(f"hf:{NAME}")

    def test_a_file_of_weights_cannot_name_a_repository(self, server, camera, tmp_path):
        realdeg.push_to_hub(camera, NAME)
        made = realdeg.create_degradation({"type": "Compose", "parts": ["AWGN"]}, scale=2)
        arguments = {**made.arguments, "parts": [{"checkpoint": f"hf:{NAME}"}]}
        file = tmp_path / "evil.safetensors"
        save_component(file, made, kind="degradation", type="Compose", arguments=arguments)
        asked = len(server.asked)
        with pytest.raises(CheckpointError, match="names another file"):
            realdeg.create_degradation(file)
        assert len(server.asked) == asked


def test_names():
    assert hub.hub_name("hf:a/b").revision == "main"
    assert str(hub.hub_name("hf:a/b@v1.0")) == "hf:a/b@v1.0"
    for text in ("hf:a", "hf:/a/b", "hf:a/../b", "hf:a/b@", "hf:a/b@../x", "hf:a/b c", "hf:~/b"):
        with pytest.raises(ConfigError, match="write hf:OWNER/NAME"):
            hub.hub_name(text)


def test_without_the_package_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path))
    monkeypatch.delenv("REALDEG_OFFLINE", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'realdeg\[hub\]'\.$"):
        realdeg.create_degradation("hf:a/b")
