"""The way out: every connection that the local agent makes to somewhere else."""
