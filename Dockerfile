# A small image with barkeep and nothing else: no shell, no package manager, no secrets. It runs as a user without rights,
# also where the root file system is read-only; /tmp has to be writable then.
#
#   docker build -t barkeep:0.1.0 .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD/jobs:/data/jobs:ro" ... barkeep:0.1.0 schedule start jobs/daily.toml

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin barkeep

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/barkeep /usr/local/bin/barkeep
COPY rules /usr/share/barkeep/rules
WORKDIR /data
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/barkeep"]
CMD ["--help"]
