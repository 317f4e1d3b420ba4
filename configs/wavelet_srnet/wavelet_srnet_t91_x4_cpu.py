_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="WaveletSRNet", widths=[24, 48], num_blocks=1, band_width=4)
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="MSELoss")],
        outputs={"sr": 0.1 * 48**2, "low": 0.01 * 12**2, "high": 0.99 * 15 * 12**2},
    )
)
