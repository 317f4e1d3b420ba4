backbone = dict(type="DBPN", preset="dbpn")
