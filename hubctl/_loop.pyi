# No Python face: the loop is run by `hubctl._reactor`.
