import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';

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

/**
 * The folder itself where PostgreSQL's user can reach it, else one in /var/tmp that is always the same for it: root's
 * home, for one, lets no other user through.
 */
export async function homeForPostgres(folder: string): Promise<string> {
  const user = await unprivilegedUser();
  if (!user) return folder;
  await mkdir(folder, { recursive: true });
  const reached = Bun.spawn(['ls', '-d', `${folder}/.`], {
    ...user,
    cwd: '/',
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  });
  if ((await reached.exited) === 0) return folder;
  const elsewhere = `/var/tmp/confab-services-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  if (!existsSync(elsewhere)) {
    await mkdir(elsewhere);
    await chmod(elsewhere, 0o711);
  }
  return `${elsewhere}/postgres`;
}
