r"""How well LearnedNoise follows the noise of simulated cameras and of real photos.

    python benchmarks/learned_noise.py data

``data`` holds Kodak24, RealSR-V3-crops, NTIRE19-RealSR, City100-iPhoneX, PolyU-noise and Nam-noise;
a set that is missing is left out. What ``docs/results/learned_noise.json`` holds already is kept,
so the script continues where it was stopped. It also draws ``docs/assets/learned_noise.png``.

Each set gives images without noise and the same with noise: by the camera's own truth, by one
kernel fitted to pairs by least squares, or as a clean photo. On the training half LearnedNoise is
trained with two seeds; on the other half it is compared with real residuals and with white noise.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from noise_sets import FLAT, READ, SETS, SHOT, Pair, rounded
from torch import Tensor

from realdeg.degradations import LearnedNoise
from realdeg.evaluation.degradation.noise import block_cosines, noise_curve
from realdeg.evaluation.degradation.spectra import decibel_distance
from realdeg.tasks import NoiseLearning
from realdeg.tasks.flat_pixels import edge_energy, surroundings
from realdeg.utils.tables import markdown_table
from realdeg.visualization.style import COLOURS, LABEL_SIZE, SMALL_SIZE, new_figure, save_figure

ROOT = Path(__file__).resolve().parents[1]
ITERATIONS, BATCH, PATCH, RATE = 120, 6, 80, 0.03
BLOCK, DRIFT, BORDER = 16, 33, 4
BINS, SEEN = 8, 500
WHOLE, LEAST_BLOCKS = 0.9, 20


def train(
    pairs: list[Pair], seed: int, share: float, iterations: int = ITERATIONS, **settings: Any
) -> tuple[LearnedNoise, float]:
    """Train a LearnedNoise on random patches, and return it with the seconds that it took."""
    generator = torch.Generator().manual_seed(seed)
    noise: dict[str, Any] = dict(type="LearnedNoise", **settings)
    # A clean photo, or the camera's truth, has no blur to get wrong.
    task = NoiseLearning(
        noise, scale=1, flat_share=share, structure=share < 1, border=BORDER
    ).train()
    optimiser = torch.optim.Adam(task.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    began = time.process_time()
    for _ in range(iterations):
        cut: list[Pair] = []
        for _ in range(BATCH):
            mean, real = pairs[int(torch.randint(len(pairs), (1,), generator=generator))]
            y, x = (
                int(torch.randint(max(side - PATCH, 0) + 1, (1,), generator=generator))
                for side in mean.shape[2:]
            )
            cut.append(tuple(i[..., y : y + PATCH, x : x + PATCH] for i in (mean, real)))  # type: ignore[arg-type]
        hr, lr = (torch.cat(side) for side in zip(*cut, strict=True))
        batch: Any = dict(hr=hr, lr=lr, paired=torch.ones(BATCH, dtype=torch.bool))
        loss = sum(task.losses({**batch, "seeds": [0] * BATCH}).values(), torch.zeros(()))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    made = task.members[0].eval().requires_grad_(False)
    assert isinstance(made, LearnedNoise)
    made.settle()
    return made, time.process_time() - began


def without_drift(mean: Tensor, real: Tensor) -> Tensor:
    """Add the local mean of the differences, flat places in front, to the image without noise."""
    weight = 1 / (1 + edge_energy(mean))
    around = DRIFT // 2

    def sums(image: Tensor) -> Tensor:
        rows = F.avg_pool2d(image, (DRIFT, 1), 1, (around, 0), divisor_override=1)
        return F.avg_pool2d(rows, (1, DRIFT), 1, (0, around), divisor_override=1)

    return mean + sums(weight * (real - mean)) / sums(weight)


def flat_mask(mean: Tensor, threshold: float) -> Tensor:
    """Return the flat pixels away from the border, (1, 3, h, w)."""
    mask = surroundings(mean) <= threshold
    inner = torch.zeros_like(mask)
    side = BORDER + 6
    inner[..., side:-side, side:-side] = True
    return (mask & inner).expand(-1, 3, -1, -1)


@torch.no_grad()
def likelihood(noise: LearnedNoise, test: Iterable[Pair], threshold: float) -> float:
    """Return the mean logarithm of the likelihood of flat pixels, in nats a value."""
    total, count = 0.0, 0
    for mean, real in test:
        mask = flat_mask(mean, threshold)
        values = noise.log_likelihood(without_drift(mean, real), real, chosen=mask)
        total, count = total + float(values.double().sum()), count + values.numel()
    return total / count


def statistics(pairs: Iterable[Pair], threshold: float) -> dict[str, Any]:
    """Measure residuals in flat places, the local mean of the differences removed."""
    sums = {name: np.zeros(2) for name in ("right", "below")}
    products, squares = np.zeros((3, 3)), np.zeros((3, BINS, 2))
    powers, shares = [], []
    for mean, real in pairs:
        residual = ((real - without_drift(mean, real)) * 255).double()
        mask = flat_mask(mean, threshold)
        kept = residual[mask].view(3, -1) if mask.any() else residual.new_zeros(3, 0)
        products += (kept @ kept.T).numpy()
        for name, axis in (("right", 3), ("below", 2)):
            both = mask & mask.roll(-1, axis)
            pair = residual[both], residual.roll(-1, axis)[both]
            sums[name] += [float((pair[0] * pair[1]).sum()), float(pair[0].square().sum())]
        place = (mean * BINS).long().clamp(0, BINS - 1)
        for channel in range(3):
            chosen = place[0, channel][mask[0, channel]]
            value = residual[0, channel][mask[0, channel]].square()
            squares[channel, :, 0] += torch.bincount(chosen, value, BINS).numpy()
            squares[channel, :, 1] += torch.bincount(chosen, minlength=BINS).numpy()
        shares.append(F.avg_pool2d(mask[:, :1].double(), BLOCK, BLOCK // 2).flatten())
        powers.append(block_cosines(residual, BLOCK, BLOCK // 2)[0].square().mean(0))
    # Few small images have no block that is flat as a whole: then the flattest ones count.
    share = torch.cat(shares)
    least = min(WHOLE, float(share.topk(min(LEAST_BLOCKS, len(share))).values[-1]))
    power = torch.cat(powers)[(share >= least) & (share > 0)]
    spread = np.sqrt(np.diag(products))
    count = squares[:, :, 1].sum() / 3
    correlation = products / np.outer(spread, spread)
    with np.errstate(invalid="ignore"):
        by_brightness = np.sqrt(squares[..., 0] / squares[..., 1])
    by_brightness[squares[..., 1] < SEEN] = np.nan
    found: dict[str, Any] = {
        "level": [round(float(s), 3) for s in spread / np.sqrt(count)],
        "red_green": round(float(correlation[0, 1]), 3),
        "green_blue": round(float(correlation[1, 2]), 3),
        **{name: round(float(both[0] / both[1]), 3) for name, both in sums.items()},
        "by_brightness": [
            [None if np.isnan(v) else round(float(v), 3) for v in row] for row in by_brightness
        ],
        "blocks": len(power),
        "flat_share_of_blocks": round(least, 2),
    }
    if len(power):
        frequency, curve = noise_curve(power.mean(0))
        found["frequency"] = [round(float(f), 4) for f in frequency]
        found["power"] = [round(float(p), 5) for p in curve]
    return found


def between(one: dict[str, Any], other: dict[str, Any]) -> float | None:
    """Return the distance of two power spectra in dB."""
    if "power" not in one or "power" not in other:
        return None
    curves = (torch.tensor(x["power"]) for x in (one, other))
    return round(decibel_distance(*curves), 2)


@torch.no_grad()
def drawn(noise: LearnedNoise, test: list[Pair]) -> list[Pair]:
    """Return the test images with drawn noise in place of the real one."""
    return [(mean, noise(mean, [number])) for number, (mean, _) in enumerate(test)]


def white(sigma: float, test: list[Pair]) -> list[Pair]:
    """Return the test images with white noise, rounded."""
    made = []
    for number, (mean, _) in enumerate(test):
        field = torch.randn(mean.shape, generator=torch.Generator().manual_seed(number))
        made.append((mean, rounded(mean + field * sigma / 255)))
    return made


def measure(data: Path, name: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Train and measure on one set; also return crops of the real and the drawn residual."""
    read, radius, share = SETS[name]
    fitted, test = read(data)
    energies = torch.cat([surroundings(m).flatten()[::16] for m, _ in test])
    counted = FLAT if share < 1 else 0.3
    threshold = float(energies.kthvalue(max(int(counted * energies.numel()), 1)).values)
    real = statistics(test, threshold)
    found: dict[str, Any] = {"pairs": [len(fitted), len(test)], "real": real, "learned": []}
    plain = dict(radius=0, colour=False)
    constant, _ = train(fitted, 0, share, knots=1, **plain)
    level, _ = train(fitted, 0, share, **plain)
    sigma = float(constant.deviations(torch.tensor([0.5])).square().mean().sqrt())
    five = LearnedNoise(1, knots=1, sigma=5.0, **plain).eval()  # type: ignore[arg-type]
    found["awgn"] = {
        "sigma": round(sigma, 3),
        "likelihood": round(likelihood(constant, test, threshold), 4),
        "spectrum_db": between(real, statistics(white(sigma, test), threshold)),
    }
    found["awgn_5"] = {
        "likelihood": round(likelihood(five, test, threshold), 4),
        "spectrum_db": between(real, statistics(white(5.0, test), threshold)),
    }
    found["level_alone"] = {"likelihood": round(likelihood(level, test, threshold), 4)}
    for seed in (0, 1):
        noise, seconds = train(fitted, seed, share, radius=radius)
        made = drawn(noise, test)
        learned = statistics(made, threshold)
        places = torch.linspace(0.1, 0.9, 9)
        found["learned"].append(
            {
                "seed": seed,
                "cpu_seconds": round(seconds, 1),
                "likelihood": round(likelihood(noise, test, threshold), 4),
                "spectrum_db": between(real, learned),
                "deviations": [[round(float(v), 3) for v in x] for x in noise.deviations(places)],
                **learned,
            }
        )
    if name.startswith("SampleCamera"):
        truth = ((SHOT * places + READ) * 255**2 + 1 / 12).sqrt()
        # Nothing is known of a brightness that the photos do not have.
        known = np.array(real["by_brightness"], float)[:, (places * BINS).long().numpy()]
        error = (noise.deviations(places) / truth - 1).abs()[torch.from_numpy(known > 0)].max()
        found["truth"] = [round(float(v), 3) for v in truth]
        found["largest_error_of_the_level"] = round(float(error), 3)
    mean = min(test, key=lambda pair: float(surroundings(pair[0]).mean()))[0]
    index = next(i for i, pair in enumerate(test) if pair[0] is mean)
    crops = [
        (image - without_drift(mean, image))[0, :, 40:88, 40:88].permute(1, 2, 0).numpy() * 255
        for image in (test[index][1], made[index][1])
    ]
    return found, crops


def tables(results: dict[str, Any]) -> str:
    """Return the tables of ``docs/learned_noise.md``; two numbers are those of the two seeds."""
    scores, shapes = [], []
    for name in (name for name in SETS if name in results):
        found = results[name]
        real, learned = found["real"], found["learned"]

        def both(key: str, digits: int, learned: list[Any] = learned) -> str:
            return ", ".join(f"{run[key]:.{digits}f}" for run in learned)

        plain = [found[key]["likelihood"] for key in ("level_alone", "awgn", "awgn_5")]
        spectra = [found[key]["spectrum_db"] for key in ("awgn", "awgn_5")]
        scores.append(
            [name, "{} / {}".format(*found["pairs"]), both("likelihood", 2)]
            + [f"{value:.2f}" for value in plain]
            + [both("spectrum_db", 1), *(f"{value:.1f}" for value in spectra)]
        )
        levels = [" ".join(f"{v:.2f}" for v in side["level"]) for side in (real, *learned)]
        shapes.append([name, levels[0], ", ".join(levels[1:])])
        for key in ("right", "red_green"):
            shapes[-1] += [f"{real[key]:.2f}", both(key, 2)]
    heads = (
        ["set", "images", "learned", "level alone", "AWGN", "sigma 5"]
        + ["dB, learned", "dB, AWGN", "dB, sigma 5"],
        ["set", "level, real", "level, learned", "right, real", "right, learned"]
        + ["red-green, real", "red-green, learned"],
    )
    made = (markdown_table(*both) for both in zip(heads, (scores, shapes), strict=True))
    return "\n\n".join("\n".join(lines) for lines in made)


def draw(results: dict[str, Any], crops: dict[str, list[Any]], path: Path) -> Path:
    """Draw spectra, levels and residuals of every set, one row each."""
    names = [name for name in SETS if name in results]
    figure = new_figure(11, 2.1 * len(names), layout="constrained")
    grid = figure.subplots(len(names), 4, squeeze=False)
    for row, name in zip(grid, names, strict=True):
        found = results[name]
        sides = ((found["real"], "real", COLOURS[0]), (found["learned"][0], "drawn", COLOURS[1]))
        for side, label, colour in sides:
            row[0].semilogy(
                side.get("frequency", []), side.get("power", []), "-", color=colour, label=label
            )
            values = np.array(side["by_brightness"], float)
            row[1].plot(
                (np.arange(BINS) + 0.5) / BINS, values[1], "o-", ms=3, color=colour, label=label
            )
        sigma = found["awgn"]["sigma"]
        row[0].axhline(sigma**2, color="#888888", lw=1, ls="--", label=f"white, {sigma:.1f}")
        row[0].set_title(name, fontsize=LABEL_SIZE, loc="left")
        row[0].set_xlabel("cycles per pixel", fontsize=SMALL_SIZE)
        row[0].set_ylabel("power", fontsize=SMALL_SIZE)
        row[1].set_xlabel("brightness (green)", fontsize=SMALL_SIZE)
        row[1].set_ylabel("deviation, levels", fontsize=SMALL_SIZE)
        row[0].legend(fontsize=6)
        for axes in row[:2]:
            axes.tick_params(labelsize=6)
        spread = 4 * max(found["real"]["level"])
        for axes, crop, label in zip(row[2:], crops[name], ("real", "drawn"), strict=True):
            shown = np.clip(0.5 + np.asarray(crop) / (2 * spread), 0, 1)
            axes.imshow(shown, interpolation="nearest")
            axes.set_title(f"{label} residual", fontsize=SMALL_SIZE)
            axes.set_axis_off()
    return save_figure(figure, path, dpi=90)


def main() -> int:
    """Measure what is not measured yet, and write and draw everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", help="one set")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/learned_noise.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/assets/learned_noise.png")
    parser.add_argument("--crops", type=Path, default=Path("work_dirs/learned_noise_crops.npz"))
    given = parser.parse_args()
    results = json.loads(given.out.read_text()) if given.out.is_file() else {}
    crops = dict(np.load(given.crops)) if given.crops.is_file() else {}
    for name in SETS:
        if (name in results and name in crops) or given.only not in (None, name):
            continue
        began = time.time()
        try:
            results[name], made = measure(given.data, name)
        except (FileNotFoundError, StopIteration, IndexError) as error:
            print(f"{name}: left out ({error!r})")
            continue
        crops[name] = np.stack(made)
        given.crops.parent.mkdir(parents=True, exist_ok=True)
        np.savez(given.crops, **crops)
        given.out.write_text(json.dumps(results, indent=1) + "\n")
        print(f"{name}: {time.time() - began:.0f} s", json.dumps(results[name]["awgn"]), flush=True)
    print(tables(results))
    print("wrote", given.out, draw(results, {k: list(v) for k, v in crops.items()}, given.picture))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
