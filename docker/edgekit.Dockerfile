# edgekit with its emulators, for hosts that cannot set them up (macOS, Windows, no apt) and for firmware CI.
#   docker build -f docker/edgekit.Dockerfile -t edgekit .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/project" edgekit build --target rpi4
# The base needs Python 3.11 or later, and apt: Debian or a derivative.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# The index of torch's CPU build, as pytorch.org/get-started shows it for "CPU"; pip's default includes CUDA.
ARG TORCH_INDEX=
COPY . /src
RUN python3 -m pip install --no-cache-dir ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} "torch==2.13.0" \
    && python3 -m pip install --no-cache-dir "/src[training]" \
    && rm -rf /src

# Any user may run it: torch and others write their caches to HOME.
ENV EDGEKIT_EMULATORS=/opt/edgekit/emulators HOME=/tmp
# 1 if the base's mirror has other packages than edgekit's lock pins.
ARG UNPINNED=0
# The compiler builds the instruction-counting plugin; it is removed from the image.
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends gcc libc6-dev \
    && EDGEKIT_UNPINNED=$UNPINNED edgekit setup rpi4 rpi5 rpi-zero2w x86-avx2 \
    && apt-get -qq purge --yes --auto-remove gcc libc6-dev && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home edgekit \
    && chmod -R a+rX /opt/edgekit

USER edgekit
WORKDIR /project
ENTRYPOINT ["edgekit"]
