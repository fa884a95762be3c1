# Who leads: as the first Sentinel that answers says; where none does, all are new, and the first of them leads.
leader() {
  for peer in $PEERS; do
    found=$(REDISCLI_AUTH=$REDIS_SENTINEL_PASSWORD timeout 2 redis-cli -h "$peer" -p "${SENTINEL_PORT:-26379}" \
      sentinel get-master-addr-by-name confab 2>/dev/null | head -n 1) || found=
    case $found in '' | *' '*) ;; *) echo "$found" && return ;; esac
  done
  echo "${PEERS%% *}"
}
