"""A fictional retailer with a known story, to show what Vigie finds and what it leaves alone."""
