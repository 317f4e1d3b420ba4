# ESRGAN, second stage: DIV2K, Flickr2K and OutdoorSceneTraining; batches of 16 patches of 128, 1e-4
# halved after 50K, 100K, 200K and 300K of 400K iterations. The mean of the weights is BasicSR's;
# its option file names DIV2K alone.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/esrgan.py",
    "../_base_/schedules/adam_gan_400k_half_50k.py",
    "../_base_/ema_999.py",
]
scale = 4
patch_size = 128
batch_size = 16
__stage1 = "work_dirs/rrdbnet_df2k_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__stage1))
