# The classical degradation as in KAIR: blur with wrapped border, then the first of s pixels.
degradation = dict(type="BlurDown", kind="s-fold")
