# Wavelet-SRNet, faces of 32 x 32 pixels to 128 x 128: half the squares of an image, summed, of
# which bands count 0.99, the coarsest 0.01 and the image 0.1, and the texture term, with weight 1,
# that keeps the fine bands from fading; 500 epochs of 162,770 faces. The faces' centre crop is not
# known to us. At x8 and x16 the bands have 16 and 8 pixels and 63 and 255
# fine ones: the weights below follow.
_base_ = [
    "../_base_/settings/benchmark.py",
    "../_base_/datasets/celeba128.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
backbone = dict(type="WaveletSRNet")
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="MSELoss"),
            dict(type="WaveletTextureLoss", name="texture", outputs={"high": 1.0}),
        ],
        outputs={
            "sr": 0.1 * 3 * 128**2 / 2,
            "low": 0.01 * 3 * 32**2 / 2,
            "high": 0.99 * 45 * 32**2 / 2,
        },
    )
)
optim_wrapper = dict(optimizer=dict(lr=2e-4, weight_decay=5e-4))
train_cfg = dict(max_iters=1_272_000)
