# The terms of wavelet_srnet_celeba128_x4, all times 2/3, for patches of 48 pixels.
_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="WaveletSRNet", widths=[24, 48], num_blocks=1, band_width=4)
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="MSELoss"),
            dict(type="WaveletTextureLoss", name="texture", outputs={"high": 2 / 3}),
        ],
        outputs={"sr": 0.1 * 48**2, "low": 0.01 * 12**2, "high": 0.99 * 15 * 12**2},
    )
)
