"""What survives a kill: snapshots and the calls since, in one folder of bounded size."""
