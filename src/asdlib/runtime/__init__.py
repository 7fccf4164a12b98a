"""Where a job runs: device, locks and orphaned jobs. No result depends on it."""
