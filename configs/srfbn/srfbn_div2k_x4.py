# SRFBN: every step's image compared with HR, all alike; patches of 60, 50 and 40 LR pixels at x2,
# x3 and x4. Left out: a step is skipped where its loss is more than three times the one before, and
# targets from easy to hard for degradations other than bicubic.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
patch_size = 160
backbone = dict(type="SRFBN", preset="srfbn")
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss")]))
