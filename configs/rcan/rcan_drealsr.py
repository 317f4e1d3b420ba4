_base_ = ["../_base_/settings/super_resolution.py", "../_base_/datasets/drealsr.py"]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
batch_size = 2
backbone = dict(type="RCAN", preset="rcan_100", colour="y")
