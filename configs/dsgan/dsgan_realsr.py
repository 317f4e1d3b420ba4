_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsr_v2.py",
    "../_base_/degradations/dsgan.py",
    "../_base_/tasks/unpaired_degradation.py",
    "../_base_/schedules/adam_gan_9k.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
# "Fine-tuned on RealSR" (DML, Table 2). The generator works at LR size, so one start does for all
# scales; load_from=None begins anew.
load_from = "work_dirs/dsgan_df2k_x4/degradation.safetensors"
