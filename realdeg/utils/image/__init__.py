"""Reading and writing images: RGB order, 8 and 16 bit, grey and alpha.

Arrays are H x W x C with C = 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha).
"""

from realdeg.utils.image.formats import FORMATS, IMAGE_SUFFIXES, Format, check_writable
from realdeg.utils.image.from_pil import ImageLike, as_array, rgb_tensor
from realdeg.utils.image.header import Header, pixel_limit, set_pixel_limit
from realdeg.utils.image.reading import (
    ImageLocation,
    LoadedImage,
    Reading,
    check_image,
    decode_image,
    image_size,
    is_plain_png,
    largest_image_file,
    load_image,
    open_image,
    read_header,
    read_image,
)
from realdeg.utils.image.stored import ImageFile, StoredImage, sha256_of, state_of
from realdeg.utils.image.tensors import as_rgb, round_to_8_bit, to_array, to_tensor
from realdeg.utils.image.writing import (
    ImageWriter,
    encode_image,
    open_image_writer,
    write_image,
)

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "Format",
    "Header",
    "ImageFile",
    "ImageLike",
    "ImageLocation",
    "ImageWriter",
    "LoadedImage",
    "Reading",
    "StoredImage",
    "as_array",
    "as_rgb",
    "check_image",
    "check_writable",
    "decode_image",
    "encode_image",
    "image_size",
    "is_plain_png",
    "largest_image_file",
    "load_image",
    "open_image",
    "open_image_writer",
    "pixel_limit",
    "read_header",
    "read_image",
    "rgb_tensor",
    "round_to_8_bit",
    "set_pixel_limit",
    "sha256_of",
    "state_of",
    "to_array",
    "to_tensor",
    "write_image",
]
