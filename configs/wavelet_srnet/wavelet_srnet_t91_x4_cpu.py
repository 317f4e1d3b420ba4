_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/wavelet_srnet.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(widths=[24, 48], num_blocks=1, band_width=4)
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="MSELoss")],
        outputs={"sr": 0.1 * 48**2, "low": 0.01 * 12**2, "high": 0.99 * 15 * 12**2},
    )
)
