# MSRResNet, BasicSR's recipe: x2 (and x3, patch 126) begins with what fits of x4's weights.
_base_ = "msr_resnet_div2k_x4.py"
__x4 = "work_dirs/msr_resnet_div2k_x4/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x4, partial=True))
scale = 2
