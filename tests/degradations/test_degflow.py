"""DegFlow: what the authors' code computes, names of its files, and what it refuses."""

from __future__ import annotations

import hashlib

import pytest
import torch

from realdeg import create_degradation
from realdeg.degradations import DegFlow
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import DEGRADATIONS

SMALL = dict(width=4, flow_width=8, flow_multipliers=(1, 2), flow_blocks=2)


def _known(scale: float = 4, same_size: bool = True, **more) -> DegFlow:
    """Return a float64 instance whose every weight is known, by the order of the names."""
    made = DegFlow(scale, same_size, **(SMALL | more)).double().eval()
    generator = torch.Generator().manual_seed(7)
    state = made.state_dict()
    for name in sorted(state):
        drawn = torch.randn(state[name].shape, generator=generator, dtype=torch.float64)
        state[name].copy_(drawn * 0.2)
    return made


def _hr() -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(1, 3, 32, 48, generator=generator, dtype=torch.float64)


def _close(found: torch.Tensor, wanted: list[float], tolerance: float) -> None:
    wanted_ = torch.tensor(wanted, dtype=torch.float64)
    torch.testing.assert_close(found, wanted_, atol=tolerance, rtol=0)


def test_names_and_sizes_are_those_of_the_authors_files():
    """Digest of names and shapes of Autoencoder and NCSNpp by the commit's configs."""
    with torch.device("meta"):
        made = DegFlow(4, True)
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in made.state_dict().items())
    assert len(lines) == 658
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == "db08e80c3262b487"
    counts = [sum(p.numel() for p in part.parameters()) for part in made.children()]
    assert counts == [14_631_300, 14_766_467, 60_488_324]


def test_the_networks_compute_what_the_authors_do():
    """Numbers of the commit's models in float64, with the same weights."""
    made = _known()
    with torch.no_grad():
        latent, _ = made.encode(_hr())
        velocity = made.model(latent, torch.tensor([0.4], dtype=torch.float64))
    encoded = [0.9108711234480201, 4.474145436396671, 1.424817442374487, -6.103132755828193]
    _close(latent[0, :, 1, 2], encoded, 1e-10)
    moving = [-0.198543206463, -0.0268031196955, -0.154118036068, -0.0317967379697]
    _close(velocity[0, :, 1, 2], moving, 1e-8)


@pytest.mark.parametrize(
    "scale, wanted",
    [
        (2, [0.463398772049, 0.623777804801, 0.403558376927]),
        (3, [0.463505132666, 0.623918114991, 0.403429989826]),
        (4, [0.463611361938, 0.624058543172, 0.403302149251]),
    ],
)
@pytest.mark.parametrize("solver, steps", [("rk45", 1), ("rk4", 16)])
def test_lr_is_that_of_the_authors_at_every_scale(scale, wanted, solver, steps):
    """Their generator with SciPy's solve_ivp; both solvers stay within its tolerance."""
    made = _known(scale, solver=solver, steps=steps)
    with torch.no_grad():
        lr = made(_hr())
    _close(lr[0, :, 5, 7], wanted, 2e-6)


def test_scale_1_is_the_autoencoders_copy_and_scales_between_are_ordered():
    hr = _hr()
    with torch.no_grad():
        made = _known(1)
        copy = made.reconstruct(hr, hr).clamp(0, 1)
        torch.testing.assert_close(made(hr), copy, atol=1e-12, rtol=0)
        gone = [float((_known(s)(hr) - copy).abs().mean()) for s in (1.5, 2.25, 3.5, 4)]
    assert gone == sorted(gone) and gone[0] > 1e-5


def test_any_side_is_padded_and_cropped_again():
    hr = _hr()[..., :27, :41]
    made = _known(2)
    padded = torch.nn.functional.pad(hr, (0, 7, 0, 5), mode="reflect")
    with torch.no_grad():
        torch.testing.assert_close(made(hr), made(padded)[..., :27, :41], atol=1e-12, rtol=0)
    assert made(hr[..., :1, :2]).shape == (1, 3, 1, 2)


def test_smaller_lr_is_the_bicubic_reduction_of_the_same():
    hr = _hr()
    with torch.no_grad():
        large = _known(2, True)(hr)
        small = _known(2, False)(hr)
    wanted = create_degradation("Bicubic", 2, False)(large)
    torch.testing.assert_close(small, wanted, atol=1e-12, rtol=0)
    with torch.no_grad():
        assert _known(1.5, False)(hr[..., :30, :45]).shape == (1, 3, 20, 30)


def test_residual_begins_as_a_copy_of_hr():
    hr = _hr().float()
    torch.manual_seed(0)
    made = DegFlow(3, True, residual=True, **SMALL).eval()
    with torch.no_grad():
        torch.testing.assert_close(made(hr), hr, atol=1e-6, rtol=0)
    assert "flow is untrained" in made.describe()


def test_one_file_serves_every_scale_and_grid(tmp_path):
    path = tmp_path / "degradation.safetensors"
    made = _known(4).float()
    made.mark_trained()
    made.save(path)
    hr = _hr().float()
    for scale, same_size in ((4, True), (3, True), (2.5, True), (2, False)):
        again = create_degradation(path, scale=scale, same_size=same_size)
        assert (again.scale, again.same_size) == (scale, same_size)
        wanted = _known(scale, same_size).float()(hr[..., :40])
        torch.testing.assert_close(again(hr[..., :40]), wanted, atol=1e-5, rtol=0)
        traces = again.sample(hr, [1])
        assert traces[0].params["scale"] == scale
    assert create_degradation(path).scale == 4
    other = create_degradation(path, scale=2)
    with pytest.raises(DataError, match="scale = 3"):
        other.replay(hr, create_degradation(path, scale=3).sample(hr, [1]))


def test_the_training_step_is_the_authors():
    """Spline, Taylor series and target, written out by hand for scales 2 and 4."""
    made, hr = _known(), _hr().expand(2, -1, -1, -1)
    generator = torch.Generator().manual_seed(9)
    noise = torch.randn(2, 2, *hr.shape[1:], generator=generator, dtype=torch.float64)
    lr = (hr[:, None] + 0.1 * noise).clamp(0, 1)
    shares = torch.tensor([0.2, 0.7], dtype=torch.float64)
    step = made.flow_step(hr, lr, (2, 4), shares)
    with torch.no_grad():
        first, seen = made.encode(hr)
        second, third = (made.encode(lr[:, k])[0] for k in (0, 1))
    # The natural spline through three knots at 0, 1/3 and 1 bends at the middle one only.
    middle = ((third - second) * 1.5 - (second - first) * 3) * 3
    value, speed, bend, change = [], [], [], []
    for n, (t, left, width) in enumerate(((0.2, 0.0, 1 / 3), (0.7, 1 / 3, 2 / 3))):
        b = (t - left) / width
        ends = (first[n], second[n]) if left == 0 else (second[n], third[n])
        bends = (0 * middle[n], middle[n]) if left == 0 else (middle[n], 0 * middle[n])
        cubic = [(x**3 - x) * width**2 / 6 for x in (1 - b, b)]
        value.append((1 - b) * ends[0] + b * ends[1] + cubic[0] * bends[0] + cubic[1] * bends[1])
        slope = [-(3 * (1 - b) ** 2 - 1) * width / 6, (3 * b**2 - 1) * width / 6]
        speed.append((ends[1] - ends[0]) / width + slope[0] * bends[0] + slope[1] * bends[1])
        bend.append((1 - b) * bends[0] + b * bends[1])
        change.append((bends[1] - bends[0]) / width)
    point = torch.stack(value)
    torch.testing.assert_close(step.wanted, torch.stack(speed), atol=1e-10, rtol=0)
    with torch.no_grad():
        velocity = made.model(point, shares)
    torch.testing.assert_close(step.velocity, velocity, atol=1e-10, rtol=0)
    rest = torch.tensor([1 / 3 - 0.2, 0.3], dtype=torch.float64).view(2, 1, 1, 1)
    there = point + rest * velocity + rest**2 / 2 * torch.stack(bend)
    there = there + rest**3 / 6 * torch.stack(change)
    with torch.no_grad():
        image = made.decode(there, seen, hr)
    torch.testing.assert_close(step.ahead, image, atol=1e-10, rtol=0)
    assert torch.equal(step.target, torch.stack([lr[0, 0], lr[1, 1]]))
    (step.velocity - step.wanted).square().mean().backward()
    assert all(p.grad is not None for p in made.model.parameters())
    assert all(p.grad is None for p in made.encoder.parameters())


def test_bad_input_is_named():
    with pytest.raises(GeometryError, match=r"scale 5 is above largest_scale=4"):
        DegFlow(5, True, **SMALL)
    assert DegFlow(5, True, largest_scale=6, **SMALL).time_of(6) == 1
    for name, value in (("solver", "dopri5"), ("flow_width", 3), ("flow_multipliers", [])):
        with pytest.raises(ConfigError, match=name):
            DEGRADATIONS.build(dict(type="DegFlow", **(SMALL | {name: value})))
    broken = _known(3)
    next(broken.model.all_modules[-1].parameters()).data.fill_(float("nan"))
    with pytest.raises(DataError, match="velocity of the flow .* not finite"):
        broken(_hr())
