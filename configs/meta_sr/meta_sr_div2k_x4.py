# Meta-SR at one scale, any number (scale=2.5, patch 125): 16 patches of 50 LR pixels. Weights serve
# every scale but know the one; the paper draws one for each batch (meta_sr_div2k_multiscale_x4).
_base_ = ["../_base_/settings/div2k_any_scale.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
patch_size = 200
backbone = dict(type="MetaSR", trunk="rdn")
