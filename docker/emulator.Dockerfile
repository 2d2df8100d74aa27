# What `edgekit setup --runner container ID` builds: qemu for one architecture with Python and the target's runtime behind
# it. It runs natively on the engine's machine without binfmt: qemu is called by name, with its CPU model.
# The build context holds site/, the unpacked wheels of the runtime; counters.c, the instruction-counting plugin; fetch.sh;
# and the lists of packages with their digests, from edgekit's lock.
# The base needs apt: Debian 12 or a derivative.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS guest
ARG ARCH
COPY fetch.sh guest.sha256 /tmp/
RUN sh /tmp/fetch.sh guest "$ARCH" python3-minimal libpython3-stdlib libstdc++6 \
    && for package in /tmp/guest/*.deb; do dpkg-deb -x "$package" /opt/guest || exit 1; done
COPY site /opt/guest/opt/site

FROM ${BASE} AS counters
COPY fetch.sh compiler.sha256 counters.c /tmp/
RUN sh /tmp/fetch.sh compiler "$(dpkg --print-architecture)" gcc libc6-dev \
    && apt-get -qq install --yes --no-install-recommends --allow-downgrades /tmp/compiler/*.deb \
    && gcc -O2 -shared -fPIC -fvisibility=hidden -o /opt/counters.so /tmp/counters.c

# A static qemu does not support plugins.
FROM ${BASE}
COPY fetch.sh emulator.sha256 /tmp/
RUN sh /tmp/fetch.sh emulator "$(dpkg --print-architecture)" python3-minimal libpython3-stdlib qemu-user \
    && apt-get -qq install --yes --no-install-recommends --allow-downgrades /tmp/emulator/*.deb \
    && rm -rf /tmp/* /var/lib/apt/lists/* \
    && mkdir /work && chown 65534:65534 /work
COPY --from=guest /opt/guest /opt/guest
COPY --from=counters /opt/counters.so /opt/counters.so
ENV XDG_CACHE_HOME=/work PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
