"""The tables that ``realdeg reproduce`` fills: their rows, the runs behind them, published values.

The small budget is the crops of RealSR V3 at x4 on a CPU, the paper's is its own recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from realdeg.apis.reproduce_published import SCALES, TABLE1, TABLE2

Budget = Literal["small", "paper"]


@dataclass(frozen=True)
class Weights:
    """Stands in options for the file of a degradation that another run learns.

    Args:
        run: That run.
    """

    run: Run


@dataclass(frozen=True)
class Run:
    """A training and its test.

    Args:
        name: The name of its folder; equal names are one run.
        recipe: The recipe.
        options: Dotted keys that differ from it; ``Weights`` anywhere in the values.
    """

    name: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[Run, ...]:
        """The runs whose weights it uses."""
        return tuple(_weights(self.options))


@dataclass(frozen=True)
class Cell:
    """The scores of a run in a table.

    Args:
        row: The heading of its row.
        column: The heading of its column.
        run: The run.
        scores: Labels of scores, such as ``"psnr[dml-paper]"``.
        published: The published value of each, as printed; None where there is none.
        requires: Names of degradations that must be registered.
    """

    row: str
    column: str
    run: Run
    scores: tuple[str, ...]
    published: tuple[str | None, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A table: its title and its cells, row by row."""

    title: str
    cells: tuple[Cell, ...]

    @property
    def runs(self) -> list[Run]:
        """All runs, each after those that it needs."""
        found: dict[str, Run] = {}

        def add(run: Run) -> None:
            for other in run.needs:
                add(other)
            found.setdefault(run.name, run)

        for cell in self.cells:
            add(cell.run)
        return list(found.values())


FIDELITY = ("psnr[dml-paper]", "ssim[dml-paper]")
SHARP = ("lpips[realsr-official]", "psnr[realsr-official]", "ssim[dml-paper]")
QUALITY = ("psnr[realsr-official]", "ssim[realsr-official]", "lpips[realsr-official]")
_CROPS = "realsrv3crops"
# Networks of a small run: what differs from the recipe of VDSR.
_SMALL: dict[str, dict[str, Any]] = {
    "VDSR": {},
    "RCAN": {
        "backbone": dict(
            _delete_=True,
            type="RCAN",
            num_groups=2,
            num_blocks=3,
            num_features=16,
            reduction=4,
        )
    },
    "SRVGGNetCompact": {
        "backbone": dict(_delete_=True, type="SRVGGNetCompact", num_features=24, num_convs=8)
    },
}


def small_degradation(name: str, options: Mapping[str, Any] | None = None, tag: str = "") -> Run:
    """Return the run that learns a degradation from the V3 crops."""
    family = {"DirectNet": "direct_net", "DirectKPN": "direct_kpn", "DSGAN": "dsgan"}
    folder = family.get(name, "dml")
    stem = "dml_n8" if folder == "dml" else folder
    changed = dict(options or {})
    if folder == "dml" and name != "DML 8":
        changed["degradation.num_kernels"] = int(name.removeprefix("DML "))
    return Run(f"{name.lower().replace(' ', '')}{tag}", f"{folder}/{stem}_{_CROPS}_x4_cpu", changed)


def small_network(
    kind: str,
    data: Literal["real", "bicubic", "syn_dml", "real_syn_dml"],
    name: str,
    options: Mapping[str, Any] | None = None,
    degradation: Mapping[str, Any] | None = None,
) -> Run:
    """Return the run that trains a network on the V3 crops.

    Args:
        kind: A key of the small networks.
        data: What it is trained on.
        name: The name of the run.
        options: Further options.
        degradation: What degrades its HR images instead of the recipe's DML and noise.
    """
    changed = {**_SMALL[kind], **(options or {})}
    if degradation is not None:
        changed["degradation"] = {"_delete_": True, **degradation}
    return Run(f"{kind.lower()}_{name}", f"vdsr/vdsr_{_CROPS}_{data}_x4_cpu", changed)


def noisy(learned: Run, sigma: float = 5) -> dict[str, Any]:
    """Return the config of a learned degradation and white noise, as in the DML paper."""
    parts: list[dict[str, Any]] = [dict(checkpoint=Weights(learned))]
    if sigma:
        parts.append(dict(type="AWGN", sigma=sigma))
    return dict(type="Compose", parts=parts)


def _table1(budget: Budget) -> Plan:
    cells = []
    for name, fidelity, sharp in TABLE1:
        for index, scale in enumerate((2, 3, 4)):
            values = [tuple(text.split()[index].split("/")) for text in (fidelity, sharp)]
            if budget == "small":
                if scale != 4:
                    continue
                learned = small_degradation(name)
                network = small_network(
                    "VDSR", "syn_dml", f"syn_{learned.name}", degradation=noisy(learned)
                )
            else:
                learned = _paper_degradation(name, scale)
                network = _paper_network("VDSR", "syn_dml", scale, learned)
            cells.append(Cell(name, f"generated LR x{scale}", learned, FIDELITY, values[0]))
            scores = ("psnr[realsr-official]", "ssim[dml-paper]")
            cells.append(Cell(name, f"VDSR on it x{scale}", network, scores, values[1]))
    return Plan("Table 1 of DML: fidelity of generated LR, and VDSR trained on it", tuple(cells))


def _table2(budget: Budget) -> Plan:
    cells = []
    for kind in ("VDSR", "RCAN"):
        for name, data, learner, published in TABLE2[kind]:
            for index, scale in enumerate((2, 3, 4)):
                values = tuple(row.split("/")[index] for row in published.split())
                if budget == "small":
                    if scale != 4:
                        continue
                    run = _small_table2(kind, data, learner)
                else:
                    learned = _paper_degradation(learner, scale) if learner else None
                    run = _paper_network(kind, data, scale, learned)
                cells.append(Cell(f"{kind}, {name}", f"x{scale}", run, SHARP, values))
    return Plan("Table 2 of DML: networks by their training set, on real test pairs", tuple(cells))


def _small_table2(kind: str, data: Any, learner: str) -> Run:
    if not learner:
        return small_network(kind, "real", "real")
    learned = small_degradation(learner)
    # The generator of DSGAN brings its own noise.
    cfg = dict(checkpoint=Weights(learned)) if learner == "DSGAN" else noisy(learned)
    kept = "syn_dml" if data.startswith("syn") else "real_syn_dml"
    name = data.replace("dml", learned.name).replace("dsgan", learned.name)
    return small_network(kind, kept, name, degradation=cfg)  # type: ignore[arg-type]


def _paper_degradation(name: str, scale: int, release: str = "realsr") -> Run:
    stems = {"DirectNet": "direct_net", "DirectKPN": "direct_kpn", "DSGAN": "dsgan"}
    folder = stems.get(name, "dml")
    stem = f"dml_n{name.removeprefix('DML ')}" if folder == "dml" else folder
    return Run(
        f"{name.lower().replace(' ', '')}_{release}_x{scale}", f"{folder}/{stem}_{release}_x{scale}"
    )


def _paper_network(kind: str, data: str, scale: int, learned: Run | None) -> Run:
    net = kind.lower()
    options: dict[str, Any] = {}
    suffix = data
    if learned is not None:
        suffix = f"{data}_{learned.name.partition('_')[0]}"
        cfg = dict(checkpoint=Weights(learned)) if data.endswith("dsgan") else noisy(learned)
        options["degradation"] = {"_delete_": True, **cfg}
    middle = f"_{data}" if data != "real" else "_realsr"
    return Run(f"{net}_{suffix}_x{scale}", f"{net}/{net}{middle}_x{scale}", options)


def _other_rows(budget: Budget, options: Mapping[str, Any], tag: str, row: str) -> Iterator[Cell]:
    """Yield the training sets that the tables ``noise`` and ``transfer`` share."""
    learned = _camera(budget, tag, options)
    for name, data, cfg, requires in (
        ("real pairs", "real", None, ()),
        ("real + HR-bicubic", "real_syn_dml", dict(type="Bicubic"), ()),
        ("real + BSRGAN", "real_syn_dml", dict(type="BSRGAN"), ()),
        ("real + Syn-DML, no noise", "real_syn_dml", noisy(learned, 0), ()),
        ("real + Syn-DML, sigma 1", "real_syn_dml", noisy(learned, 1), ()),
        ("real + Syn-DML, sigma 5", "real_syn_dml", noisy(learned, 5), ()),
        (
            "real + Syn-DML, learned noise",
            "real_syn_dml",
            dict(checkpoint=Weights(_noise(budget, learned, tag, options))),
            ("LearnedNoise",),
        ),
    ):
        short = name.replace("real + ", "").replace(", ", "_").replace(" ", "_").lower()
        run = _compact(budget, data, f"{short}{tag}", options, cfg)
        yield Cell(name, row, run, QUALITY, (None,) * 3, requires)


def _camera(budget: Budget, tag: str, options: Mapping[str, Any]) -> Run:
    chosen = {k: v for k, v in options.items() if not k.startswith(_MIXED)}
    if budget == "small":
        return small_degradation("DML 8", chosen, tag)
    return Run(f"dml8_realsrv3_x4{tag}", "dml/dml_n8_realsrv3_x4", chosen)


def _noise(budget: Budget, learned: Run, tag: str, options: Mapping[str, Any]) -> Run:
    stem = f"{_CROPS}_x4_cpu" if budget == "small" else "realsrv3_x4"
    chosen = {k: v for k, v in options.items() if not k.startswith(_MIXED)}
    return Run(
        f"noise_{learned.name}",
        f"learned_noise/learned_noise_dml_{stem}",
        {**chosen, "degradation.parts.0.checkpoint": Weights(learned)},
    )


_MIXED = "train_dataloader.dataset.datasets"


def _compact(
    budget: Budget, data: Any, name: str, options: Mapping[str, Any], cfg: Mapping[str, Any] | None
) -> Run:
    """Return the training of one efficient network at LR resolution."""
    plain = "train_dataloader.dataset.cameras"
    left = plain if data != "real" else _MIXED
    chosen = {k: v for k, v in options.items() if not k.startswith(left)}
    if budget == "small":
        return small_network("SRVGGNetCompact", data, name, chosen, cfg)
    recipe = "srvgg_compact/srvgg_compact_realsrv3_syn_dml_x4"
    if data == "real":
        recipe = "rcan/rcan_realsrv3_x4"
        chosen["backbone"] = dict(_delete_=True, type="SRVGGNetCompact")
    if cfg is not None:
        chosen["degradation"] = {"_delete_": True, **cfg}
    return Run(f"srvggnetcompact_v3_{name}", recipe, chosen)


def _noise_table(budget: Budget) -> Plan:
    cells = tuple(_other_rows(budget, {}, "", "RealSR V3 x4"))
    return Plan("Noise: one network by the noise of its synthetic LR", cells)


def _transfer(budget: Budget) -> Plan:
    cells: list[Cell] = []
    for one, other in (("Canon", "Nikon"), ("Nikon", "Canon")):
        options: dict[str, Any] = {
            "train_dataloader.dataset.cameras": [one],
            f"{_MIXED}.0.cameras": [one],
            "val_dataloader.dataset.cameras": [other],
            "test_dataloader.dataset.cameras": [other],
        }
        if budget == "small":
            options[f"{_MIXED}.2.folder"] = [f"RealSR-V3-crops/{one}/Train/4"]
        tag = f"_{one.lower()}"
        cells += _other_rows(budget, options, tag, f"{one} to {other}, x4")
    rows = list(dict.fromkeys(cell.row for cell in cells))
    return Plan(
        "Transfer: learned from one camera, tested on the other",
        tuple(sorted(cells, key=lambda cell: rows.index(cell.row))),
    )


def _scales(budget: Budget) -> Plan:
    title = "Scales: degradations learned at x2 and x4, judged at x3"
    return Plan(title, tuple(_simulated_scales() if budget == "small" else _real_scales()))


def _simulated_scales() -> Iterator[Cell]:
    """Yield the fidelity of generated LR on the simulated camera, whose LR at x3 is known."""
    recipe, fidelity = "scale_dml/scale_dml_n8_camera_x4_cpu", ("psnr[lr-fidelity]",)
    for name, options in (
        ("ScaleDML, learned at x3", {"model.scales": [3]}),
        ("ScaleDML, learned at x2 and x4", {}),
    ):
        run = Run(f"scaledml_{'x3' if options else 'x2x4'}", recipe, {"scale": 3, **options})
        column = "generated LR x3, 3 times smaller"
        yield Cell(name, column, run, fidelity, (None,), ("ScaleDML",))
    first = Run("degflow_ae", "degflow/degflow_ae_sample_x4_cpu")
    flow = Run(
        "degflow", "degflow/degflow_sample_x4_cpu", {"scale": 3, "load_from": Weights(first)}
    )
    column = "generated LR x3, on the HR grid"
    yield Cell("DegFlow, learned at x2 and x4", column, flow, fidelity, (None,), ("DegFlow",))


def _real_scales() -> Iterator[Cell]:
    for name, needed, published in SCALES:
        for kind, value in published.items():
            family = "meta_sr" if kind == "MetaSR" else kind.lower()
            # SwinIR takes the place of RCAN. HAT and MetaSR have no form for LR on the HR grid.
            named = "rcan" if kind == "SwinIR" else family
            options = {"backbone": dict(_delete_=True, type=kind)} if named != family else {}
            recipe = f"{named}/{named}_realsr_x3"
            if needed:
                recipe = f"{named}/{named}_syn_dml_x3"
                learned = Weights(_learned_between(needed))
                options["degradation"] = dict(_delete_=True, checkpoint=learned)
            run = Run(f"{family}_{name.replace(' ', '_').lower()}_x3", recipe, options)
            requires = (needed,) if needed else ()
            yield Cell(name, f"{kind} x3", run, ("psnr[realsr-official]",), (value,), requires)


def _learned_between(needed: str) -> Run:
    """Return the run of a degradation that is learned at x2 and x4, and applied at x3."""
    stem = {"DegFlow": "degflow", "ScaleDML": "scale_dml_n8"}[needed]
    options: dict[str, Any] = {}
    if needed == "DegFlow":
        first = Run("degflow_ae_realsr_x4", "degflow/degflow_ae_realsr_x4")
        options["load_from"] = Weights(first)
    return Run(f"{stem}_realsr_x3", f"{stem.removesuffix('_n8')}/{stem}_realsr_x3", options)


PLANS: dict[str, Callable[[Budget], Plan]] = {
    "table1": _table1,
    "table2": _table2,
    "transfer": _transfer,
    "noise": _noise_table,
    "scales": _scales,
}


def _weights(value: Any) -> Iterator[Run]:
    if isinstance(value, Weights):
        yield value.run
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _weights(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _weights(item)
