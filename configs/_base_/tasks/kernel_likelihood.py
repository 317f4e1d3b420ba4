# FKP (Liang et al., CVPR 2021): a flow of kernels by likelihood, on anisotropic Gaussians. An epoch
# of the code has 50,000, each drawn once.
model = dict(type="KernelLikelihood")
batch_size = 100
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(type="KernelSet", degradation=dict(type="BlurDown", kind="FKP"), length=50_000),
)
