"""Device profiles, shipped as package data; a profile's name stands wherever a profile's file is taken."""
