# USRNet as KAIR trains it: one scale of 1, 2, 3, 4 drawn for each batch of 48 patches of 96 HR
# pixels, absolute error, 1e-4 halved every 100K iterations (the paper says every 40K, to 3e-6).
# Half of the kernels are anisotropic Gaussians of variances 0.6 to 12, half motion, 25 x 25; noise
# of 0 to 24 grey levels, one image in eight without. KAIR draws motion as a random walk, here it is
# an arc; and its Gaussians are shifted by (t - 1) / 2 pixels for a scale t that is drawn apart,
# while here LR always lies on bicubic LR.
_base_ = ["../_base_/settings/df2k.py", "../_base_/schedules/adam_500k_half_250k.py"]
scale = 4
patch_size = 96
batch_size = 48
backbone = dict(type="USRNet", border="circular")
model = dict(quantise=False, scales=[1, 2, 3, 4])
degradation = dict(
    type="Compose",
    parts=[
        dict(
            type="BlurDown",
            kind="s-fold",
            kernel=[
                dict(
                    shape="gaussian_variance",
                    size=25,
                    variance_x=[0.6, 12.0],
                    variance_y=[0.6, 12.0],
                    angle=[0.0, 3.1416],
                    centre="aligned",
                ),
                dict(
                    shape="motion",
                    size=25,
                    length=[1.0, 20.0],
                    angle=[0.0, 3.1416],
                    curvature=[-0.1, 0.1],
                    centre="aligned",
                ),
            ],
        ),
        dict(
            type="OneOf",
            parts=[dict(type="AWGN", sigma=sigma) for sigma in range(25)],
            probabilities=[1 / 8 + 7 / 200] + [7 / 200] * 24,
        ),
    ],
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = dict(milestones=[100_000, 200_000, 300_000, 400_000])
