"""The maps as data, for whoever reviews them; :mod:`seatrial.promotion.assurance.mapping` reads them."""
