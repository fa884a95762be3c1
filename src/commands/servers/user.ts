/**
 * Whom PostgreSQL runs as: undefined for oneself; as root, the user `postgres` if there is one, else `nobody`.
 * Throws when root finds neither.
 */
export async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = await Bun.file('/etc/passwd').text();
  const user = findUser(accounts, 'postgres') ?? findUser(accounts, 'nobody');
  if (!user) throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody');
  return user;
}

function findUser(accounts: string, name: string): { uid: number; gid: number } | undefined {
  const fields = accounts
    .split('\n')
    .map((line) => line.split(':'))
    .find(([account]) => account === name);
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
}
