#!/bin/sh
# What the first user is at the server's first start: no administrator, and of Confab's own exchanges and queues alone.
set -eu
quoted() { printf %s "$1" | sed 's/\./\\./g'; }
names="^($(quoted "${RABBITMQ_CHAT_EXCHANGE:-chat.events}")|$(quoted "${RABBITMQ_CHAT_DLX_EXCHANGE:-chat.dlx}")"
names="$names|$(quoted "${RABBITMQ_CHAT_DLQ_NAME:-chat.message.send.dlq}")|$(quoted "${RABBITMQ_CHAT_QUEUE_PREFIX:-chat.message.send}")\\.p[0-9]+)\$"
cat > "${CONFIGURATION:-/etc/rabbitmq/conf.d}/20-confab.conf" <<CONF
default_user_tags.administrator = false
# It may look at what is its own at the management's page.
default_user_tags.management = true
default_permissions.configure = $names
default_permissions.write = $names
default_permissions.read = $names
CONF
RABBITMQ_DEFAULT_PASS=$(cat /passwords/rabbitmq)
export RABBITMQ_DEFAULT_PASS
# Not for RabbitMQ, which takes each RABBITMQ_… for its own.
unset RABBITMQ_CHAT_EXCHANGE RABBITMQ_CHAT_DLX_EXCHANGE RABBITMQ_CHAT_DLQ_NAME RABBITMQ_CHAT_QUEUE_PREFIX
exec docker-entrypoint.sh "$@"
