# Listed HR images, with aberration and noise drawn for each, reduced on the fly.
_base_ = [
    "realdeg::_base_/default_runtime.py",
    "realdeg::_base_/tasks/super_resolution.py",
    "realdeg::_base_/schedules/adam_100k.py",
]
custom_imports = dict(imports=["camera_plugin"])
scale = 2
same_size = False
degradation = dict(
    type="SomeOf",
    parts=[dict(type="ChromaticAberration", max_shift=2.0), dict(type="AWGN", sigma=5)],
    most=2,
)
backbone = dict(type="AnchorNet", width=28)
model = dict(
    loss=dict(
        _delete_=True,
        type="WeightedLoss",
        terms=[dict(type="L1Loss"), dict(type="FrequencyLoss", weight=0.1)],
    )
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        type="ListedImages",
        list_file="train.txt",
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip"),
            dict(type="PackSample"),
        ],
    ),
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        type="ListedImages",
        list_file="test.txt",
        split="test",
        transforms=[dict(type="ModCrop"), dict(type="PackSample")],
    ),
    sampler=dict(type="EvalSampler"),
    collate_fn=dict(type="collate_batch"),
)
test_dataloader = val_dataloader
