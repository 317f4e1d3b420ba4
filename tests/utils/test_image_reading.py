"""Files that are read: turned, deep, transparent, with profiles, of several pages, damaged."""

from __future__ import annotations

import io
import os
import socket
import struct
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from realdeg.datasets.checking import inspect_image
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import (
    check_image,
    image_size,
    load_image,
    read_header,
    read_image,
    set_pixel_limit,
    write_image,
)
from tests.utils.image_files import jpeg_claiming, png_chunks, png_of

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(shape, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def smooth(height=40, width=56, channels=3):
    coarse = noise((height // 8, width // 8, channels), seed=1)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(
        height, width, channels
    )


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(array, **options):
    stream = io.BytesIO()
    options = {"metadata": None, "photometric": "minisblack", **options}
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def put(folder, content, name="a"):
    (folder / name).write_bytes(content)
    return folder / name


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("JPEG", {"quality": 95}),
            ("PNG", {}),
            ("WEBP", {"lossless": True}),
            ("TIFF", {}),
        ],
    )
    def test_upright_as_viewers_show_it(self, tmp_path, kind, options, orientation):
        exif = Image.Exif()
        exif[274] = orientation
        path = put(tmp_path, encoded(Image.fromarray(smooth()), kind, exif=exif, **options))
        with Image.open(path) as image:
            shown = np.asarray(ImageOps.exif_transpose(image))
        found = read_image(path)
        assert found.shape == shown.shape == (*image_size(path), 3)
        assert np.abs(found.astype(int) - shown).max() <= (3 if kind == "JPEG" else 0)
        # What is written is upright, and says nothing else.
        for suffix in (".png", ".jpg", ".tif", ".webp"):
            write_image(tmp_path / f"b{suffix}", found)
            with Image.open(tmp_path / f"b{suffix}") as image:
                assert image.getexif().get(274, 1) == 1 and image.size == shown.shape[1::-1]

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_tiff_of_every_kind(self, tmp_path, orientation, dtype, channels):
        array = noise((6, 10, channels), dtype)
        options = {"photometric": "rgb" if channels > 2 else "minisblack"}
        if channels in (2, 4):
            options |= {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
        plain = put(tmp_path, tiff(array.squeeze(), **options), "plain")
        turned = put(
            tmp_path,
            tiff(array.squeeze(), **options, extratags=[(274, "H", 1, orientation, True)]),
        )
        plane = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10))
        exif = Image.Exif()
        exif[274] = orientation
        with Image.open(io.BytesIO(encoded(plane, "PNG", exif=exif))) as image:
            order = np.asarray(ImageOps.exif_transpose(image))
        wanted = array.reshape(60, channels)[order.reshape(-1)].reshape(*order.shape, channels)
        assert np.array_equal(read_image(plain), array)
        assert np.array_equal(read_image(turned), wanted)

    def test_damaged_exif_is_no_orientation(self, tmp_path):
        for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff"):
            content = encoded(Image.fromarray(smooth()), "JPEG", exif=exif)
            assert read_image(put(tmp_path, content)).shape == (40, 56, 3)


class TestAlpha:
    def test_grey_and_alpha_stay(self, tmp_path):
        for dtype in (np.uint8, np.uint16):
            array = noise((9, 7, 2), dtype)
            write_image(tmp_path / "a.png", array)
            assert np.array_equal(read_image(tmp_path / "a.png"), array)
        array = noise((9, 7, 2))
        path = put(tmp_path, encoded(Image.fromarray(array, "LA"), "PNG"))
        assert np.array_equal(read_image(path), array)
        path = put(tmp_path, encoded(Image.fromarray(array, "LA"), "TIFF"))
        assert np.array_equal(read_image(path), array)

    @pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
    def test_a_transparent_grey(self, tmp_path, bits):
        stored = (np.arange(64) % 2**bits).reshape(8, 8)
        rows = b"".join(b"\0" + _packed(row.tolist(), bits) for row in stored)
        header = struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0)
        key = 2**bits - 1 if bits < 8 else 5
        path = put(
            tmp_path,
            png_of(
                [
                    (b"IHDR", header),
                    (b"tRNS", struct.pack(">H", key)),
                    (b"IDAT", zlib.compress(rows)),
                    (b"IEND", b""),
                ]
            ),
        )
        found = read_image(path)
        top = 65535 if bits == 16 else 255
        scale = 1 if bits >= 8 else 255 // (2**bits - 1)
        assert found.shape == (8, 8, 2) and found.max() == top
        assert np.array_equal(found[..., 0], stored * scale)
        assert np.array_equal(found[..., 1], (stored != key) * top)
        assert read_header(path).channels == 2

    def test_a_transparent_colour_and_palette(self, tmp_path):
        array = noise((4, 4, 3)) // 64 * 64
        image = Image.fromarray(array)
        colour = tuple(int(v) for v in array[1, 2])
        found = read_image(put(tmp_path, encoded(image, "PNG", transparency=colour)))
        assert found.shape == (4, 4, 4) and np.array_equal(found[..., :3], array)
        assert np.array_equal(found[..., 3] == 0, (array == colour).all(axis=2))
        palette = image.quantize(16)
        for content in (
            encoded(palette, "PNG", transparency=3),
            encoded(palette, "PNG", transparency=bytes(range(0, 160, 10))),
            encoded(palette, "GIF", transparency=3),
        ):
            path = put(tmp_path, content)
            with Image.open(path) as opened:
                assert np.array_equal(read_image(path), np.asarray(opened.convert("RGBA")))

    @pytest.mark.parametrize("compression", [None, "zlib"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [2, 4])
    def test_alpha_of_tiff_is_straight(self, tmp_path, channels, dtype, compression):
        array = noise((9, 7, channels), dtype)
        options = {"photometric": "rgb" if channels == 4 else "minisblack"}
        options |= {"compression": compression, "planarconfig": "contig"}
        straight = put(tmp_path, tiff(array, extrasamples=["unassalpha"], **options))
        assert np.array_equal(read_image(straight), array)
        top = np.iinfo(dtype).max
        array[..., -1] |= top // 2 + 1
        multiplied = array.copy()
        multiplied[..., :-1] = np.round(array[..., :-1] * (array[..., -1:] / top))
        path = put(tmp_path, tiff(multiplied, extrasamples=["assocalpha"], **options))
        assert np.abs(read_image(path).astype(int) - array).max() <= 1


def _packed(values, bits):
    if bits == 16:
        return b"".join(struct.pack(">H", value) for value in values)
    joined = "".join(f"{value:0{bits}b}" for value in values)
    return int(joined, 2).to_bytes(len(joined) // 8, "big")


class TestProfiles:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("long", [False, True])
    def test_handed_on(self, tmp_path, kind, long):
        profile = PROFILE + noise(200_000).tobytes() * long
        path = put(tmp_path, encoded(Image.fromarray(smooth()), kind, icc_profile=profile))
        assert load_image(path).icc == profile
        bare = put(tmp_path, encoded(Image.fromarray(smooth()), kind), "b")
        assert load_image(bare).icc is None
        assert np.array_equal(load_image(path).pixels, read_image(bare))

    @pytest.mark.parametrize("profile", [b"x", b"\0" * 500, PROFILE[:16] + b"GRAY" + PROFILE[20:]])
    def test_what_is_none_is_left_out_and_noted(self, tmp_path, profile):
        path = put(tmp_path, encoded(Image.fromarray(smooth()), "PNG", icc_profile=profile))
        loaded = load_image(path)
        assert loaded.icc is None and "profile" in loaded.notes[0]

    def test_converted_on_request_only(self, tmp_path):
        red = np.full((4, 4, 3), (200, 60, 50), np.uint8)
        profile = bytearray(PROFILE)
        count = struct.unpack(">I", profile[128:132])[0]
        wide = {
            b"rXYZ": (0.60974, 0.31111, 0.01947),
            b"gXYZ": (0.20528, 0.62567, 0.06087),
            b"bXYZ": (0.14919, 0.06322, 0.74457),
        }
        for number in range(count):
            name, place, _ = struct.unpack(">4sII", profile[132 + 12 * number : 144 + 12 * number])
            if name in wide:
                values = (round(value * 65536) for value in wide[name])
                profile[place + 8 : place + 20] = struct.pack(">3i", *values)
        path = put(tmp_path, encoded(Image.fromarray(red), "PNG", icc_profile=bytes(profile)))
        assert np.array_equal(load_image(path).pixels, red)
        converted = load_image(path, srgb=True)
        assert converted.icc is None and "sRGB" in converted.notes[0]
        # Adobe RGB's red is out of sRGB's reach: more red, less of the rest.
        assert converted.pixels[0, 0, 0] > 225 and converted.pixels[0, 0, 1] <= 60
        alpha = np.dstack([red, np.full((4, 4), 77, np.uint8)])
        path = put(tmp_path, encoded(Image.fromarray(alpha), "PNG", icc_profile=bytes(profile)))
        both = load_image(path, srgb=True).pixels
        assert np.array_equal(both[..., :3], converted.pixels) and (both[..., 3] == 77).all()
        write_image(tmp_path / "deep.png", red.astype(np.uint16) * 257, icc=bytes(profile))
        with pytest.raises(DataError, match="16 bit"):
            load_image(tmp_path / "deep.png", srgb=True)

    def test_a_bomb_in_a_profile_is_not_inflated(self, tmp_path):
        chunks = png_chunks(encoded(Image.fromarray(smooth()), "PNG"))
        bomb = b"x\0\0" + zlib.compress(bytes(1 << 28), 9)
        path = put(tmp_path, png_of([chunks[0], (b"iCCP", bomb), *chunks[1:]]))
        tracemalloc.start()
        assert load_image(path).icc is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
        tracemalloc.stop()


class TestColours:
    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_inks_become_rgb_without_alpha(self, tmp_path, kind):
        path = put(tmp_path, encoded(Image.fromarray(smooth()).convert("CMYK"), kind))
        found = read_image(path)
        assert found.shape == (40, 56, 3) and read_header(path).channels == 3
        assert np.abs(found.astype(int) - smooth()).mean() < 3
        assert "CMYK" in load_image(path).notes[0]

    def test_sixteen_bit_tiff(self, tmp_path):
        array = noise((9, 7, 3), np.uint16)
        planes = array.transpose(2, 0, 1)
        for content in (
            tiff(array, photometric="rgb"),
            tiff(array, photometric="rgb", bigtiff=True),
            tiff(array, photometric="rgb", byteorder=">"),
            tiff(planes, photometric="rgb", planarconfig="separate"),
            tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib"),
        ):
            assert np.array_equal(read_image(put(tmp_path, content)), array)
        grey = array[..., :1]
        white = tiff(65535 - grey[..., 0], photometric="miniswhite")
        assert np.array_equal(read_image(put(tmp_path, white)), grey)

    def test_eight_bit_tiff(self, tmp_path):
        array = noise((48, 32, 3))
        for content in (
            tiff(array, photometric="rgb", bigtiff=True),
            tiff(array, photometric="rgb", tile=(16, 16)),
            tiff(array.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
            encoded(Image.fromarray(array), "TIFF", compression="tiff_lzw"),
        ):
            assert np.array_equal(read_image(put(tmp_path, content)), array)
        for image in (
            Image.fromarray(array[..., 0]).convert("1"),
            Image.fromarray(array).quantize(16),
        ):
            for kind in ("TIFF", "PNG", "BMP"):
                path = put(tmp_path, encoded(image, kind))
                wanted = np.asarray(image.convert("L" if image.mode == "1" else "RGB"))
                assert np.array_equal(read_image(path).squeeze(), wanted)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (tiff(np.zeros((2, 2), np.float32)), "floating-point numbers of 32 bit"),
            (tiff(np.zeros((2, 2), np.uint32)), "32 bit"),
            (tiff(np.zeros((2, 2), np.int16)), "a sign"),
            (tiff(np.zeros((2, 2), np.float16)), "floating-point"),
            (encoded(Image.new("LAB", (2, 2)), "TIFF"), "photometric interpretation 8"),
            (b"\x76\x2f\x31\x01" + bytes(40), "OpenEXR"),
            (b"#?RADIANCE\n", "Radiance"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"\0\0\0\x1cftypavif", "AVIF"),
            (b"Pf\n2 2\n-1\n" + bytes(16), "PFM"),
        ],
    )
    def test_refused_with_a_sentence(self, tmp_path, content, words):
        path = put(tmp_path, content)
        for function in (read_image, load_image, image_size, inspect_image):
            with pytest.raises(DataError, match=words):
                function(path)

    @pytest.mark.parametrize(
        ("content", "wanted"),
        [
            (b"P5 2 1 255 \x01\x02", [1, 2]),
            (b"P5 2 1 100 \x01\x64", [3, 255]),
            (b"P5 # c\n2 1\n1023\n\x03\xff\x00\x01", [65535, 64]),
            (b"P2 2 1 15 3 15", [51, 255]),
            (b"P1 2 1 0 1", [255, 0]),
            (b"P4 2 1 \x40", [255, 0]),
            (b"P6 1 1 255 abc", [97, 98, 99]),
        ],
    )
    def test_portable_maps(self, tmp_path, content, wanted):
        path = put(tmp_path, content)
        assert read_image(path).reshape(-1).tolist() == wanted
        assert image_size(path) == read_image(path).shape[:2]

    def test_portable_maps_that_end_early(self, tmp_path):
        for content in (
            b"P2 2 1 15 3 x",
            b"P1 2 1 0 ",
            b"P2 2 1 9 -1 4 ",
            b"P5 2 1 255 x",
            b"P3 1 1 9 1",
        ):
            with pytest.raises(DataError, match="damaged|truncated"):
                read_image(put(tmp_path, content))

    @pytest.mark.parametrize("size", [(33, 21), (3, 2), (1, 1)])
    def test_interlaced_png(self, tmp_path, size):
        array = noise((*size, 3))
        rows = b""
        for top, down, left, across in (
            (0, 8, 0, 8),
            (0, 8, 4, 8),
            (4, 8, 0, 4),
            (0, 4, 2, 4),
            (2, 4, 0, 2),
            (0, 2, 1, 2),
            (1, 2, 0, 1),
        ):
            part = array[top::down, left::across]
            rows += b"".join(b"\0" + row.tobytes() for row in part if row.size)
        header = struct.pack(">IIBBBBB", size[1], size[0], 8, 2, 0, 0, 1)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        path = put(tmp_path, png_of(chunks))
        assert np.array_equal(load_image(path).pixels, array)
        chunks[1] = (b"IDAT", zlib.compress(rows[:-1]))
        with pytest.raises(DataError, match="compressed pixels"):
            load_image(put(tmp_path, png_of(chunks)))


class TestSeveralPictures:
    @pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
    def test_refused_unless_the_first_is_asked_for(self, tmp_path, kind):
        frames = [Image.fromarray(smooth() // number) for number in (1, 2, 3)]
        options = {"lossless": True} if kind == "WEBP" else {}
        path = put(
            tmp_path,
            encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options),
        )
        for function in (read_image, load_image, check_image, inspect_image):
            with pytest.raises(DataError, match="holds 3 pictures"):
                function(path)
        first = load_image(path, first_frame=True)
        assert first.notes == ("the first of 3 pictures",)
        assert np.abs(first.pixels[..., :3].astype(int) - smooth()).mean() < (
            12 if kind == "GIF" else 0.1
        )
        still = put(tmp_path, encoded(frames[0], kind), "b")
        assert read_image(still).shape == (40, 56, 3)

    def test_a_preview_is_no_page(self, tmp_path):
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream) as writer:
            writer.write(smooth(), photometric="rgb", metadata=None)
            writer.write(smooth()[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        assert np.array_equal(read_image(put(tmp_path, stream.getvalue())), smooth())

    def test_pages_without_end(self, tmp_path):
        content = bytearray(tiff(smooth(), photometric="rgb"))
        place = struct.unpack("<I", content[4:8])[0]
        count = struct.unpack_from("<H", content, place)[0]
        struct.pack_into("<I", content, place + 2 + 12 * count, place)
        with pytest.raises(DataError, match="without end"):
            read_image(put(tmp_path, bytes(content)))


class TestEnds:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
    @pytest.mark.parametrize("behind", [1, 1000, 1100, 200_000])
    def test_bytes_behind_the_picture(self, tmp_path, kind, behind):
        """A motion photo is a JPEG with a film behind it."""
        content = encoded(Image.fromarray(smooth()), kind)
        plain = put(tmp_path, content, "b")
        film = (b"\0\0\0\x18ftypmp42\xff\xd9" + noise(behind).tobytes())[:behind]
        path = put(tmp_path, content + film)
        assert np.array_equal(read_image(path), read_image(plain))
        assert inspect_image(path) == inspect_image(path, thorough=True) == (40, 56)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
    def test_cut_files_stay_refused(self, tmp_path, kind):
        exif = Image.Exif()
        exif[271] = "x" * 3000
        options = {} if kind in ("BMP", "GIF") else {"exif": exif}
        content = encoded(Image.fromarray(noise((64, 64, 3))), kind, **options)
        for part in (0.97, 0.7, 0.4, 0.1):
            path = put(tmp_path, content[: int(len(content) * part)])
            for function in (read_image, load_image, inspect_image):
                with pytest.raises(DataError, match=r"truncated|damaged"):
                    function(path)

    def test_a_preview_inside_does_not_hide_a_cut(self, tmp_path):
        """The end marker of the small picture in EXIF is not that of the file."""
        small = encoded(Image.fromarray(smooth()), "JPEG")
        exif = b"Exif\0\0" + small
        content = encoded(Image.fromarray(noise((64, 64, 3))), "JPEG", exif=exif)
        path = put(tmp_path, content[: len(small) + 300])
        with pytest.raises(DataError, match="truncated"):
            inspect_image(path)

    def test_missing_pixels_within_a_whole_png(self, tmp_path, capfd):
        chunks = png_chunks(encoded(Image.fromarray(noise((64, 64, 3))), "PNG"))
        data = b"".join(content for name, content in chunks if name == b"IDAT")
        for damaged in (data[: len(data) // 2], data[:200] + data[220:]):
            path = put(tmp_path, png_of([chunks[0], (b"IDAT", damaged), (b"IEND", b"")]))
            with pytest.raises(DataError, match="compressed pixels are damaged"):
                load_image(path)
        assert not capfd.readouterr().err
        wrong = bytearray(path.read_bytes())
        wrong[60] ^= 1
        with pytest.raises(DataError, match="checksum of its chunk IDAT"):
            read_image(put(tmp_path, bytes(wrong)))


class TestBombs:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM"])
    def test_a_large_claim_costs_nothing(self, tmp_path, kind):
        path = put(tmp_path, _claiming(kind, 16000, 16000))
        tracemalloc.start()
        started = time.perf_counter()
        for function in (read_image, load_image, image_size, inspect_image):
            with pytest.raises(DataError, match="REALDEG_MAX_PIXELS|truncated"):
                function(path)
        assert time.perf_counter() - started < 0.5
        assert tracemalloc.get_traced_memory()[1] < 1e6
        tracemalloc.stop()

    def test_the_limit_can_be_moved(self, tmp_path, monkeypatch):
        path = put(tmp_path, encoded(Image.fromarray(smooth()), "PNG"))
        monkeypatch.setenv("REALDEG_MAX_PIXELS", str(40 * 56))
        assert read_image(path).shape == (40, 56, 3)
        monkeypatch.setenv("REALDEG_MAX_PIXELS", str(40 * 56 - 1))
        with pytest.raises(DataError, match="40 x 56 pixels, more than the limit of 2239"):
            read_image(path)
        for text in ("many", "-1", "0", "1e9", "²"):
            monkeypatch.setenv("REALDEG_MAX_PIXELS", text)
            with pytest.raises(ConfigError, match="REALDEG_MAX_PIXELS"):
                read_image(path)
        with pytest.raises(ConfigError, match="positive whole number"):
            set_pixel_limit(-5)
        set_pixel_limit(5)
        assert os.environ["REALDEG_MAX_PIXELS"] == "5"

    def test_a_jpeg_of_many_scans(self, tmp_path):
        content = encoded(Image.fromarray(smooth()), "JPEG", progressive=True)
        place = content.rindex(b"\xff\xda")
        scan = content[place:-2]
        path = put(tmp_path, content[:-2] + scan * 200 + b"\xff\xd9")
        with pytest.raises(DataError, match="scans"):
            read_image(path)


def _claiming(kind, height, width):
    if kind == "JPEG":
        return jpeg_claiming(30000, 30000)
    content = bytearray(encoded(Image.fromarray(smooth()), kind))
    if kind == "PNG":
        chunks = png_chunks(bytes(content))
        header = struct.pack(">II", width, height) + chunks[0][1][8:]
        return png_of([(b"IHDR", header), *chunks[1:]])
    if kind == "TIFF":
        return (
            tiff(smooth(), photometric="rgb")
            .replace(struct.pack("<HHII", 257, 4, 1, 40), struct.pack("<HHII", 257, 4, 1, 1 << 24))
            .replace(struct.pack("<HHII", 256, 4, 1, 56), struct.pack("<HHII", 256, 4, 1, 60000))
        )
    if kind == "BMP":
        struct.pack_into("<ii", content, 18, width, height)
    if kind == "GIF":
        struct.pack_into("<HH", content, 6, width, height)
    if kind == "PPM":
        return b"P6 16000 16000 255\n" + bytes(50)
    if kind == "WEBP":
        flags = b"VP8X" + struct.pack("<IB3x", 10, 0)
        sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
        body = b"WEBP" + flags + sides + content[12:]
        return b"RIFF" + struct.pack("<I", len(body)) + body
    return bytes(content)


class TestOtherThings:
    def test_no_file_hangs(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")
        (tmp_path / "folder.png").mkdir()
        (tmp_path / "link.png").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as unix:
            place = os.getcwd()
            os.chdir(tmp_path)
            unix.bind("socket.png")
            os.chdir(place)
            for name in ("pipe.png", "folder.png", "link.png", "socket.png"):
                for function in (read_image, load_image, image_size, inspect_image):
                    with pytest.raises(DataError, match=name):
                        function(tmp_path / name)

    def test_ordinary_files_are_decoded_as_ever(self, tmp_path):
        """OpenCV's pixels, bit for bit: published numbers depend on its JPEG decoder."""
        array = smooth(203, 301)
        for kind, options in (
            ("JPEG", {"quality": 80}),
            ("JPEG", {"quality": 90, "progressive": True, "subsampling": 0}),
            ("PNG", {}),
            ("BMP", {}),
            ("WEBP", {"quality": 70}),
            ("TIFF", {"compression": "tiff_lzw"}),
        ):
            for picture in (array, array[..., 0]):
                path = put(tmp_path, encoded(Image.fromarray(picture), kind, **options))
                plain = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
                wanted = plain[..., None] if plain.ndim == 2 else plain[..., ::-1]
                assert np.array_equal(read_image(path), wanted)
                assert np.array_equal(load_image(path).pixels, wanted)

    def test_opencv_is_quiet_and_its_level_is_left_as_it_was(self, tmp_path, capfd):
        before = cv2.utils.logging.getLogLevel()
        content = bytearray(
            tiff(noise((64, 64, 3), np.uint16), photometric="rgb", compression="zlib")
        )
        content[-9000:-100] = bytes(8900)
        path = put(tmp_path, bytes(content))
        with pytest.raises(DataError):
            read_image(path)
        assert cv2.utils.logging.getLogLevel() == before
        assert not capfd.readouterr().err
