"""Fig. 6 of the DML paper: crops of scenes of SR-RAW over networks of all training sets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from realdeg.apis.reproduce_rows import PLANS, Budget
from realdeg.apis.reproducing import FIGURE, Reproduction, place_of, reproduce
from realdeg.apis.scene_figure import NOISE, SHARPNESS, draw_scenes, find_crops
from realdeg.datasets.sr_raw import SRRAWDataset
from realdeg.utils.files import write_record

TITLE = "Figure 6 of DML: networks of all training sets on photos of another camera"
_NETWORKS, _SCALE = "table2", 4


def reproduce_figure(
    *,
    budget: Budget,
    data: str | os.PathLike[str],
    seeds: Sequence[int],
    out: str | os.PathLike[str] | None,
    options: Mapping[str, Any] | None,
    device: str | None,
    plan: bool,
) -> Reproduction:
    """Run the x4 networks of Table 2 as far as they are missing, and draw the figure.

    The photos are those of :class:`realdeg.datasets.SRRAWDataset`, split ``test``, shot 6 (35 mm).
    Of the other shots the one that shows the scene 4 times larger, or nearest to it, is found by
    matching and stands beside the results. The shots are not aligned, so there is no PSNR.

    Args:
        budget: As for :func:`realdeg.reproduce`.
        data: The folder that holds SR-RAW, and the data of the networks.
        seeds: The first one is used.
        out: As for :func:`realdeg.reproduce`.
        options: Likewise.
        device: Likewise.
        plan: Likewise.

    Raises:
        DataError: If there are no scenes, or no shot is found in another one.
    """
    # The photos first: trainings take hours.
    photos = None if plan else SRRAWDataset("test", data_root=os.fspath(data), scale=_SCALE)
    crops = None if photos is None else find_crops(photos, _SCALE)
    result = reproduce(
        _NETWORKS,
        budget=budget,
        data=data,
        seeds=list(seeds)[:1],
        out=out,
        options=options,
        device=device,
        plan=plan,
    )
    result.table, result.title = FIGURE, TITLE
    if crops is None:
        return result
    states = {run.name: run for run in result.runs}
    cells = [cell for cell in PLANS[_NETWORKS](budget).cells if cell.column == f"x{_SCALE}"]
    networks = {
        cell.row: place_of(cell.run, seeds[0], result.folder) / "backbone.safetensors"
        for cell in cells
        if states[cell.run.name].state == "done"
    }
    picture = result.folder / f"{FIGURE}.png"
    records = draw_scenes(networks, crops, _SCALE, picture)
    result.cells = [
        {
            "row": record["network"],
            "column": f"scene {record['scene']}",
            "run": record["network"],
            "scores": [SHARPNESS, NOISE],
            "found": {
                name: {"mean": record[name], "spread": None, "runs": 1}
                for name in (SHARPNESS, NOISE)
                if record[name] is not None
            },
            "published": [None, None],
            "missing": {},
        }
        for record in records
    ]
    result.files = [
        picture,
        *write_record(result.folder, FIGURE, result.to_dict(), result.to_markdown()),
    ]
    return result
