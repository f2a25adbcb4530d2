# nightdesk in one image: the binary carries playbooks, prompts, mappings and the demo lab.
# MCP servers of products are not in it: run them beside it and reach them by url, or add them in an image on top.

FROM rust:1.95-trixie AS build
# `release` is small and fast and takes long to build; `dev` is what the README's first command builds.
ARG PROFILE=release
WORKDIR /src
COPY . .
# The target folder is a cache that does not stay in the image, so the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    set -eu; \
    cargo build --locked --profile "$PROFILE" --bin nightdesk; \
    case "$PROFILE" in dev) built=debug ;; *) built="$PROFILE" ;; esac; \
    strip --strip-debug -o /nightdesk "target/$built/nightdesk"

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/nightdesk nightdesk \
    && install --directory --owner nightdesk --group nightdesk /var/lib/nightdesk /etc/nightdesk
COPY --from=build /nightdesk /usr/local/bin/nightdesk
USER 10001:10001
# The store is written here: a relative [store] url is under it.
WORKDIR /var/lib/nightdesk
VOLUME /var/lib/nightdesk
STOPSIGNAL SIGTERM
ENTRYPOINT ["nightdesk"]
CMD ["demo", "--dir", "/var/lib/nightdesk/demo"]
