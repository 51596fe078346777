# syntax=docker/dockerfile:1
ARG BUILDER=node:24-trixie-slim
ARG RUNTIME=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${BUILDER} AS build
ARG REVISION=
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.ts scripts/
COPY src src
RUN DBTLS_REVISION=${REVISION} node scripts/build.ts && rm -f dist/*.map && mkdir /compile-cache

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dbtls" \
      org.opencontainers.image.description="Gives every database its TLS: authorities, certificates, keystores, rotation" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=build /src/dist /app
# Node keys this cache by version, architecture and user: it has to be filled here, by the user who runs it later.
COPY --from=build --chown=65532:65532 /compile-cache /app/compile-cache
# One arena of malloc: what threads free in arenas of their own, glibc keeps (docs/adr/0025).
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/compile-cache NODE_OPTIONS=--disable-warning=ExperimentalWarning MALLOC_ARENA_MAX=1
USER 65532:65532
RUN ["/nodejs/bin/node", "--min-semi-space-size=8", "--max-semi-space-size=16", "--no-parallel-scavenge", "--no-flush-bytecode", "/app/dbtls.mjs", "operator", "--help"]
EXPOSE 8080 9090
# Halves of the young generation of 8 MB from the start: what a request leaves behind dies in them. Its collections wake no other
# thread, and a burst finds the code of the one before still compiled (docs/adr/0025).
ENTRYPOINT ["/nodejs/bin/node", "--min-semi-space-size=8", "--max-semi-space-size=16", "--no-parallel-scavenge", "--no-flush-bytecode", "/app/dbtls.mjs"]
CMD ["operator"]
