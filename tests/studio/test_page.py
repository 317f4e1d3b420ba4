"""The page itself: its actions by Gradio's client, its routes by HTTP, its looks by Chromium."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import realdeg
from realdeg.utils.component import save_component
from tests.reporting.browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed"),
]
RECIPE = """degradation:
  type: Compose
  parts:
  - {type: BlurDown, kind: DAN}
  - {type: AWGN, sigma: 6}
scale: 2
same_size: false
"""


@contextmanager
def serving(folder, *options):
    log = folder / "log.txt"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "realdeg", "studio", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        try:
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, log.read_text()
            yield line.split()[2]
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio")
    realdeg.write_image(folder / "secret.png", np.full((64, 64, 3), 200, np.uint8))
    (folder / "secret.txt").write_text("secret")
    with serving(folder) as found:
        yield found, folder


@pytest.fixture
def client(address):
    from gradio_client import Client

    return Client(address[0], verbose=False, download_files=False)


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (20, 24, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    realdeg.write_image(tmp_path / "my photo.png", pixels)
    return tmp_path / "my photo.png"


def fetch(address, path, data=None, host=None):
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(address.rstrip("/") + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def pixels_of(address, file):
    """Read an image that the page shows."""
    status, content, _ = fetch(address, urllib.parse.urlsplit(file["url"]).path)
    assert status == 200
    import cv2

    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_a_photo_is_drawn_looked_at_replayed_and_saved(address, client, photo):
    from gradio_client import handle_file

    slider, lr, words, trace, row, column, kernel, noise, _ = client.predict(
        handle_file(photo), None, 64, RECIPE, 7, api_name="/draw"
    )
    part = json.loads(trace)["crop"]
    top, left, height, width = part
    assert (height, width) == (64, 64) and "AWGN: sigma 6" in words and (row, column) == (16, 16)
    file = address[1] / "degradation.yaml"
    file.write_text(RECIPE)
    pixels = realdeg.read_image(photo)[top : top + height, left : left + width]
    want, _ = realdeg.Degrader(str(file)).degrade(pixels, 7)
    assert np.array_equal(pixels_of(address[0], slider[0]), pixels)
    assert np.array_equal(pixels_of(address[0], lr)[::2, ::2], want)
    assert kernel is not None and noise is not None

    again = client.predict(handle_file(photo), None, 64, RECIPE, trace, api_name="/replay")
    assert np.array_equal(pixels_of(address[0], again[1])[::2, ::2], want)
    assert "replayed" in again[2]
    number, *other = client.predict(handle_file(photo), None, 64, RECIPE, 7, api_name="/draw_again")
    assert number == 8 and not np.array_equal(pixels_of(address[0], other[1])[::2, ::2], want)
    *_, there = client.predict(3, 4, api_name="/look")
    assert "row 3, column 4" in there


def test_steps_are_added_and_a_recipe_is_started_from(client):
    text, scale, grid, _ = client.predict("JPEG", RECIPE, api_name="/add_step")
    assert text.count("type:") == 4 and (scale, grid) == (2, False)
    text, scale, *_ = client.predict("BSRGAN", RECIPE, api_name="/start_from")
    assert "type: BSRGAN" in text and scale == 2
    text, *_ = client.predict("recipe: hat/hat_real_dfo_x4", text, api_name="/start_from")
    assert "RealESRGAN" in text and "scale: 4" in text


def test_a_camera_is_loaded_compared_and_exported(client, tmp_path):
    from gradio_client import handle_file

    camera = realdeg.create_degradation("DML", scale=2, num_kernels=2, kernel_size=5, width=4)
    camera.mark_trained()
    camera.save(tmp_path / "camera.safetensors")
    text, scale, *_ = client.predict(
        handle_file(tmp_path / "camera.safetensors"), api_name="/load_camera"
    )
    assert "checkpoint: camera.safetensors" in text and scale == 2
    client.predict(text, api_name="/keep")
    _, table = client.predict(None, "sample/coffee", 64, RECIPE, 0, api_name="/compare")
    assert "| degradation | DML" in table
    config, python, *_ = client.predict(text, 0, api_name="/export")
    assert "camera.safetensors" in config and "camera.safetensors" in python


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("degradation: {type: NoSuch}", "no degradation named"),
        ("degradation: [", "not YAML"),
        ("degradation: {checkpoint: secret.safetensors}", "loaded in the page"),
        ("degradation: {type: AWGN, sigma: 999}", "sigma is 999"),
        ("degradation: {type: Compose, parts: [{type: <img src=x onerror=alert(1)>}]}", "&lt;img"),
    ],
)
def test_an_error_is_one_sentence(client, recipe, message):
    with pytest.raises(Exception, match=message) as caught:
        client.predict(None, "sample/coffee", 64, recipe, 0, api_name="/draw")
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "..%2f..%2f..%2fetc/passwd", "../../../../etc/passwd", "secret.txt"),
        *("{folder}/secret.txt", "{folder}/secret.png", "{folder}/x/../secret.txt"),
        *("/proc/self/environ", "%2fetc%2fpasswd", "http://127.0.0.1:1/"),
    ],
)
@pytest.mark.parametrize("route", ["/gradio_api/file=", "/file=", "/gradio_api/file/"])
def test_no_other_file_is_served(address, route, path):
    status, content, _ = fetch(address[0], route + path.format(folder=address[1]))
    assert status in (403, 404) or content == fetch(address[0], "/nowhere")[1]
    assert b"root:" not in content and b"secret" not in content.replace(b"secret.", b"")


TOLD = ["", "", "none", "", "", False]


@pytest.mark.parametrize("name", ["secret.png", "/etc/passwd", "secret.safetensors"])
@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("draw", [], [None, 64, RECIPE, 0]),
        ("compare", [], [None, 64, RECIPE, 0]),
        ("load_camera", [], []),
        ("upscale", [], ["FSRCNN:yjn870 x2", None, *TOLD]),
        ("upscale", [None, None], TOLD),
    ],
)
def test_no_other_file_is_taken_for_an_upload(address, action, before, after, name):
    file = {"path": str(address[1] / name), "meta": {"_type": "gradio.FileData"}}
    status, content, _ = fetch(
        address[0], f"/gradio_api/call/{action}", {"data": [*before, file, *after]}
    )
    event = json.loads(content).get("event_id")
    assert status == 200 and event
    _, answer, _ = fetch(address[0], f"/gradio_api/call/{action}/{event}")
    assert b"event: error" in answer and b"event: complete" not in answer
    assert b"secret" not in answer.replace(str(address[1] / name).encode(), b"")


def test_the_page_is_for_this_machine(address):
    assert fetch(address[0], "/")[0] == 200
    assert fetch(address[0], "/", host="evil.example")[0] == 421
    assert fetch(address[0], "/gradio_api/proxy=http://127.0.0.1:1/")[0] == 404
    assert "default-src 'self'" in fetch(address[0], "/")[2]["Content-Security-Policy"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_works_in_a_browser(address, tmp_path, dark):
    """Change a step, draw, click a pixel; no error in the console, nothing from elsewhere."""
    browser = Browser(tmp_path / "profile", 1400, 1000, dark)
    words = "(document.querySelector('#words textarea')?.value ?? '')"
    try:
        browser.call("Page.navigate", url=address[0])
        wait(browser, f"{words}.includes('sigma 5')")
        browser.run(button("2. AWGN"))
        wait(browser, f"!!{entry('sigma')}")
        wait(browser, f"({entry('sigma')}.focus(), document.activeElement === {entry('sigma')})")
        browser.run(f"{entry('sigma')}.select()")
        browser.call("Input.insertText", text="25")
        browser.run(f"{entry('sigma')}.blur()")
        for _ in range(20):  # what is drawn is the config, which follows the form a moment later
            time.sleep(1)
            browser.run(button("Draw"))
            time.sleep(2)
            if browser.run(f"{words}.includes('sigma 25')"):
                break
        wait(browser, f"{words}.includes('sigma 25')")
        there = "/LR pixel at row 1[45], column 1[78]/.test(document.body.innerText)"
        for _ in range(20):  # the picture takes no click while its new state fades in
            box = browser.run(
                "(() => { const one = document.querySelector('#lr_picture img');"
                " one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
                " return [box.left + box.width / 4, box.top + box.height / 4]; })()"
            )
            browser.mouse("mousePressed", *box)
            browser.mouse("mouseReleased", *box)
            time.sleep(2)
            if browser.run(there):
                break
        assert browser.run(there)
        browser.picture(tmp_path / "page.png")
        shade = realdeg.read_image(tmp_path / "page.png")[-40:, :40].mean()
        assert (shade < 80) if dark else (shade > 200)
        assert not complaints(browser, address[0])
    finally:
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_dropped_photo_is_upscaled_in_a_browser(address, photo, tmp_path):
    """Drop a photo and a network's file, upscale the LR image, see what Python makes of it."""
    torch.manual_seed(0)
    network = realdeg.create_backbone("FSRCNN", scale=4)
    with torch.no_grad():  # a picture that is neither black nor white
        network.state_dict()["last_part.bias"].fill_(0.5)
    weights = tmp_path / "network.safetensors"
    arguments = network.arguments
    save_component(weights, network, kind="backbone", type="FSRCNN", arguments=arguments)
    browser = Browser(tmp_path / "profile", 1400, 1000)
    words = "(document.querySelector('#words textarea')?.value ?? '')"
    try:
        browser.call("Page.navigate", url=address[0])
        wait(browser, f"{words}.includes('sample/coffee')")
        browser.drop("#photo button", photo)
        wait(browser, f"{words}.includes('my_photo.png') || {words}.includes('my photo.png')")
        lr = shown(address[0], browser, "#lr_picture img")[::4, ::4]
        assert lr.shape == (20, 24, 3)
        browser.run(button("Upscale", "[role=tab]"))
        wait(browser, "!!document.querySelector('#network button')?.offsetParent")
        browser.drop("#network button", weights)
        wait(browser, "document.querySelector('#network')?.innerText.includes('network')")
        browser.run(button("Upscale", "button.primary"))
        wait(browser, "document.body.innerText.includes('FSRCNN: 20 x 24 to 80 x 96')")
        wait(browser, "document.querySelectorAll('#upscaled img').length == 2")
        network = realdeg.SuperResolver(weights, device="cpu")
        made = shown(address[0], browser, "#upscaled img")
        assert np.array_equal(made, network.upscale(lr)) and 20 < made.mean() < 235 and made.std()
        browser.picture(tmp_path / "upscaled.png")
        assert not complaints(browser, address[0])
    finally:
        browser.close()


def test_it_ends_with_a_page_open_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(tmp_path) as found:
        held = urllib.request.urlopen(found + "gradio_api/heartbeat/held", timeout=60)
        assert held.readline() and list(tmp_path.glob("realdeg_studio_*"))
    assert not list(tmp_path.glob("realdeg_studio_*"))
    assert (tmp_path / "log.txt").read_text() == "interrupted\n"


def wait(browser, condition, seconds=120):
    end = time.monotonic() + seconds
    while not browser.run(condition):
        assert time.monotonic() < end, f"never: {condition}"
        time.sleep(0.3)


def complaints(browser, address):
    """Return errors, and requests of anything but the page's own server."""
    own = (f"request of {address}", "request of about:")
    return [
        one
        for one in browser.complaints()
        # Gradio warns of itself when it closes the stream that tells how much is uploaded.
        if not one.startswith(own) and "Method not implemented." not in one
    ]


def shown(address, browser, selector):
    """Return the pixels of an image in the page."""
    url = browser.run(f"[...document.querySelectorAll({selector!r})].at(-1).src")
    return pixels_of(address, {"url": url})


def button(words, selector="button"):
    return (
        f"[...document.querySelectorAll({selector!r})].find("
        f"one => one.innerText.trim().startsWith({words!r})).click()"
    )


def entry(label):
    return (
        "[...document.querySelectorAll('label')].find("
        f"one => one.innerText.trim().startsWith({label!r}))?.querySelector('input')"
    )
