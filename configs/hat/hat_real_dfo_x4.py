# HAT for real photos, the first of two stages, as in XPixelGroup/HAT
# (train_Real_HAT_SRx4_mse_model.yml, commit 1638a9a): absolute error against the sharpened HR
# image, Real-ESRGAN's degradation, 1e-4 for 1M iterations. The file has 4 patches on each GPU and
# no number of GPUs: 32 as for HAT's other runs.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo_real_esrgan.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrnet.py",
    "../_base_/schedules/adam_1m.py",
    "../_base_/ema_999.py",
]
scale = 4
batch_size = 32
backbone = dict(type="HAT")
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))
