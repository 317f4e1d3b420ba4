# MDSR for one scale: patches of 48 LR pixels. The paper trains one network for scales 2, 3 and 4
# (mdsr_div2k_multiscale_x4).
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
backbone = dict(type="MDSR", multi_scale=False)
train_cfg = dict(max_iters=650_000)
