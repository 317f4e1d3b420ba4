degradation = dict(type="Bicubic")
