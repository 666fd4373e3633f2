"""What people look at: pictures drawn from signals."""
