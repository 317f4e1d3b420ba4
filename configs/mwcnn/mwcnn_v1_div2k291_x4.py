# MWCNN, the first paper's, as its code trains: batches of 64 patches of 192, half the squares of a
# patch summed, 15 epochs at 1e-3, 20 from 1.6e-4 down to 1e-4, 10 from 3.2e-5 down to 1e-5. The
# code names DIV2K and the 291 images, the paper, as far as we remember, DIV2K, BSD and Waterloo. An
# epoch is taken for 6000 batches.
_base_ = [
    "../_base_/settings/benchmark_luma.py",
    "../_base_/datasets/div2k_291.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 4
batch_size = 64
backbone = dict(type="MWCNN", version="v1")
model = dict(loss=dict(weight=192**2 / 2))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type="MultiStepLR", by_epoch=False, milestones=[90_000], gamma=10**-0.8),
    dict(
        type="ExponentialLR", by_epoch=False, gamma=10 ** (-0.2 / 120e3), begin=90_000, end=210_000
    ),
    dict(type="MultiStepLR", by_epoch=False, milestones=[210_000], gamma=10**-0.5),
    dict(
        type="ExponentialLR", by_epoch=False, gamma=10 ** (-0.5 / 60e3), begin=210_000, end=270_000
    ),
]
train_cfg = dict(max_iters=270_000)
