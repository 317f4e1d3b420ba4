# Compact has no paper: the first stage of ESRGAN's recipe.
_base_ = ["../_base_/settings/df2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
backbone = dict(type="SRVGGNetCompact")
optim_wrapper = dict(optimizer=dict(lr=2e-4, betas=(0.9, 0.99)))
