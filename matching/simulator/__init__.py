"""A town of callers and volunteers in which the production policy and its rivals can be tried, a month in seconds."""
