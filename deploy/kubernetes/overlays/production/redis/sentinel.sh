#!/bin/sh
set -eu
umask 077
. "$(dirname "$0")/leader.sh"
# Started again in its pod it goes on with what it knew.
[ -s "${DATA:-/data}/sentinel.conf" ] || cat > "${DATA:-/data}/sentinel.conf" <<CONF
port ${SENTINEL_PORT:-26379}
dir ${DATA:-/data}
requirepass $REDIS_SENTINEL_PASSWORD
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $ME
sentinel monitor confab $(leader) ${REDIS_PORT:-6379} 2
sentinel auth-user confab sentinel
sentinel auth-pass confab $REDIS_SENTINEL_PASSWORD
sentinel down-after-milliseconds confab 2000
sentinel failover-timeout confab 10000
CONF
exec redis-server "${DATA:-/data}/sentinel.conf" --sentinel "$@"
