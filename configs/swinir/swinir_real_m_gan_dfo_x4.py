# SwinIR for real photos, M, the second of two stages, as in KAIR (options/swinir, commit fc1732f):
# five layers of VGG19 and a U-Net discriminator of weight 0.1, 1e-4 halved after 400K, 500K, 550K
# and 575K of 600K iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/bsrgan.py",
    "../_base_/schedules/adam_gan_400k.py",
    "../_base_/ema_999.py",
]
scale = 4
__stage1 = "work_dirs/swinir_real_m_dfo_x4/backbone.safetensors"
backbone = dict(type="SwinIR", preset="real_m", start_from=dict(checkpoint=__stage1))
__adam = dict(optimizer=dict(betas=(0.9, 0.999)))
optim_wrapper = dict(backbone_step=__adam, discriminator_step=__adam)
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[400_000, 500_000, 550_000, 575_000], gamma=0.5
)
train_cfg = dict(max_iters=600_000)
