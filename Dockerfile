# syntax=docker/dockerfile:1

# --- builder -----------------------------------------------------------------------------------------------------------
FROM rust:1-bookworm AS builder
WORKDIR /src
COPY . .
# Registry and target directory are cache mounts: a rebuild compiles only what changed, including dependencies, and none of it
# ends up in a layer. That is why this step also copies the binary out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin airgate \
    && install -D -m 0755 target/release/airgate /out/airgate

# --- runtime -----------------------------------------------------------------------------------------------------------
FROM debian:bookworm-slim
# The data folder belongs to group 0 and can be written by it: a platform that runs containers as any user id (OpenShift) gives
# them that group. Files in it are created with mode 0600, so keep the user id that created them.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 0 -m 0770 /data \
    # An empty file, so that a container configured by its environment alone starts without a mount.
    && install -D -m 0644 /dev/null /etc/airgate/config.toml

COPY --from=builder /out/airgate /usr/local/bin/airgate

# Mount your own file here. The variables below take precedence over it, because the image's volume and port depend on them;
# override them with `-e`, not in the file.
ENV AIRGATE_CONFIG=/etc/airgate/config.toml \
    AIRGATE__SERVER__LISTEN=0.0.0.0:8080 \
    AIRGATE__STORE__PATH=/data/airgate.redb \
    AIRGATE__STORE__BACKUP_DIR=/data/backups

# Numeric, so that an orchestrator can verify that it is not root. Any other id works, too (`--user 1234:0`). airgate writes to
# /data and nowhere else, so the root file system can be read-only (`--read-only`).
USER 10001:0
WORKDIR /data
VOLUME /data
EXPOSE 8080

# The image has no curl or wget: bash opens the connection itself. This checks liveness only (/healthz); a Feishu outage
# (/readyz) is no reason to restart a container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${AIRGATE__SERVER__LISTEN##*:}\" && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

# On SIGTERM, the process finishes work in flight (up to 10 s) and exits with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["airgate"]
CMD ["serve"]
