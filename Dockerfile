# The server as one image: built with tools that the image does not keep, run by a user who can change nothing in it.

FROM python:3.12-slim AS build

WORKDIR /build
RUN python -m venv --without-pip /opt/visavis
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY accounts accounts
COPY matching matching
COPY rating rating
COPY signaling signaling
RUN pip --python /opt/visavis/bin/python install --no-cache-dir --disable-pip-version-check '.[apns]'

FROM python:3.12-slim

RUN pip uninstall --yes --quiet --root-user-action ignore pip \
 && useradd --system --uid 10001 --home-dir /var/lib/visavis --create-home --shell /usr/sbin/nologin visavis
COPY --from=build /opt/visavis /opt/visavis

# HOST: a container's own loopback address is of no use to anybody.
ENV PATH=/opt/visavis/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    DATA_DIR=/var/lib/visavis

USER visavis
WORKDIR /var/lib/visavis
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s CMD ["python", "-c", \
  "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["visavis"]
CMD ["serve"]
