from tests.cli.test_every_recipe import *  # noqa
import pytest
@pytest.mark.parametrize("name", ["cincgan/cincgan_realsrv3crops_x4_cpu","cincgan/cincgan_frozen_div2kmild_x4","cincgan/cincgan_residual_div2kmild_x4","edsr/edsr_realsrv3crops_bicubic_x4_cpu"])
def test_mine(name, data, capsys):
    go_through(name, data, capsys)
