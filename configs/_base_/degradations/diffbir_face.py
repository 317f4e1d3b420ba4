# DiffBIR's stages for faces (Lin et al., ECCV 2024); meant for LR on the HR grid (same_size=True).
# configs/train/train_stage1.yaml and train_stage2.yaml of XPixelGroup/DiffBIR, commit 3f8b530.
degradation = dict(type="BlindFace")
