# What `edgekit setup --runner container ID` builds: qemu for one architecture with Python and the target's runtime behind
# it. It runs natively on the engine's machine without binfmt: qemu is called by name, with its CPU model.
# The build context holds site/, the unpacked wheels of the runtime, and counters.c, the instruction-counting plugin.
# The base needs apt: Debian 12 or a derivative.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS guest
ARG ARCH
RUN set -eu; cd /tmp; mkdir -p apt/lists/partial apt/archives/partial; : > apt/status; \
    own() { apt-get -qq -o APT::Architecture="$ARCH" -o APT::Architectures="$ARCH" -o Dir::State=/tmp/apt \
        -o Dir::State::status=/tmp/apt/status -o Dir::Cache=/tmp/apt -o APT::Sandbox::User= \
        -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=1 -o DPkg::Post-Invoke= "$@"; }; \
    own update; \
    own install --yes --no-install-recommends --download-only python3-minimal libpython3-stdlib libstdc++6; \
    for package in apt/archives/*.deb; do dpkg-deb -x "$package" /opt/guest; done
COPY site /opt/guest/opt/site

FROM ${BASE} AS counters
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends gcc libc6-dev
COPY counters.c /tmp/counters.c
RUN gcc -O2 -shared -fPIC -fvisibility=hidden -o /opt/counters.so /tmp/counters.c

# A static qemu does not support plugins.
FROM ${BASE}
RUN apt-get -qq update \
    && apt-get -qq install --yes --no-install-recommends python3-minimal libpython3-stdlib qemu-user \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /work && chown 65534:65534 /work
COPY --from=guest /opt/guest /opt/guest
COPY --from=counters /opt/counters.so /opt/counters.so
ENV XDG_CACHE_HOME=/work PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
