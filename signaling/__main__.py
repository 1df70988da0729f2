"""`python -m signaling` is `visavis`."""

from signaling.cli import main

main()
