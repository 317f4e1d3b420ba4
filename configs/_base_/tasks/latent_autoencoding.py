# DegFlow's first stage: the autoencoder, by the squared error alone. LR images of the pairs are
# decoded from their latents when it is tested: the limit of the second stage.
_base_ = "degradation_learning.py"
model = dict(_delete_=True, type="LatentAutoencoding", loss=dict(type="MSELoss"))
