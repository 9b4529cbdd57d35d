# No Python face: images are read by `hubctl._master`.
