"""Image files of seven formats: cut, flipped, with other claims, parts lost and doubled."""

from __future__ import annotations

import functools
import importlib
import io
import os
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageCms

from tests.fuzz.harness import Case
from tests.utils.image_files import png_chunks, png_of

SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "WEBP": ".webp",
    "GIF": ".gif",
    "PPM": ".ppm",
}
_SIDES = (0, 1, 2, 255, 4097, 30_000, 65_535, 2**31 - 1, 2**32 - 1)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield damaged files, one after another given to functions and to commands.

    Args:
        seed: Another seed, other cases.
        count: How many.
    """
    # What is claimed within the limit is believed and costs its time: a small limit, small claims.
    os.environ["REALDEG_MAX_PIXELS"] = "4000000"
    # torch imports it, and what it finds installed, when memory is measured for a large picture.
    importlib.import_module("torch._dynamo")
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        kind = list(SUFFIXES)[number % len(SUFFIXES)]
        content = draw.choice(originals()[kind])
        names = []
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            mutate = draw.choice(MUTATIONS)
            content = mutate(content, draw)
            names.append(mutate.__name__.strip("_"))
        yield _case(f"{number} {kind} {'+'.join(names)}", kind, content, number // 7 % 4)


def _case(name: str, kind: str, content: bytes, use: int) -> Case:
    file = f"a{SUFFIXES[kind]}"

    def prepare(folder: Path) -> None:
        (folder / "in").mkdir()
        (folder / "in" / file).write_bytes(content)
        if use == 2:
            (folder / "net.safetensors").write_bytes(network())

    if use == 1 and kind not in ("GIF", "PPM"):  # which folders do not take for images
        words = ("degrade", "Bicubic", "in", "out", "--scale", "2", "--quiet")
        return Case(f"degrade {name}", words, prepare=prepare)
    if use == 2:
        words = ("infer", "net.safetensors", f"in/{file}", "out.png", "--quiet")
        return Case(f"infer {name}", words, prepare=prepare)

    def call(folder: Path) -> None:
        look(folder / "in" / file)

    return Case(f"read {name}", call=call, prepare=prepare)


def look(path: Path) -> None:
    """Read a file in every way; what they say must agree."""
    from realdeg.datasets.checking import inspect_image
    from realdeg.errors import DataError
    from realdeg.utils.image import check_image, image_size, load_image, read_header, read_image

    found: dict[str, object] = {}
    refusal: DataError | None = None
    for function in (image_size, inspect_image, load_image, read_image):
        # Training reads without looking into the data first; libpng then complains on stderr.
        if refusal and "compressed pixels" in str(refusal):
            continue
        try:
            result = function(path)
            pixels = getattr(result, "pixels", result)
            found[function.__name__] = pixels.shape[:2] if hasattr(pixels, "shape") else result
        except DataError as error:
            refusal = error
    if "load_image" in found:  # the strictest
        assert len(found) == 4, found
        assert len(set(found.values())) == 1, found
        assert load_image(path).pixels.ndim == 3
        header = check_image(path)
        assert header == read_header(path, whole=True)
        assert np.array_equal(read_image(path), load_image(path).pixels)
        return
    assert refusal is not None
    raise refusal


@functools.cache
def network() -> bytes:
    """Return a file of a tiny network."""
    import torch

    from realdeg.backbones import FSRCNN
    from realdeg.utils.component import save_component

    torch.manual_seed(0)
    net = FSRCNN.example()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        save_component(path, net, kind="backbone", type="FSRCNN", arguments=net.arguments)
        return path.read_bytes()


@functools.cache
def originals() -> dict[str, list[bytes]]:
    """Return whole files of every format, several kinds of each."""
    rng = np.random.default_rng(0)
    rows = np.linspace(0, 200, 24)[:, None, None]
    rgb = (rows + rng.integers(0, 56, (24, 32, 4))).astype(np.uint8)
    colour, alpha, grey = (
        Image.fromarray(np.ascontiguousarray(part)) for part in (rgb[..., :3], rgb, rgb[..., 0])
    )
    faint = Image.fromarray(np.ascontiguousarray(rgb[..., 2:]), "LA")
    exif = Image.Exif()
    exif[274] = 6
    beside = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    palette = colour.quantize(16)
    deep = rgb.astype(np.uint16) * 257
    return {
        "PNG": [
            *(_saved(one, "PNG", **beside) for one in (colour, alpha, grey, faint)),
            _saved(palette, "PNG", transparency=3),
            _saved(grey, "PNG", transparency=3),
            _saved(grey.convert("1"), "PNG"),
            _saved(Image.fromarray(deep[..., 0]), "PNG"),
            _saved(colour, "PNG", save_all=True, append_images=[colour.rotate(180)]),
        ],
        "JPEG": [
            _saved(colour, "JPEG", **beside),
            _saved(colour, "JPEG", progressive=True, subsampling=0),
            _saved(grey, "JPEG"),
            _saved(colour.convert("CMYK"), "JPEG"),
            _saved(colour, "JPEG", restart_marker_blocks=1) + b"film" * 500,
        ],
        "TIFF": [
            *(_saved(one, "TIFF", **beside) for one in (colour, alpha, grey, faint, palette)),
            _saved(colour, "TIFF", compression="tiff_lzw"),
            _saved(colour, "TIFF", compression="jpeg"),
            _saved(grey.convert("1"), "TIFF", compression="group4"),
            _saved(colour.convert("CMYK"), "TIFF"),
            _tiff(deep[..., :3], photometric="rgb", compression="zlib"),
            _tiff(deep, photometric="rgb", extrasamples=["assocalpha"]),
            _tiff(deep[..., :3].transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
            _tiff(rgb[..., :3], photometric="rgb", bigtiff=True),
            _tiff(rgb[..., :3], photometric="rgb", tile=(16, 16), byteorder=">"),
            _tiff(rgb[..., 0].astype(np.float32), photometric="minisblack"),
        ],
        "BMP": [_saved(one, "BMP") for one in (colour, alpha, grey, palette, grey.convert("1"))],
        "WEBP": [
            _saved(colour, "WEBP", **beside),
            _saved(alpha, "WEBP", lossless=True, **beside),
            _saved(colour, "WEBP", lossless=True),
            _saved(alpha, "WEBP"),
            _saved(colour, "WEBP", save_all=True, append_images=[colour.rotate(180)]),
        ],
        "GIF": [
            _saved(palette, "GIF"),
            _saved(palette, "GIF", transparency=3),
            _saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        ],
        "PPM": [
            _saved(colour, "PPM"),
            _saved(grey, "PPM"),
            _saved(grey.convert("1"), "PPM"),
            b"P5 # words\n4 2\n1023\n" + bytes(range(16)),
            b"P3 2 1 9 1 2 3 4 5 6 ",
            b"P2 2 2 1000 1 2 3 999 ",
            b"P1 3 1 1 0 1",
        ],
    }


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _tiff(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, metadata=None, **options)
    return stream.getvalue()


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _flip_bits(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 2, 8, 64)) if changed else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _flip_bits_of_the_head(content: bytes, draw: random.Random) -> bytes:
    return _flip_bits(content[:64], draw) + content[64:]


def _put_number(content: bytes, draw: random.Random) -> bytes:
    """Put a telling number anywhere, in either order of bytes."""
    length = draw.choice((1, 2, 4))
    if len(content) < length:
        return content
    value = draw.choice((*_SIDES, draw.getrandbits(32))) & (256**length - 1)
    place = draw.randrange(min(len(content) - length + 1, draw.choice((64, 400, 10**9))))
    written = value.to_bytes(length, draw.choice(("big", "little")))
    return content[:place] + written + content[place + length :]


def _claim_a_size(content: bytes, draw: random.Random) -> bytes:
    """Write other sides where the format's header has them."""
    width, height = draw.choice(_SIDES), draw.choice(_SIDES)
    changed = bytearray(content)
    try:
        if content[:4] == b"\x89PNG":
            return _with_chunk(content, 0, struct.pack(">II", width, height) + content[24:29])
        if content[:2] == b"\xff\xd8":
            place = next(p for p in (content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) if p > 0)
            struct.pack_into(">HH", changed, place + 5, height & 65535, width & 65535)
        elif content[:2] == b"BM":
            struct.pack_into("<II", changed, 18, width, height)
        elif content[:3] == b"GIF":
            struct.pack_into("<HH", changed, 6, width & 65535, height & 65535)
        elif content[:1] == b"P":
            words = content.split(None, 3)
            return b"%s %d %d\n%s" % (words[0], width, height, words[3])
        elif content[12:16] == b"VP8X":
            changed[24:27], changed[27:30] = width.to_bytes(4, "little")[:3], b"\x10\x20\x01"
        elif content[:2] in (b"II", b"MM"):
            order = "<" if content[:2] == b"II" else ">"
            for tag, value in ((256, width), (257, height)):
                for type_ in (3, 4):
                    head = struct.pack(order + "HHI", tag, type_, 1)
                    place = content.find(head)
                    if place > 0:
                        struct.pack_into(order + "HHII", changed, place, tag, 4, 1, value)
    except (StopIteration, struct.error, IndexError):
        return content
    return bytes(changed)


def _lose_a_part(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[min(end, start + 200) :]


def _double_a_part(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] * draw.choice((1, 2, 50)) + content[end:]


def _put_garbage(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.randbytes(draw.choice((1, 7, 300))) + content[place:]


def _append(content: bytes, draw: random.Random) -> bytes:
    film = draw.choice((b"\0", b"\0\0\0\x18ftypmp42", b"\xff\xd9", b"IEND", content))
    return content + film * draw.choice((1, 100, 2000))


def _change_chunks(content: bytes, draw: random.Random) -> bytes:
    """Lose, double, exchange or fill chunks of a PNG; their checksums are right."""
    try:
        chunks = png_chunks(content)
    except struct.error:
        return content
    if content[:4] != b"\x89PNG" or not chunks:
        return content
    place = draw.randrange(len(chunks))
    name, inside = chunks[place]
    deed = draw.randrange(6)
    if deed == 0:
        del chunks[place]
    elif deed == 1:
        chunks.insert(draw.randrange(len(chunks) + 1), chunks[place])
    elif deed == 2:
        other = draw.randrange(len(chunks))
        chunks[place], chunks[other] = chunks[other], chunks[place]
    elif deed == 3:
        chunks[place] = (name, _flip_bits(inside, draw))
    elif deed == 4:
        bomb = zlib.compress(bytes(1 << 24), 9)
        kind = draw.choice((b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"PLTE", b"acTL"))
        chunks.insert(1, (kind, draw.choice((b"x\0\0" + bomb, b"", draw.randbytes(40)))))
    else:
        chunks[place] = (name, _cut(inside, draw))
    return png_of(chunks)


def _change_segments(content: bytes, draw: random.Random) -> bytes:
    """Put segments into a JPEG, or a tag of EXIF that leads astray."""
    if content[:2] != b"\xff\xd8":
        return content
    tags = struct.pack("<2sHIHHHII", b"II", 42, 8, draw.choice((1, 9, 65535)), 274, 3, 1, 6)
    inside = draw.choice(
        (
            b"Exif\0\0" + tags + struct.pack("<I", draw.choice((0, 8, 2**32 - 1))),
            b"ICC_PROFILE\0" + draw.randbytes(30),
            b"ICC_PROFILE\0\1\xff" + bytes(200),
            b"Adobe\0\x64\0\0\0\0" + bytes([draw.randrange(4)]),
            b"",
        )
    )
    code = draw.choice((0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xC4, 0xDB, 0xDD, 0xC0, 0xC9, 0xDA, 0xD9))
    segment = struct.pack(">BBH", 0xFF, code, len(inside) + 2) + inside
    return content[:2] + segment * draw.choice((1, 2, 300)) + content[2:]


def _change_tags(content: bytes, draw: random.Random) -> bytes:
    """Give a tag of a TIFF another kind, count, place or value."""
    if content[:2] not in (b"II", b"MM") or len(content) < 40:
        return content
    order = "<" if content[:2] == b"II" else ">"
    changed = bytearray(content)
    try:
        (place,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, place)
        entry = place + 2 + 12 * draw.randrange(max(1, min(count, 100)))
        field, shape = draw.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
        value = draw.choice((*_SIDES, *range(10), draw.getrandbits(32)))
        size = 2 if shape == "H" else 4
        struct.pack_into(order + shape, changed, entry + field, value & (256**size - 1))
    except struct.error:
        return content
    return bytes(changed)


def _with_chunk(content: bytes, place: int, inside: bytes) -> bytes:
    chunks = png_chunks(content)
    chunks[place] = (chunks[place][0], inside)
    return png_of(chunks)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _flip_bits,
    _flip_bits_of_the_head,
    _put_number,
    _put_number,
    _claim_a_size,
    _lose_a_part,
    _double_a_part,
    _put_garbage,
    _append,
    _change_chunks,
    _change_segments,
    _change_tags,
)
