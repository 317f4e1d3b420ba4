# MSRN: patches of 48 LR pixels as the released code (patch 96 at x2, 144 at x3, 384 at x8).
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
backbone = dict(type="MSRN")
