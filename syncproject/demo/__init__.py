"""The demo: the whole system on one machine, syncing from the sandbox."""
