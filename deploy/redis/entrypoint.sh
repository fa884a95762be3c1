#!/bin/sh
# The one user may do what Confab's processes do (docs/redis.md), with the keys and channels that are theirs.
set -eu
password=$(cat /passwords/redis)
prefix="${CHAT_NOTIFICATION_CHANNEL:-chat.notifications}"
if [ -n "$password" ]; then known="#$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)"; else known=nopass; fi
exec docker-entrypoint.sh "$@" --user default on "$known" "~$prefix:*" "&$prefix:*" -@all \
  +hello +select '+client|setname' +info +ping +get +mget +set +del +incrby +pexpire +pttl +eval +evalsha \
  +publish +subscribe +unsubscribe +hset +hdel +hmget +zadd +zrange +zrem +zremrangebyscore +multi +exec
