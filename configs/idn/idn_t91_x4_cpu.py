_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="IDN", features=32, distilled=8, num_blocks=2)
train_cfg = dict(max_iters=4000, val_interval=1000)
