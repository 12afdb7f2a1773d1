# functiond in a container: docker build -t functiond . && docker run -p 127.0.0.1:8080:8080 -v functiond:/data functiond
#
# Runs as the ordinary user functiond. Started as root (--user 0) it gives every worker a user id of its own; the api still
# runs as the owner of /data. The root file system may be read-only. See docs/operations.md.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        cmake gcc libc6-dev linux-libc-dev ninja-build pkg-config \
        libacl1-dev libarchive-dev libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev libseccomp-dev libsodium-dev \
        libsqlite3-dev libmaxminddb-dev libicu-dev python3-phonenumbers \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY migrations migrations
COPY include include
COPY src src
RUN cmake --preset release -DTESTS=OFF -DWERROR=OFF \
    && cmake --build --preset release \
    && strip build/release/functiond

FROM ${BASE}
# What build commands of functions commonly call; empty for a smaller image.
ARG BUILD_TOOLS="git npm"
RUN apt-get update && apt-get install -y --no-install-recommends \
        bash ca-certificates nodejs python3 python3-venv ${BUILD_TOOLS} \
        libacl1 libarchive13 libcurl4 libjansson4 libmaxminddb0 libmicrohttpd12 libseccomp2 libsodium23 libsqlite3-0 \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && useradd --system --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin functiond \
    && install -d -o functiond -g functiond -m 0700 /data
COPY --from=build /source/build/release/functiond /usr/local/bin/functiond
ENV FUNCTIOND_LISTEN=0.0.0.0:8080 FUNCTIOND_DATA=/data
VOLUME /data
EXPOSE 8080
USER functiond
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["functiond", "healthcheck"]
ENTRYPOINT ["functiond"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/data"]
