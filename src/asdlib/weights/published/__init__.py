"""Published weights: read without running anything in them, named as our own networks name theirs."""
