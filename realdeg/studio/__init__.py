"""The page of ``realdeg studio``: degradations, cameras and networks tried out in a browser.

Everything that the page does is a function of this package without a browser; only :mod:`.page` and
:mod:`.server` import Gradio.
"""
