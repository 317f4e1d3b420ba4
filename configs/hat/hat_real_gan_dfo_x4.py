# HAT for real photos, the second of two stages, as in XPixelGroup/HAT
# (train_Real_HAT_GAN_SRx4_finetune_from_mse_model.yml, commit 1638a9a): Real-ESRGAN's losses, 1e-4
# for 400K iterations. These are the settings of the published real-gan-sharper. The authors trained
# real-gan with similar ones and HR that is not sharpened.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo_real_esrgan.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrgan.py",
    "../_base_/schedules/adam_gan_400k.py",
    "../_base_/ema_999.py",
]
scale = 4
batch_size = 32
__stage1 = "work_dirs/hat_real_dfo_x4/backbone.safetensors"
backbone = dict(type="HAT", start_from=dict(checkpoint=__stage1))
