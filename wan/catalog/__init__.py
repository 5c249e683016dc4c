"""What the service sells: models, effects, regions."""
