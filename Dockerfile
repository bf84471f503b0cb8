# koine's image: one program, its C library, the certificates that it trusts, and who it runs as. docs/image.md lists it.

# The same Debian that tests/run knows; its C library goes with the program.
FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What koine_build_info says of where it comes from; it cannot be asked of git, since .dockerignore leaves that out.
ARG KOINE_COMMIT=unknown
RUN image/build && image/assemble target/image/koine /root-of-image

FROM scratch
COPY --from=build /root-of-image/ /
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/koine"]
CMD ["run", "--config", "/etc/koine/koine.yaml"]
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/koine", "ready", "--config", "/etc/koine/koine.yaml"]
