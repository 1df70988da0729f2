"""Benchmarks: each a command, `python -m tests.bench NAME [--json]`. Never a timed assertion: machines are shared.

Every figure is a minimum, median and maximum over rounds, with the CPU share of the load beside it, so that a load
that was itself the bottleneck can be told."""
