"""What realdeg relies on, one class for each component; see `realdeg.testing`."""

from camera_plugin import AnchorNet, ChromaticAberration, FrequencyLoss, ListedImages, SomeOf

from realdeg.testing import (
    BackboneContract,
    ContainerContract,
    DatasetContract,
    DegradationContract,
    LossContract,
)
from realdeg.testing.datasets import write_picture


class TestChromaticAberration(DegradationContract):
    component = ChromaticAberration


class TestSomeOf(ContainerContract):
    component = SomeOf
    arguments = dict(parts=[dict(type="ChromaticAberration"), dict(type="AWGN")], most=2)


class TestAnchorNet(BackboneContract):
    component = AnchorNet


class TestFrequencyLoss(LossContract):
    component = FrequencyLoss


class TestListedImages(DatasetContract):
    component = ListedImages
    arguments = dict(scale=2)

    def write(self, folder):
        for name in ("a", "b"):
            write_picture(folder / "hr" / f"{name}.png", 32, 48)
            write_picture(folder / "lr" / f"{name}.png", 16, 24)
        (folder / "list.txt").write_text("# two\nhr/a.png\tlr/a.png\n\nhr/b.png\tlr/b.png\n")
        return dict(list_file="list.txt")
