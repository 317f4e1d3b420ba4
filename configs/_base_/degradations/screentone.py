# Dots of ink, as in newspapers and comics; small ones, as the dots have the size of LR pixels.
degradation = dict(type="Screentone", dot_size=(2.0, 4.0))
