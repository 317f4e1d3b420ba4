# KXNet (Fu et al., ECCV 2022), setting 1: isotropic, every s-th pixel from the first, no noise.
degradation = dict(type="BlurDown", kind="KXNet")
