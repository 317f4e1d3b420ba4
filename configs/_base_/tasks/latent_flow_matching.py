# DegFlow's second stage: the velocity. The authors weigh LPIPS of a VGG16 by 0.1; this one is of
# AlexNet. Without its weights set model.perceptual_loss.weight=0, which log and file then say.
_base_ = "degradation_learning.py"
model = dict(
    _delete_=True,
    type="LatentFlowMatching",
    perceptual_loss=dict(type="LPIPSLoss", weight=0.1),
)
