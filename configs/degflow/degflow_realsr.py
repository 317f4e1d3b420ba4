# DegFlow's second stage, as published: 16 patches on each of 4 GPUs. It is trained on x2 and x4
# whatever the scale, which says where it is tested: x3 of it has never been seen.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2_scales.py",
    "../_base_/degradations/degflow.py",
    "../_base_/tasks/latent_flow_matching.py",
    "../_base_/schedules/adam_degflow_400k.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
batch_size = 64
load_from = "work_dirs/degflow_ae_realsr_x4/degradation.safetensors"
