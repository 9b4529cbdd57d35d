"""Example hubs, shipped as package data; a hub's name stands wherever a hub file is taken."""
