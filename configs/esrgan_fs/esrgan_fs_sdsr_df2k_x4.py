# ESRGAN-FS, SDSR: HR are the photos themselves, LR is what DSGAN makes of them, so SR keeps the
# look of the photos. Absolute error of weight 0.01 behind a mean of 9 x 9 pixels, VGG19's conv5_4
# of weight 1, and ESRGAN's discriminator of weight 0.005 behind what that mean leaves; 1e-4 halved
# after 5K, 10K, 20K and 30K of 60K iterations (51K in the paper's runs on DF2K and DPED). Name the
# folder of the photos that dsgan_df2k_x4 was trained with (the paper: DF2K after noise of sigma 8
# or JPEG of quality 30).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/learned/dsgan_df2k.py",
    "../_base_/tasks/esrgan_fs.py",
    "../_base_/schedules/adam_gan_60k_half_5k.py",
]
scale = 4
__esrgan = "work_dirs/esrgan_dfo_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__esrgan))
