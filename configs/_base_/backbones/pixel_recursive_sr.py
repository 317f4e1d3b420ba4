backbone = dict(type="PixelRecursiveSR")
