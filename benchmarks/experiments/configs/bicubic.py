# The LR image, enlarged by the bicubic filter.
_base_ = "l1.py"
backbone = dict(_delete_=True, type="Bicubic")
