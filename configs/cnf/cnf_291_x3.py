# CNF: the paper trains the members alone, then their fusion with the members frozen, then all of
# it. Nothing is frozen half way here: members and fusion learn together, each by its own error. For
# the paper's first and last stage set outputs to {"member_*": 1.0}, and then to {"sr": 1.0} with
# load_from. Patch, batch, optimiser and length are not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_bsds200.py",
    "../_base_/backbones/cnf.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=42),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
model = dict(
    loss=dict(
        type="WeightedLoss", terms=[dict(type="MSELoss")], outputs={"sr": 1.0, "member_*": 1.0}
    )
)
