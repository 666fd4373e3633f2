"""Signals that become alerts: subscriptions, what goes to whom, the outbox, and the ways out."""
