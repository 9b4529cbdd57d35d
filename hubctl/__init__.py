"""hubctl: the open control kernel for parcel sorting hubs."""
