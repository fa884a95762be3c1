# One image for api, worker, gateway and migrate: docker-compose.yml says which one a container is.
# By digest where that is given: docs/operations.md.
ARG BUN=oven/bun:1.4.5-slim
FROM ${BUN} AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
COPY client/package.json ./client/
# Without peers: one of them is a TypeScript compiler, which Bun does not need (48 of 125 MB).
RUN bun install --frozen-lockfile --production --omit=peer --ignore-scripts
# What nothing reads that runs: 28 of 103 MB.
RUN find node_modules -name '*.map' -delete

FROM ${BUN}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json bunfig.toml tsconfig.json ./
COPY drizzle ./drizzle
COPY src ./src
COPY client ./client
COPY web ./web
# A named volume mounted here takes over the owner, so that the unprivileged user can write its first file.
RUN mkdir /secrets /passwords /access && chown bun:bun /secrets /passwords /access
# A container's own localhost is of no use to others, in development either.
ENV HOST=::
# As /metrics says it. It stands behind the layers, so that a new commit makes none of them anew.
ARG BUILD_COMMIT=unknown
ENV BUILD_COMMIT=${BUILD_COMMIT}
# By number, so that Kubernetes can tell that it is not root; the image's user `bun`.
USER 1000:1000
EXPOSE 3000 3001 3002
CMD ["bun", "src/api.ts"]
