"""The service's offer: models, effects, regions."""
