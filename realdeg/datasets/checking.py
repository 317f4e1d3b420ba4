"""The check before training, which finds faulty files cheaply.

Headers and the positions of parts reveal missing, empty, foreign, truncated and too large files
without decoding. Damage in the middle of a file is found by ``thorough=True``, which decodes
everything, or when the image is first read. Images that are slow to read, in a store or in tables,
are inspected by sample, unless ``thorough``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from realdeg.datasets.records import Fault, Record
from realdeg.errors import DataError, GeometryError
from realdeg.utils.image import ImageFile, StoredImage, check_image, load_image
from realdeg.utils.scales import divides, lr_length

Size = tuple[int, int]

_NAMED_FAULTS = 10
_COSTLY_INSPECTED = 64


def inspect_image(path: ImageFile, thorough: bool = False) -> Size:
    """Return (height, width) of an image after a check; ``thorough`` decodes it.

    Raises:
        DataError: If it is missing, empty, truncated or not an image.
    """
    if thorough:
        height, width = load_image(path).pixels.shape[:2]
        return height, width
    return check_image(path).size


def inspect_record(
    record: Record, thorough: bool = False
) -> tuple[list[Fault], Size | None, Size | None]:
    """Return the faults of a record and the sizes of HR and LR, None if unreadable or absent."""
    faults: list[Fault] = []
    sizes: list[Size | None] = []
    for path in (record.hr, record.lr):
        if path is None:
            sizes.append(None)
            continue
        try:
            sizes.append(inspect_image(path, thorough))
        except DataError as error:
            # The line already starts with the path.
            faults.append(Fault(path, str(error).replace(f"the image {path} ", "").rstrip(".")))
            sizes.append(None)
    return faults, sizes[0], sizes[1]


def inspect_records(
    records: Sequence[Record], thorough: bool = False
) -> list[tuple[list[Fault], Size | None, Size | None]]:
    """Inspect many records in threads, which hide the latency of the disk."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda record: inspect_record(record, thorough), records))


def worth_inspecting(records: Sequence[Record]) -> list[Record]:
    """Return the records that a check before training looks into: all that are cheap to read.

    Of images in a store, or in tables whose rows are read in groups, it is some from everywhere.
    """
    costly = [one for one in records if isinstance(one.hr, StoredImage) and one.hr.costly]
    if len(costly) <= _COSTLY_INSPECTED:
        return list(records)
    step = len(costly) / _COSTLY_INSPECTED
    chosen = {costly[int(number * step)].key for number in range(_COSTLY_INSPECTED)}
    left_out = {one.key for one in costly} - chosen
    return [one for one in records if one.key not in left_out]


def expected_lr(hr: Size, scale: float, same_size: bool) -> Size:
    """Return the size that LR must have; a remainder of the division is dropped."""
    return hr if same_size else (lr_length(hr[0], scale), lr_length(hr[1], scale))


def pair_fault(
    hr: Size, lr: Size, scale: float, same_size: bool, remainder: bool = False
) -> str | None:
    """Phrase how the sizes of a pair contradict the settings, or return None.

    Args:
        hr: Size of HR.
        lr: Size of LR.
        scale: HR pixels per LR pixel, unless ``same_size``.
        same_size: Whether both have the same size.
        remainder: Whether HR may exceed LR times ``scale`` by less than ``scale``.
    """
    wanted = expected_lr(hr, scale, same_size)
    exact = same_size or remainder or (divides(hr[0], scale) and divides(hr[1], scale))
    if lr == wanted and exact:
        return None
    rule = "the same size (same_size=True)" if same_size else f"HR / {scale} (same_size=False)"
    return f"LR is {lr[0]} x {lr[1]} where HR is {hr[0]} x {hr[1]}; wanted {rule}"


def refuse_geometry(
    pairs: Sequence[tuple[Size, Size]], scale: float, same_size: bool, where: str
) -> None:
    """Raise GeometryError if all pairs (sizes of HR and LR) agree on other settings."""
    if not pairs or any(pair_fault(hr, lr, scale, same_size, True) is None for hr, lr in pairs):
        return
    if all(hr == lr for hr, lr in pairs):
        raise GeometryError(
            f"{where}: these pairs are of equal size: use same_size=True"
            f" (RealSR V1/V2, version=1 or 2; configs such as dml_n8_realsr_x{scale}), not"
            f" same_size=False (RealSR V3; ..._realsrv3_x{scale}).",
            fits=(scale, True),
        )
    ratios = {hr[0] // lr[0] for hr, lr in pairs}
    ratio = ratios.pop()
    if not ratios and ratio > 1 and all(expected_lr(hr, ratio, False) == lr for hr, lr in pairs):
        raise GeometryError(
            f"{where}: HR is {ratio} times the size of LR in these pairs: use same_size=False,"
            f" scale={ratio} (RealSR V3, version=3; configs such as dml_n8_realsrv3_x{ratio}), not"
            f" same_size={same_size}, scale={scale}.",
            fits=(ratio, False),
        )


def refuse_faults(faults: Sequence[Fault], where: str) -> None:
    """Raise one DataError for all faults, which names the first ten and their number."""
    if not faults:
        return
    lines = [f"  {fault}" for fault in faults[:_NAMED_FAULTS]]
    if len(faults) > _NAMED_FAULTS:
        lines.append(f"  and {len(faults) - _NAMED_FAULTS} more")
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    listing = "\n".join(lines)
    raise DataError(f"{where}: {count}; fix or remove these files.\n{listing}")
