"""Postgres and Valkey that come with visavis and live as long as its server, for want of DATABASE_URL or REDIS_URL."""

from signaling.embedded.launcher import Embedded, running, start
from signaling.embedded.register import ServiceUrls, running_services

__all__ = ["Embedded", "ServiceUrls", "running", "running_services", "start"]
