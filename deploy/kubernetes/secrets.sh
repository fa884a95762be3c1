#!/bin/sh
# Prints the Secrets that the overlays read, with random values; `create` makes what is not there, and changes nothing that is:
#   sh deploy/kubernetes/secrets.sh | kubectl -n confab create -f -
set -eu
# Of letters and digits, so that it may stand in a URL or a file as it is.
random() { openssl rand -hex 32; }
database=$(random)
rabbitmq=$(random)
cat <<SECRETS
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: { name: confab }
    stringData:
      DATABASE_PASSWORD: "$database"
      REDIS_PASSWORD: "$(random)"
      REDIS_SENTINEL_PASSWORD: "$(random)"
      RABBITMQ_PASSWORD: "$rabbitmq"
      JWT_SECRET: "$(random)"
      SERVICE_TOKEN: "$(random)"
  # What CloudNativePG gives the role that owns the database.
  - apiVersion: v1
    kind: Secret
    metadata: { name: confab-postgres-owner }
    type: kubernetes.io/basic-auth
    stringData: { username: confab, password: "$database" }
  # What RabbitMQ's operator gives the user that is there from the beginning.
  - apiVersion: v1
    kind: Secret
    metadata: { name: confab-rabbitmq-user }
    stringData:
      username: confab
      password: "$rabbitmq"
      default_user.conf: |
        default_user = confab
        default_pass = $rabbitmq
SECRETS
