"""Trust after the call: ratings, never again, reports, points. Knows accounts, not matching."""
