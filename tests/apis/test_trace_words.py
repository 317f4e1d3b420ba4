import pytest

from realdeg.apis.trace_words import trace_differences
from realdeg.degradations.trace import Trace


def steps(*records):
    return Trace("X", {"scale": 4, "steps": list(records)})


def test_only_what_differs_is_named():
    size = {"op": "resize", "size": [60, 64], "mode": "cv2_area"}
    first = steps(
        {"op": "blur", "kernel": {"shape": "gaussian", "sigma_x": 1.8, "size": 21}},
        size,
        {"op": "gaussian_noise", "kind": "white", "sigma": 16.0, "noise_seed": 5},
        {"op": "jpeg", "quality": 62},
        {"op": "jpeg", "quality": 90},
    )
    kernel = {"shape": "gaussian_variance", "variance_x": 4.0, "variance_y": 0.25, "angle": 1.0}
    second = steps({"op": "blur", "kernel": kernel}, size, {"op": "jpeg", "quality": 90})
    assert trace_differences([first, second]) == [
        "blur 1.8, gaussian noise 16, JPEG 62",
        "blur 2 x 0.5",
    ]
    assert trace_differences([steps(size, {"op": "jpeg", "quality": 1}), steps(size)]) == [
        "JPEG 1",
        "nothing further",
    ]
    # A step that one takes twice.
    assert trace_differences([steps(size, size), steps(size)])[0] == "resize 60 x 64"


def test_parameters_and_parts():
    made = [
        Trace("Compose", parts=(Trace("SRMD", {"sigma": sigma, "seed": seed}), Trace("JPEG", tail)))
        for sigma, seed, tail in ((1.8, 1, {"quality": 62}), (2.5, 2, {"quality": 70}))
    ]
    assert trace_differences(made) == ["sigma 1.8, JPEG 62", "sigma 2.5, JPEG 70"]
    # A single trace has nothing to be compared with.
    assert trace_differences(made[:1]) == ["sigma 1.8, JPEG 62"]


@pytest.mark.parametrize(
    ("seeds", "words"), [((1, 2), "other noise"), ((1, 1), "no random choice")]
)
def test_where_no_decision_differs_it_says_so(seeds, words):
    made = [Trace("AWGN", {"sigma": 5.0, "noise_seed": seed}) for seed in seeds]
    assert trace_differences(made) == [words, words]
    assert trace_differences([]) == []


def test_many_differences_are_cut():
    records = [{"op": "jpeg", "quality": quality} for quality in range(1, 13)]
    text = trace_differences([steps(*records), steps()])[0]
    assert text.endswith("JPEG 8 and 4 more") and text.count(",") == 7
