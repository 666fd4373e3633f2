"""The stages: understand, tally, detect, corroborate, explain. Pure functions on Arrow, engine-free."""
