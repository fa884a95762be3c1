import { openPostgres } from '../../src/db/postgres.ts';
import { type Authority, createAuthority } from './certificates.ts';
import { eventually } from './eventually.ts';

/**
 * Gives a private PostgreSQL TLS, with a certificate for localhost and 127.0.0.1. Its files are written by itself, wherever it
 * runs.
 * @returns the authority of its certificate, which it also holds those of clients to
 */
export async function withTls(url: string): Promise<Authority> {
  const authority = createAuthority();
  const { cert, key } = authority.issue('localhost', ['localhost', '127.0.0.1']);
  const admin = openPostgres({
    url: `${url}?sslmode=disable`,
    applicationName: 'confab-test',
    maxConnections: 1,
  });
  const run = (sql: string) => admin.query(sql, []);
  try {
    for (const [file, pem] of [
      ['own.crt', cert],
      ['own.key', key],
      ['ca.crt', authority.cert],
    ] as const) {
      const text = Buffer.from(pem).toString('base64');
      await run(`COPY (SELECT '${text}') TO PROGRAM 'umask 077; base64 -d > ${file}'`);
    }
    for (const setting of [
      `ssl_cert_file = 'own.crt'`,
      `ssl_key_file = 'own.key'`,
      `ssl_ca_file = 'ca.crt'`,
      'ssl = on',
    ])
      await run(`ALTER SYSTEM SET ${setting}`);
    await run('SELECT pg_reload_conf()');
    await eventually('it has TLS', async () => {
      const secured = openPostgres({
        url: `${url}?sslmode=require`,
        applicationName: 'confab-test',
        maxConnections: 1,
      });
      const has = await secured.query('SELECT 1', []).then(Boolean, () => false);
      await secured.close();
      return has;
    });
  } finally {
    await admin.close();
  }
  return authority;
}
