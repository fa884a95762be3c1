#!/bin/sh
set -eu
umask 077
. "$(dirname "$0")/leader.sh"
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
# `default` may do what Confab's processes do (docs/redis.md), `sentinel` what replicas and Sentinels do.
cat > "${DATA:-/data}/redis.conf" <<CONF
port ${REDIS_PORT:-6379}
dir ${DATA:-/data}
save ""
appendonly no
repl-diskless-sync-delay 0
user default on #$(hash "$REDIS_PASSWORD") ~chat.notifications:* &chat.notifications:* -@all +hello +select +client|setname +info +ping +get +mget +set +del +incrby +pexpire +pttl +eval +evalsha +publish +subscribe +unsubscribe +hset +hdel +hmget +zadd +zrange +zrem +zremrangebyscore +multi +exec
user sentinel on #$(hash "$REDIS_SENTINEL_PASSWORD") allchannels -@all +multi +exec +ping +info +role +publish +subscribe +slaveof +config|rewrite +client|setname +client|kill +script|kill +psync +replconf
masteruser sentinel
masterauth $REDIS_SENTINEL_PASSWORD
replica-announce-ip $ME
CONF
leader=$(leader)
[ "$leader" = "$ME" ] || echo "replicaof $leader ${REDIS_PORT:-6379}" >> "${DATA:-/data}/redis.conf"
exec redis-server "${DATA:-/data}/redis.conf" "$@"
