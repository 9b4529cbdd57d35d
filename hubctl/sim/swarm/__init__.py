"""A swarm of simulated hubs: any hub, any plan, any traffic and any faults, each drawn from one seed."""
