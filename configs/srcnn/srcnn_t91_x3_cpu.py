_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 3
backbone = dict(type="SRCNN", kernels="9-5-5", width=32, mapped=16)
train_cfg = dict(max_iters=4000, val_interval=1000)
