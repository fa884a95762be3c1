import { describe, expect, test } from 'bun:test';
import { userInfo } from 'node:os';
import {
  ConnectionStringError,
  type DatabaseSecrets,
  parseConnectionString,
} from '../../src/shared/config/connection-string.ts';

/** What is said in short: `user:password@host:port,…/database`. */
function short(text: string, secrets: DatabaseSecrets = {}): string {
  const { user, password, hosts, database } = parseConnectionString(text, secrets);
  return `${user}:${password}@${hosts.map(({ name, port }) => `${name}|${port}`).join(',')}/${database}`;
}

function refusal(text: string, secrets: DatabaseSecrets = {}): string {
  try {
    parseConnectionString(text, secrets);
  } catch (error) {
    if (error instanceof ConnectionStringError) return error.message;
    throw error;
  }
  return 'not refused';
}

const me = userInfo().username;

describe('who, where and what', () => {
  test.each([
    ['postgres://u:p@h:5433/chat', 'u:p@h|5433/chat'],
    ['postgresql://u:p@h/chat', 'u:p@h|5432/chat'],
    ['postgres://u@h', 'u:@h|5432/u'],
    ['postgres://', `${me}:@localhost|5432/${me}`],
    ['postgresql:///chat', `${me}:@localhost|5432/chat`],
    // Unix sockets, in all three ways.
    ['postgres://u@%2Frun%2Fpostgresql/chat', 'u:@/run/postgresql|5432/chat'],
    ['postgres://u@/chat?host=/run/postgresql', 'u:@/run/postgresql|5432/chat'],
    ['postgres:///chat?host=/run/postgresql&port=5433&user=u', 'u:@/run/postgresql|5433/chat'],
    ['host=/run/postgresql dbname=chat user=u', 'u:@/run/postgresql|5432/chat'],
    // IPv6.
    ['postgres://u:p@[::1]/chat', 'u:p@::1|5432/chat'],
    ['postgres://u:p@[2001:db8::1]:5433/chat', 'u:p@2001:db8::1|5433/chat'],
    ['postgres://u:p@/chat?host=::1', 'u:p@::1|5432/chat'],
    // Several hosts.
    ['postgres://u:p@h1:5433,h2:5434/chat?target_session_attrs=read-write', 'u:p@h1|5433,h2|5434/chat'],
    [
      'postgres://u:p@h1,h2:5434,[::1]/chat?target_session_attrs=primary',
      'u:p@h1|5432,h2|5434,::1|5432/chat',
    ],
    ['postgres://u:p@/chat?host=h1,h2&port=1,2', 'u:p@h1|1,h2|2/chat'],
    ['postgres://u:p@/chat?host=h1,h2&port=9', 'u:p@h1|9,h2|9/chat'],
    ['host=h1,h2 port=1,2 dbname=chat user=u password=p', 'u:p@h1|1,h2|2/chat'],
    // Secrets, encoded and as they are.
    ['postgres://u:p%40ss%2Fword%231%25%20@h/chat', 'u:p@ss/word#1% @h|5432/chat'],
    ['postgres://u:pa#ss?w:rd &=+é@h/chat', 'u:pa#ss?w:rd &=+é@h|5432/chat'],
    ['postgres://us%3Aer:p@h/chat', 'us:er:p@h|5432/chat'],
    ['postgres://h/chat?user=u&password=p%26p', 'u:p&p@h|5432/chat'],
    ["host=h dbname='my chat' user=u password='p\\'a\\\\ss w=ord'", "u:p'a\\ss w=ord@h|5432/my chat"],
    ['host = h  dbname = chat user=u password=p\\ w', 'u:p w@h|5432/chat'],
    ["host=h dbname=chat user=u password=p'w'", "u:p'w'@h|5432/chat"],
    ['postgres://u:p@h/my%20chat', 'u:p@h|5432/my chat'],
    ['postgres://u:p@h/chat?sslmode=require&', 'u:p@h|5432/chat'],
  ])('%s', (text, expected) => expect(short(text)).toBe(expected));

  test.each(['p@ss/word#1', ' lead and trail ', '100%', 'p%40', "q'uote\\", ''])(
    'a password of its own: %p',
    (password) => {
      const { password: taken } = parseConnectionString('postgres://u:other@h/chat', { password });
      expect(taken).toBe(password);
    },
  );

  test('hostaddr is where it is, host what its certificate says', () => {
    const { hosts } = parseConnectionString('postgres://u@db.example.com/chat?hostaddr=10.0.0.1');
    expect(hosts).toEqual([{ name: 'db.example.com', address: '10.0.0.1', port: 5432 }]);
  });
});

describe('what else can be said', () => {
  test('what PostgreSQL is told at the start of a session, and nothing more', () => {
    const said =
      'application_name=shop&connect_timeout=3&options=-c%20work_mem%3D8MB&search_path=x,public&keepalives=1' +
      '&client_encoding=UTF8&gssencmode=disable&tcp_user_timeout=3000&load_balance_hosts=random&sslnegotiation=postgres';
    const target = parseConnectionString(`postgres://u@h/chat?${said}`);
    expect(target).toMatchObject({ applicationName: 'shop', connectTimeoutMs: 3_000, shuffled: true });
    expect(target.startParameters).toEqual({ options: '-c work_mem=8MB', search_path: 'x,public' });
    const { startParameters } = parseConnectionString('postgres://u@h/chat?options=-c search_path=x');
    expect(startParameters).toEqual({ options: '-c search_path=x' });
  });

  const ca = { tls: { ca: '/ca.pem' } };
  test.each<[string, DatabaseSecrets, string, string | undefined]>([
    ['', {}, 'prefer', undefined],
    ['sslmode=disable', {}, 'disable', undefined],
    ['sslmode=allow', {}, 'allow', undefined],
    ['sslmode=require', {}, 'require', undefined],
    ['ssl=true', {}, 'require', undefined],
    ['sslmode=verify-ca', {}, 'verify-ca', undefined],
    ['sslmode=verify-full', {}, 'verify-full', undefined],
    ['sslmode=require&sslrootcert=/ca.pem', {}, 'verify-ca', '/ca.pem'],
    ['sslrootcert=/ca.pem', {}, 'verify-full', '/ca.pem'],
    ['sslrootcert=system', {}, 'verify-full', undefined],
    ['', ca, 'verify-full', '/ca.pem'],
    ['sslmode=require', ca, 'verify-ca', '/ca.pem'],
    // As Neon writes it: what nobody can bind to is verified.
    ['sslmode=require&channel_binding=require', {}, 'verify-full', undefined],
    ['channel_binding=prefer', {}, 'prefer', undefined],
  ])('TLS: "%s"', (said, secrets, mode, authority) => {
    const { tls } = parseConnectionString(`postgres://u@h/chat?${said}`, secrets);
    expect({ mode: tls.mode, ca: tls.ca }).toEqual({ mode: mode as never, ca: authority });
  });

  test('a client certificate, the versions, and no name', () => {
    const said = 'sslcert=/c.pem&sslkey=/k.pem&sslpassword=s&ssl_min_protocol_version=tlsv1.3&sslsni=0';
    expect(parseConnectionString(`postgres://u@h/chat?${said}`).tls).toMatchObject({
      ...{ cert: '/c.pem', key: '/k.pem', keyPassword: 's', minVersion: 'TLSv1.3', sendsName: false },
    });
    const files = { tls: { cert: '/c.pem', key: '/k.pem' } };
    expect(parseConnectionString('postgres://u@h/chat', files).tls).toMatchObject(files.tls);
  });
});

describe('refused at once, with the reason', () => {
  test.each([
    ['mysql://u:p@h/chat', 'must be a URL that begins with postgres:// or postgresql://'],
    ['localhost', 'must be a URL'],
    ['postgres://u:p@ss@h/chat', 'more than one @'],
    ['postgres://u:p@ss/word#1@h:5432/chat', 'more than one @'],
    ['postgres://u:p/w@h/chat', '/ is %2F'],
    ['postgres://u:100%@h/chat', '% is %25'],
    ['postgres://u:%ff@h/chat', 'UTF-8'],
    ['postgres://u:%00@h/chat', '%00'],
    ['postgres://u:p@::1/chat', 'an IPv6 address is in brackets'],
    ['postgres://u:p@[]/chat', 'a host or a port that is none'],
    ['postgres://u:p@h:0/chat', 'between 1 and 65535'],
    ['postgres://u:p@h:65536/chat', 'between 1 and 65535'],
    ['postgres://u:p@h1,h2/chat?port=1,2,3', '2 hosts and 3 ports'],
    ['postgres://u:p@h1,h2/chat?hostaddr=10.0.0.1', '2 hosts and 1 in hostaddr'],
    ['postgres://u:p@h/chat?sslmode=on', 'sslmode=on: it is one of disable, allow'],
    ['postgres://u:p@h/chat?sslmode=disable&sslrootcert=/ca.pem', 'sslmode=disable, and gives certificates'],
    [
      'postgres://u:p@h/chat?sslmode=disable&channel_binding=require',
      'channel_binding=require and sslmode=disable',
    ],
    ['postgres://u:p@h/chat?sslmode=require&sslrootcert=system', 'with it sslmode is verify-full'],
    ['postgres://u:p@h/chat?sslcert=/c.pem', 'without its key'],
    ['postgres://u:p@h/chat?ssl_min_protocol_version=SSLv3', 'it is one of TLSv1'],
    ['postgres://u:p@h/chat?target_session_attrs=standby', 'any or read-write or primary'],
    ['postgres://u:p@h/chat?client_encoding=LATIN1', 'client_encoding=LATIN1'],
    ['postgres://u:p@h/chat?gssencmode=require', 'gssencmode=require'],
    ['postgres://u:p@h/chat?requirepeer=postgres', 'requirepeer, which is not known'],
    ['postgres://u:p@h/chat?connection_limit=5', 'connection_limit, which is not known'],
    ['postgres://u:p@h/chat?service=chat', 'service, which is not known'],
    ['postgres://u:p@h/chat?sslmode', 'a parameter without a value'],
    ['postgres://u:p@h/chat?connect_timeout=soon', 'a number of seconds'],
    ["host=h password='open", 'from its character'],
  ])('%s', (text, reason) => expect(refusal(text)).toContain(reason));

  test('what is said twice', () => {
    const reason = refusal('postgres://u@h/chat?sslrootcert=/a.pem', { tls: { ca: '/b.pem' } });
    expect(reason).toContain('says sslrootcert, and so does DATABASE_TLS_CA');
  });

  test('never with the secret', () => {
    for (const text of [
      'postgres://u:hidden@x@h/chat',
      'postgres://u:hid%den@h/chat',
      'postgres://u:hid/den]@h/chat',
      'postgres://u@h/chat?password=p&hidden',
      "host=h password='hidden",
    ]) {
      expect(refusal(text)).not.toMatch(/hid/);
    }
  });
});
