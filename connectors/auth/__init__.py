"""How sources prove who they are: tokens and their store, the grants that mint them, what goes with calls."""
