"""The gate in front of the page, and the port; no Gradio needed."""

import asyncio
import socket
import sys

import pytest

import realdeg
from realdeg.cli.main import main
from realdeg.errors import ConfigError
from realdeg.studio.server import LOOPBACK, Gate, listen


async def page(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


def ask(path, host="127.0.0.1:7860", hosts=LOOPBACK):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"host", host.encode())]}
    asyncio.run(Gate(page, hosts)(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:1", "localhost", "[::1]:7860"])
def test_the_page_is_served_under_its_own_names(host):
    assert ask("/", host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example:7860", "127.0.0.1.evil.example", "", "[::2]:1"])
def test_another_name_is_refused(host):
    assert ask("/", host)[0] == 421
    assert ask("/", host, hosts=None)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=http://192.168.0.1/",
        "/gradio_api/file=https://example.com/x",
        "/gradio_api/file=http://169.254.169.254/",
        "/monitoring/summary",
        "/gradio_api/vibe-code",
    ],
)
def test_what_the_page_does_not_need_is_closed(path):
    assert ask(path)[0] == 404


def test_a_browser_may_load_nothing_from_elsewhere():
    policy = ask("/")[1][b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


def test_a_port_in_use_is_one_sentence(capsys, monkeypatch):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127.0.0.1 is in use"):
            listen("127.0.0.1", port)
        monkeypatch.setattr("realdeg.apis.studio.find_spec", lambda name: True)
        assert main(["studio", "--port", str(port)]) == 2
    assert "--port 0" in capsys.readouterr().err


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(ConfigError, match="0 to 65535"):
        listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigError, match="cannot be used|no address"):
        listen("192.0.2.1", 0)


def test_a_free_port_is_found():
    with listen("127.0.0.1", 0) as opened:
        assert isinstance(opened, socket.socket) and opened.getsockname()[1] > 0


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("realdeg.apis.studio.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install realdeg\[studio\]"):
        realdeg.open_studio()
    assert main(["studio"]) == 2
    assert "pip install realdeg[studio]" in capsys.readouterr().err
