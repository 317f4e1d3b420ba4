# A concept without a paper's recipe: trained as EDSR is.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
backbone = dict(type="DepthwiseSR")
