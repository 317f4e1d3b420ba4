# A DML and a small VDSR in one run of ten minutes on two CPU cores: DML alone for 200 iterations,
# then both in every iteration. Half of each batch are real pairs; the network sees their real LR,
# and LR that DML makes of the other half.
_base_ = [
    "../_base_/settings/super_resolution_cpu.py",
    "../_base_/datasets/realsrv3crops_and_hr_cpu.py",
    "../_base_/degradations/dml_cpu.py",
]
scale = 4
backbone = dict(type="VDSR", depth=12, width=32, colour="y")
model = dict(
    type="JointTraining",
    degradation_loss=dict(type="MSELoss"),
    sr_gradient=0,
    degradation_first=200,
)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.9, 0.999)))
optim_wrapper = dict(
    _delete_=True,
    constructor="MultiOptimizerConstructor",
    backbone_step=__adam,
    degradation_step=__adam,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
