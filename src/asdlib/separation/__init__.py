"""What all separators share: mixtures, noise, levels, estimates."""
