# DAN (Luo et al., NeurIPS 2020), setting 1 as in its code: sigma 0.2 to 4 at any scale; the
# ranges of the paper are those of IKC.
degradation = dict(type="BlurDown", kind="DAN")
