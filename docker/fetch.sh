#!/bin/sh
# Download the Debian packages of a set to /tmp/SET, inside an image: fetch.sh SET ARCH NAME...
# /tmp/SET.sha256 pins them, one line "DIGEST  FILE" each; where it is empty, the packages NAME and what they need are
# taken in the versions that the mirror has. apt's own state is used, so that other architectures can be downloaded.
set -eu
set_name=$1 arch=$2
shift 2
list=/tmp/$set_name.sha256 state=/tmp/apt-$set_name
mkdir -p "$state/lists/partial" "$state/archives/partial" "/tmp/$set_name"
: > "$state/status"
cd "/tmp/$set_name"
own() {
    apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$state" \
        -o Dir::State::status="$state/status" -o Dir::Cache="$state" -o APT::Sandbox::User= -o Debug::NoLocking=1 \
        -o APT::Keep-Downloaded-Packages=1 -o DPkg::Post-Invoke= -o APT::Update::Error-Mode=any "$@"
}
own update
if [ -s "$list" ]; then
    # Unquoted: one word a package, such as zlib1g=1:1.2.13.
    own download $(sed 's/^[0-9a-f]*  //; s/_[^_]*\.deb$//; s/_/=/; s/%3a/:/g' "$list")
    sha256sum --check --quiet --strict "$list"
else
    own install --yes --no-install-recommends --download-only "$@"
    mv "$state"/archives/*.deb .
fi
rm -rf "$state"
