# syntax=docker/dockerfile:1

# --- builder -----------------------------------------------------------------------------------------------------------
FROM rust:1-bookworm AS builder
WORKDIR /src
COPY . .
# Registry and target live in cache mounts: a rebuild compiles only what changed, dependencies included, and none of it
# becomes part of a layer. That is why the binary is copied out within the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin airgate \
    && install -D -m 0755 target/release/airgate /out/airgate

# --- runtime -----------------------------------------------------------------------------------------------------------
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 airgate \
    && useradd --uid 10001 --gid airgate --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin airgate \
    && install -d -o airgate -g airgate -m 0700 /data \
    # An empty file, so that a container that gets everything from its environment starts without a mount.
    && install -D -m 0644 /dev/null /etc/airgate/config.toml

COPY --from=builder /out/airgate /usr/local/bin/airgate

# Mount your own file here. The variables below take precedence over it: they are what makes the image's volume and port
# work; override them with `-e`, not in the file.
ENV AIRGATE_CONFIG=/etc/airgate/config.toml \
    AIRGATE__SERVER__LISTEN=0.0.0.0:8080 \
    AIRGATE__STORE__PATH=/data/airgate.redb \
    AIRGATE__STORE__BACKUP_DIR=/data/backups

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080

# The image has neither curl nor wget, and needs neither: bash opens the connection itself. Liveness only (/healthz):
# whether Feishu can be reached (/readyz) is no reason to restart a container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${AIRGATE__SERVER__LISTEN##*:}\" && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

# The process handles SIGTERM itself: it finishes what is in flight (up to 10 s) and exits 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["airgate"]
CMD ["serve"]
