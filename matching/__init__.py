"""One help request from the cry to the goodbye: asking, ringing, the claim, the call. Knows accounts, not rating."""
