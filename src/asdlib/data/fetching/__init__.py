"""Downloads: archives from Zenodo, ground truth, and their pins."""
