# The paper's figure for Set5: six steps of scales, each trained anew on the results before it.
_base_ = "zssr_set5_x2.py"
backbone = dict(preset="gradual")
