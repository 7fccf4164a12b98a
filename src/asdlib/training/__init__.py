"""The training loop, optimisers and settings that all networks share."""
