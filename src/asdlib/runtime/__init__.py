"""Where a job runs: device, locks, environment, temporary folders and orphaned jobs. No result depends on it."""
