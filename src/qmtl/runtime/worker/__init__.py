"""The worker: takes slots, reads their partitions, advances their plans, commits what comes of it."""
