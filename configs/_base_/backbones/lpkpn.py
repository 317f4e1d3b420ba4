# Drawn as in the released solver; a short run goes further from init="identity".
backbone = dict(type="LPKPN", init="msra")
