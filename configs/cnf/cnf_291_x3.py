# CNF: the paper trains the members alone, then their fusion with the members frozen, then all of
# it. Nothing is frozen half way here: members and fusion learn together, each by its own error. For
# the paper's first and last stage set outputs to {"member_*": 1.0}, and then to {"sr": 1.0} with
# load_from. Patch, batch, optimiser and length are not known to us.
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/adam_300k.py"]
scale = 3
patch_size = 42
backbone = dict(type="CNF", depths="7-9-11")
model = dict(
    loss=dict(
        type="WeightedLoss", terms=[dict(type="MSELoss")], outputs={"sr": 1.0, "member_*": 1.0}
    )
)
