# KMSR (Zhou and Susstrunk, ICCV 2019): HR patches of 128 blurred on their own grid by kernels of
# real photos, squared error, a tenth of the rate after 30 of 50 epochs (the code's file is of the
# 50th). How many patches an epoch has is not known to us: 3 of 5 of 300K iterations. Set
# degradation.pool to a pool of your photos (realdeg extract_pools photos ... --with DarkChannel);
# else a stand-in is used. Photos are given to the network after training: see the README.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/degradations/kernel_pool.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/datasets/div2k.py",
]
scale = 2
same_size = True
patch_size = 128
batch_size = 16
backbone = dict(type="KMSR")
model = dict(loss=dict(type="MSELoss"), quantise=False)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, weight_decay=1e-5))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[180_000], gamma=0.1)
train_cfg = dict(type="IterTrainLoop", max_iters=300_000, val_interval=5000)
# Set5's HR images, degraded on their own grid.
val_dataloader = dict(
    dataset=dict(
        type="HRFolderDataset",
        split="Set5",
        folder="Set5/HR/x2",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
