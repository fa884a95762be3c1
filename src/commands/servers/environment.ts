/**
 * The environment that a private server is started with: this process's own without whatever would lead it to
 * other servers or their settings (a developer's `.env` has `RABBITMQ_PORT`, a shell may have `PGDATA`).
 */
export function serverEnvironment(
  own: Record<string, string> = {},
  inherited: Record<string, string | undefined> = process.env,
): Record<string, string | undefined> {
  const kept = Object.entries(inherited).filter(([name]) => !/^(PG|RABBITMQ_|ERL_|REDIS)/.test(name));
  return { ...Object.fromEntries(kept), ...own };
}
