# The operator's image: only one static program, for the platform given (amd64 or arm64).
#   docker build --platform linux/amd64 --tag registry.example/spe-operator:0.1.0 .
# On a machine with Rust but without a registry, `make image` builds the program outside, and only the last stage here.

# Any image with Rust 1.91 or later and a C compiler. A tag may move. If that matters, name the image by a digest that you checked, with
# --build-arg BUILDER=docker.io/library/rust@sha256:…
ARG BUILDER=docker.io/library/rust:1.95-bookworm

FROM ${BUILDER} AS build
ARG REVISION=unknown
WORKDIR /src
COPY . .
RUN mkdir /out && cp "$(SPE_REVISION=$REVISION CARGO_TARGET_DIR=/target hack/static)/spe-operator" /out/

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="spe-operator" \
      org.opencontainers.image.description="Kubernetes operator for private endpoints of MongoDB Atlas: dedicated clusters and serverless instances" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/spe-operator /spe-operator
# A number, so that Kubernetes can check that it is not root.
USER 65532:65532
EXPOSE 8080
# One heap for what C code allocates. By default glibc has several per core of the node, and each keeps its own peak.
ENV GLIBC_TUNABLES=glibc.malloc.arena_max=1
ENTRYPOINT ["/spe-operator"]
CMD ["run"]
