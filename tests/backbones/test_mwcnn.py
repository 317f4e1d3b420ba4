from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.io import savemat

from realdeg.backbones import load_weights
from realdeg.backbones.mwcnn import MWCNN
from realdeg.degradations.primitives.wavelets import MWCNN_V1, MWCNN_V2, haar, inverse_haar
from realdeg.errors import CheckpointError, ConfigError
from tests.backbones.judging import on_meta


def test_v2_equals_the_description():
    torch.manual_seed(0)
    network = MWCNN(width=3).double()
    x = torch.rand(1, 1, 16, 8, dtype=torch.float64)
    state = network.state_dict()

    def conv(name, features, dilation=1):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.conv2d(features, weight, bias, padding=dilation, dilation=dilation)

    def block(name, features, *dilations):
        for index, dilation in enumerate(dilations):
            features = conv(f"{name}.body.{2 * index}", features, dilation).relu()
        return features

    def down(features):
        return haar(features, MWCNN_V2)

    def up(features):
        return inverse_haar(features, MWCNN_V2)

    x0 = block("d_l0.0", block("head.0", x, 1), 2, 1)
    x1 = block("d_l1.1", block("d_l1.0", down(x0), 1), 2, 1)
    x2 = block("d_l2.1", block("d_l2.0", down(x1), 1), 2, 1)
    deep = block("pro_l3.1", block("pro_l3.0", down(x2), 1), 2, 3)
    deep = block("pro_l3.3", block("pro_l3.2", deep, 3, 2), 1)
    y = up(deep) + x2
    y = up(block("i_l2.1", block("i_l2.0", y, 2, 1), 1)) + x1
    y = up(block("i_l1.1", block("i_l1.0", y, 2, 1), 1)) + x0
    wanted = x + conv("tail.0", block("i_l0.0", y, 2, 1))
    torch.testing.assert_close(network(x), wanted)


def test_v1_adds_bands_in_the_authors_numbers():
    torch.manual_seed(0)
    network = MWCNN(width=5, version="v1").double().eval()
    x = torch.rand(1, 1, 8, 16, dtype=torch.float64)

    def down(features):
        return haar(features, MWCNN_V1)

    def up(features):
        return inverse_haar(features, MWCNN_V1)

    t1 = down(4 * x - 2)
    t2 = down(network.d_l1(network.head(t1)))
    t3 = down(network.d_l2(t2))
    y = up(t3 + network.pro_l3(t3))
    y = up(t2 + network.i_l2(y))
    y = up(t1 + network.tail(network.i_l1(y)))
    torch.testing.assert_close(network(x), (y + 2) / 4)


def test_v1_has_24_layers_and_normalises_all_but_two():
    network = on_meta(MWCNN, version="v1")
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(torch.nn.Conv2d) == 24
    assert kinds.count(torch.nn.BatchNorm2d) == 22
    assert kinds.count(torch.nn.ReLU) == 23


def test_first_weights_of_v1_are_the_authors():
    torch.manual_seed(0)
    network = MWCNN(version="v1", width=20)
    weight = network.pro_l3[1].body[0].weight.flatten(1)
    torch.testing.assert_close(weight @ weight.T, torch.eye(32), rtol=0, atol=1e-5)
    gains = network.pro_l3[7].body[1].weight
    assert gains.abs().min() >= 0.03 and (gains < 0).any() and (gains > 0).any()


def test_parameters_of_matconvnet(tmp_path):
    torch.manual_seed(0)
    source, target = MWCNN(version="v1", width=5), MWCNN(version="v1", width=5)
    source.train()(torch.rand(2, 1, 16, 16))
    _save_as_matconvnet(source.eval(), tmp_path / "MWCNN_Haart_SRx4.mat")
    load_weights(target, tmp_path / "MWCNN_Haart_SRx4.mat")
    x = torch.rand(1, 1, 16, 8)
    torch.testing.assert_close(target.eval()(x), source(x), rtol=0, atol=1e-5)


def test_other_versions_are_refused(tmp_path):
    torch.save(MWCNN(width=2).state_dict(), tmp_path / "v2.pth")
    with pytest.raises(CheckpointError, match="version='v2'"):
        load_weights(MWCNN(version="v1", width=5), tmp_path / "v2.pth")
    with pytest.raises(ConfigError, match="version"):
        MWCNN(version="v3")


def test_odd_sizes_are_padded_and_cropped():
    torch.manual_seed(0)
    network = MWCNN(width=3).eval()
    x = torch.rand(1, 1, 13, 9)
    padded = F.pad(x, (0, 7, 0, 3), mode="reflect")
    assert torch.equal(network(x), network(padded)[..., :13, :9])


@pytest.mark.parametrize(("version", "width", "halo"), [("v1", 2, 119), ("v2", 2, 159)])
def test_halo_is_tight(reach, version, width, halo):
    network = MWCNN(version=version, width=width, same_size=True).eval()
    assert reach(network) == network.halo == halo


def _save_as_matconvnet(network: MWCNN, path) -> None:
    """Write a network as MatConvNet's graph, with the authors' names."""
    order = {
        "01": [network.head, network.d_l1, network.i_l1],
        "02": [network.d_l2, network.i_l2],
        "03": [network.pro_l3],
    }
    params, layers = [], []

    def add(names, values):
        params.extend(zip(names, values, strict=True))
        cells = np.empty((1, len(names)), dtype=object)
        cells[0, :] = names
        layers.append((names[0], cells))

    def filters(conv):
        return [conv.weight.detach().permute(2, 3, 1, 0).numpy(), conv.bias.detach().numpy()]

    for level, parts in order.items():
        bodies = [block.body for part in parts for block in part]
        for index, body in enumerate(bodies):
            stem = f"LIEVE{level}"
            add([f"{stem}_layer{index:02d}f", f"{stem}_layer{index:02d}b"], filters(body[0]))
            if len(body) == 3:
                norm = body[1]
                deviation = (norm.running_var + norm.eps).sqrt()
                moments = torch.stack([norm.running_mean, deviation], 1)
                add(
                    [f"{stem}_{kind}{index:02d}" for kind in ("mean", "var", "mom")],
                    [
                        norm.weight.detach().numpy()[:, None],
                        norm.bias.detach().numpy()[:, None],
                        moments.numpy(),
                    ],
                )
    add(["LIEVE01_layer07f", "LIEVE01_layer07b"], filters(network.tail[0]))

    def struct(fields, rows):
        table = np.zeros((1, len(rows)), dtype=[(field, object) for field in fields])
        for index, row in enumerate(rows):
            table[0, index] = row
        return table

    graph = {
        "params": struct(["name", "value"], params),
        "layers": struct(["name", "params"], layers),
    }
    savemat(path, {"net": graph})
