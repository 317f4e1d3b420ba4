# DegFlow's second stage, small, for one CPU core. With scale=3 in --cfg-options it is tested at x3,
# which it has never seen.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/sample_scales_cpu.py",
    "../_base_/degradations/degflow_cpu.py",
    "../_base_/tasks/latent_flow_matching.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
model = dict(perceptual_loss=dict(_delete_=True, type="MSELoss", weight=1.0))
load_from = "work_dirs/degflow_ae_sample_x4_cpu/degradation.safetensors"
