# The network that every adversarial recipe starts from: EDSR of 32 channels and 8 blocks, absolute
# error, real pairs of the RealSR V3 crops.
_base_ = [
    "../../../configs/_base_/settings/super_resolution_cpu.py",
    "../../../configs/_base_/datasets/realsr_v3_crops.py",
]
scale = 4
patch_size = 64
batch_size = 8
backbone = dict(type="EDSR", num_features=32, num_blocks=8)
model = dict(loss=dict(type="L1Loss"))
train_dataloader = dict(num_workers=0)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
