import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type ListenOptions, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Server } from '../../src/commands/servers/server.ts';
import { createConnector } from '../../src/db/connector.ts';
import type { Database } from '../../src/db/database.ts';
import { openReadyPostgres } from '../../src/db/open-ready-postgres.ts';
import { findPooling } from '../../src/db/pooling.ts';
import { openPostgres, type PostgresOptions } from '../../src/db/postgres.ts';
import { parseConnectionString } from '../../src/shared/config/connection-string.ts';
import { createLog } from '../../src/shared/log.ts';
import { createLink, createTcpProxy } from '../../torture/tcp-proxy.ts';
import { createAuthority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { withTls } from '../support/postgres-tls.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const [primary, secured, standby] = await Promise.all([
  servers.createPostgres(),
  servers.createPostgres(),
  servers.createPostgres(),
]);
const authority = await withTls(secured.url);
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

function open(options: Partial<PostgresOptions> & { url: string }): Database {
  const database = openPostgres({ applicationName: 'confab-test', maxConnections: 2, ...options });
  ends.push(database.close);
  return database;
}
const admin = (server: Server) => open({ url: `${server.url}?sslmode=disable`, maxConnections: 1 });

/** What is said by a start that does not come to be, and after how long. */
async function refusal(options: Pick<PostgresOptions, 'url' | 'password' | 'tls'>, waitMs = 60_000) {
  const log = createLog({ logLevel: 'silent' }, 'test');
  const began = runningMs();
  const text = await openReadyPostgres({
    applicationName: 'confab-test',
    migrates: true,
    waitMs,
    log,
    ...options,
  }).then(
    (database) => database.close().then(() => 'it starts'),
    (error: Error) => error.message,
  );
  expect(runningMs() - began).toBeLessThan(waitMs < 60_000 ? waitMs + 10_000 : 10_000);
  return text;
}
const at = ({ port }: Server, text: string) => `postgres://${text.replace('HOST', `127.0.0.1:${port}`)}`;

describe('what waiting cannot mend ends at once, in the words of the server', () => {
  test('the password, the database, the role', async () => {
    const where = `PostgreSQL at 127.0.0.1:${primary.port} refuses: `;
    expect(await refusal({ url: at(primary, 'postgres:wrong@HOST/chat') })).toBe(
      `${where}password authentication failed for user "postgres" (SQLSTATE 28P01)`,
    );
    expect(await refusal({ url: at(primary, 'postgres:postgres@HOST/nowhere') })).toBe(
      `${where}database "nowhere" does not exist (SQLSTATE 3D000)`,
    );
    expect(
      await refusal({ url: at(primary, 'postgres:postgres@HOST/chat?options=-c%20no_such=1') }),
    ).toContain(`${where}unrecognized configuration parameter "no_such"`);
  });

  test('certificates: an unknown authority, another one, another name, no file, no TLS', async () => {
    const login = 'postgres:postgres@HOST/chat';
    const tls = { ca: authority.cert };
    const url = (parameters: string) => at(secured, `${login}?${parameters}`);
    const refuses = (text: string) => `PostgreSQL at 127.0.0.1:${secured.port} refuses: no TLS with ${text}`;
    expect(await refusal({ url: url('sslmode=verify-full') })).toContain(
      refuses('sslmode=verify-full: self signed certificate in certificate chain'),
    );
    expect(await refusal({ url: url('channel_binding=require') })).toContain(refuses('sslmode=verify-full'));
    expect(await refusal({ url: url(''), tls: { ca: createAuthority().cert } })).toContain(
      refuses('sslmode=verify'),
    );
    const named = `postgres://postgres:postgres@db.example.com:${secured.port}/chat?hostaddr=127.0.0.1`;
    expect(await refusal({ url: named, tls })).toContain("does not match certificate's altnames");
    expect(await refusal({ url: `${named}&sslmode=verify-ca`, tls })).toBe('it starts');
    expect(await refusal({ url: url(''), tls })).toBe('it starts');
    expect(await refusal({ url: url('sslmode=require') })).toBe('it starts');
    expect(await refusal({ url: url(''), tls: { ca: '/no/such/file.pem' } })).toContain(
      '/no/such/file.pem cannot be read',
    );
    expect(await refusal({ url: at(primary, `${login}?sslmode=require`) })).toContain(
      'the server has no TLS',
    );
    expect(await refusal({ url: at(primary, login) })).toBe('it starts');
  });

  test('a client certificate, where the server wants one', async () => {
    const control = admin(secured);
    const [file] = await control.query<{ hba: string }>(`SELECT current_setting('hba_file') AS hba`, []);
    await control.query(`CREATE ROLE guest LOGIN SUPERUSER PASSWORD 'guest'`, []);
    const line = 'hostssl all guest 127.0.0.1/32 scram-sha-256 clientcert=verify-ca';
    await control.query(
      `COPY (SELECT '${line}') TO PROGRAM 'cat - ${file?.hba} > hba.new && mv hba.new ${file?.hba}'`,
      [],
    );
    await control.query('SELECT pg_reload_conf()', []);
    const url = at(secured, 'guest:guest@HOST/chat');
    const tls = { ca: authority.cert };

    await eventually('the line is in force', async () =>
      (await refusal({ url, tls })).includes(
        'connection requires a valid client certificate (SQLSTATE 28000)',
      ),
    );
    expect(await refusal({ url, tls: { ...tls, ...authority.issue('guest') } })).toBe('it starts');
    // The server's alert and its hanging up race each other.
    const stranger = createAuthority('Somebody else').issue('guest');
    expect(await refusal({ url, tls: { ...tls, ...stranger } }, 500)).not.toBe('it starts');
  });

  test('what is no PostgreSQL', async () => {
    const other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
    expect(await refusal({ url: `postgres://u@127.0.0.1:${other.port}/chat` })).toContain(
      'the answer to the request for TLS is not that of a PostgreSQL',
    );
    await other.stop(true);
  });
});

test('a server that has no room for another session, as it says to who asks for TLS, is waited for', async () => {
  const full = createServer((socket) =>
    socket
      .on('error', () => {})
      .once('data', () => socket.end('Ecould not fork new process for connection\n\0')),
  );
  await new Promise<void>((resolve) => full.listen(0, '127.0.0.1', resolve));
  const { port } = full.address() as AddressInfo;
  expect(await refusal({ url: `postgres://u@127.0.0.1:${port}/chat` }, 500)).toBe(
    `PostgreSQL at 127.0.0.1:${port} was not there within 0.5 s: the server has no room for another connection`,
  );
  full.close();
});

test('a server that falls silent in the middle of a start is given up', async () => {
  const link = createLink(primary.port);
  const proxy = createTcpProxy(() => [link]);
  const url = `postgres://postgres:postgres@127.0.0.1:${proxy.port}/chat?sslmode=disable`;
  const target = parseConnectionString(url);
  const connector = createConnector({ target, applicationName: 'confab-test', pooling: 'transaction' });
  const silentOnceOpen = async () => {
    const connection = await connector.open();
    link.flow({ toServer: { kind: 'drop' }, toClient: { kind: 'drop' } });
    return connection;
  };
  await expect(findPooling(silentOnceOpen, 500)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await eventually('nothing of it is left', () => link.connections === 0);
  await proxy.close();
});

test('a server that takes no more connections is waited for, and says so; who has some goes on', async () => {
  const control = admin(primary);
  await control.query(`CREATE ROLE limited LOGIN PASSWORD 'limited' CONNECTION LIMIT 2`, []);
  const url = at(primary, 'limited:limited@HOST/chat');
  const others = open({ url, maxConnections: 2 });
  const bothUsed = () => Promise.all([1, 2].map(() => others.query('SELECT pg_sleep(0.2)', [])));
  await bothUsed();
  expect(await refusal({ url }, 500)).toBe(
    `PostgreSQL at 127.0.0.1:${primary.port} was not ready within 0.5 s: too many connections for role "limited" (SQLSTATE 53300)`,
  );
  const late = open({ url });
  const began = runningMs();
  await expect(late.query('SELECT 1', [])).rejects.toMatchObject({ code: 'database_unavailable' });
  expect(runningMs() - began).toBeLessThan(3_000);
  await control.query(`ALTER ROLE limited CONNECTION LIMIT 3`, []);
  await eventually('there is room', () => late.query('SELECT 1', []).then(Boolean, () => false));
  // It asks for a second one in vain: whoever waits gets the first.
  const together = await Promise.all(
    Array.from({ length: 50 }, () => late.query('SELECT pg_sleep(0.01)', [])),
  );
  expect(together).toHaveLength(50);
  await bothUsed();
});

describe('a standby', () => {
  const both = () => `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`;
  const urlOfBoth = () => `postgres://postgres:postgres@${both()}/chat?target_session_attrs=read-write`;

  test('is waited for, which is said; of several hosts the other one is taken', async () => {
    const control = admin(standby);
    await control.query(`COPY (SELECT '') TO PROGRAM 'cat > standby.signal'`, []);
    await standby.restart();
    expect(await refusal({ url: standby.url }, 500)).toBe(
      `PostgreSQL at 127.0.0.1:${standby.port} was not ready within 0.5 s: it is a standby, which takes no writes (SQLSTATE 25006)`,
    );
    expect(await refusal({ url: urlOfBoth() })).toBe('it starts');
  }, 30_000);

  test('a fail-over: who was the primary is gone, who was the standby is asked', async () => {
    const database = open({ url: urlOfBoth() });
    const port = async () => {
      const [row] = await database.query<{ port: string }>(`SELECT current_setting('port') AS port`, []);
      return Number(row?.port);
    };
    expect(await port()).toBe(primary.port);
    await primary.kill();
    await expect(port()).rejects.toMatchObject({ code: 'database_unavailable' });
    const promoting = admin(standby).query('SELECT pg_promote()', []);
    // A standby itself is not used, by whom alone it is named.
    await expect(promoting).rejects.toMatchObject({ code: 'database_unavailable' });
    await promote(standby);
    await eventually('the other one answers', () =>
      port().then(
        (asked) => asked === standby.port,
        () => false,
      ),
    );
    await primary.restart();
  }, 30_000);

  test('a database that becomes read-only is asked again on a new connection', async () => {
    const control = admin(primary);
    const database = open({ url: primary.url, maxConnections: 1 });
    await database.query('CREATE TABLE IF NOT EXISTS written (number int)', []);
    const write = () => database.query('INSERT INTO written VALUES (1)', []);
    await control.query('ALTER DATABASE chat SET default_transaction_read_only = on', []);
    await database.query('SET default_transaction_read_only = on', []);
    await expect(write()).rejects.toMatchObject({ code: 'database_unavailable' });
    await control.query('SET default_transaction_read_only = off', []);
    await control.query('ALTER DATABASE chat RESET default_transaction_read_only', []);
    await eventually('it writes again', () => write().then(Boolean, () => false));
  });
});

describe('every way to a server', () => {
  const says = async (options: Partial<PostgresOptions> & { url: string }) =>
    [...(await open(options).query('SELECT 1 AS one', []))] as unknown;

  test('a Unix socket in all ways, and IPv6', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'confab-test-'));
    ends.push(() => rm(folder, { recursive: true }));
    await relay({ path: join(folder, '.s.PGSQL.5433') });
    const port = await relay({ host: '::1', port: 0 });
    for (const url of [
      `postgres://postgres:postgres@${encodeURIComponent(folder)}:5433/chat`,
      `postgres://postgres:postgres@/chat?host=${folder}&port=5433`,
      `postgresql:///chat?host=${folder}&port=5433&user=postgres&password=postgres`,
      `host='${folder}' port=5433 dbname=chat user=postgres password=postgres`,
      `postgres://postgres:postgres@[::1]:${port}/chat`,
      `host=::1 port=${port} dbname=chat user=postgres password=postgres`,
    ]) {
      expect(await says({ url })).toEqual([{ one: 1 }]);
    }
  });

  test('any password, to the letter, in the URL and beside it', async () => {
    const control = admin(primary);
    for (const [at, password] of [
      'p@ss/word#1',
      ' lead and trail ',
      '100% %41',
      `q'u"o\\te`,
      'ключ🔑',
    ].entries()) {
      const role = `person_${at}`;
      await control.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password.replaceAll("'", "''")}'`, []);
      const encoded = encodeURIComponent(password);
      const { port } = primary;
      expect(await says({ url: `postgres://${role}:${encoded}@127.0.0.1:${port}/chat` })).toEqual([
        { one: 1 },
      ]);
      expect(await says({ url: `postgres://${role}@127.0.0.1:${port}/chat`, password })).toEqual([
        { one: 1 },
      ]);
    }
  });

  test('what a session begins with', async () => {
    const url = at(
      primary,
      'postgres:postgres@HOST/chat?options=-c%20work_mem%3D8MB&search_path=other&application_name=shop',
    );
    const [row] = await open({ url }).query(
      `SELECT current_setting('work_mem') AS memory, current_setting('search_path') AS path,
         current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout`,
      [],
    );
    expect(row).toEqual({ memory: '8MB', path: 'other', name: 'confab-test (shop)', timeout: '4500ms' });
  });
});

/** Another way to the first server. @returns its port */
async function relay(to: ListenOptions): Promise<number | undefined> {
  const open = new Set<Socket>();
  const listener = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: primary.port });
    near.pipe(far).pipe(near);
    for (const end of [near, far]) open.add(end.on('error', () => {}));
  });
  await new Promise<void>((resolve) => listener.listen(to, resolve));
  ends.push(async () => {
    for (const end of open) end.destroy();
    listener.close();
  });
  const address = listener.address();
  return typeof address === 'object' ? address?.port : undefined;
}

/** As whoever runs the servers does it. */
async function promote(server: Server): Promise<void> {
  const sql = postgres(server.url, { max: 1 });
  await sql`SELECT pg_promote()`;
  await sql.end();
}
