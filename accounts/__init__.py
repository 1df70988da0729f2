"""Who people are: sign-in, profile, tokens, standing, audit. Imports none of the other floors."""
