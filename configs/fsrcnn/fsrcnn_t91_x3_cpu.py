_base_ = "../_base_/settings/luma_t91_cpu.py"
scale = 3
backbone = dict(type="FSRCNN")
train_cfg = dict(max_iters=4000, val_interval=1000)
