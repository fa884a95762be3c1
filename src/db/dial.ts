import { type EventEmitter, once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { DatabaseHost } from '../shared/config/connection-string.ts';
import type { TlsOptions } from '../shared/config/tls-options.ts';
import { ConnectionLost, PostgresRefusal } from './errors.ts';

/** `never`, `ifOffered`: in plain text where the server has no TLS; `always`. */
export type Encryption = 'never' | 'ifOffered' | 'always';

const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const offered = 'S'.charCodeAt(0);
const notOffered = 'N'.charCodeAt(0);
const failed = 'E'.charCodeAt(0);

/**
 * A socket to PostgreSQL, secured, on which nothing has been said yet. TLS is made here and not by the driver, which sends no
 * server name over a socket that it was given, and knows fewer of libpq's modes.
 * @param signal gives up, with its reason
 * @throws PostgresRefusal where the certificate is not good enough, or there is no TLS and there has to be
 */
export async function dial(
  host: DatabaseHost,
  { tls, encryption, signal }: { tls: TlsOptions; encryption: Encryption; signal: AbortSignal },
): Promise<Socket> {
  const local = host.name.startsWith('/');
  const socket = local
    ? connect({ path: `${host.name}/.s.PGSQL.${host.port}` })
    : connect({ host: host.address ?? host.name, port: host.port });
  try {
    await heard(socket, 'connect', signal);
    if (local) return socket;
    socket.setKeepAlive(true, 60_000);
    return encryption === 'never' ? socket : await secured(socket, host, { tls, encryption, signal });
  } catch (error) {
    // Whatever else it has to say.
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  }
}

async function secured(
  socket: Socket,
  { name }: DatabaseHost,
  { tls, encryption, signal }: { tls: TlsOptions; encryption: Encryption; signal: AbortSignal },
): Promise<Socket> {
  const options = await certificates(tls);
  const answered = heard(socket, 'data', signal);
  socket.write(sslRequest);
  const [answer] = (await answered) as [Buffer];
  // One byte: what comes behind it in plain text was put there by somebody else (CVE-2021-23222).
  if (answer.length === 1 && answer[0] === notOffered && encryption === 'ifOffered') return socket;
  if (answer.length === 1 && answer[0] === notOffered) {
    throw new PostgresRefusal(`the server has no TLS, and sslmode=${tls.mode} wants it`);
  }
  // Its words are not passed on: whoever stands in between may have written them (CVE-2024-10977).
  if (answer[0] === failed) throw new ConnectionLost('the server has no room for another connection');
  if (answer.length !== 1 || answer[0] !== offered) {
    throw new PostgresRefusal('the answer to the request for TLS is not that of a PostgreSQL');
  }
  const verifies = tls.mode === 'verify-ca' || tls.mode === 'verify-full' || tls.ca !== undefined;
  const secure = tlsConnect({
    ...options,
    socket,
    host: name,
    ...(isIP(name) || !tls.sendsName ? {} : { servername: name }),
    rejectUnauthorized: verifies,
    checkServerIdentity: (_, certificate) =>
      tls.mode === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
  });
  try {
    await heard(secure, 'secureConnect', signal);
    return secure;
  } catch (error) {
    secure.on('error', () => {});
    secure.destroy();
    if (!isVerdict(error)) throw error;
    throw new PostgresRefusal(
      `no TLS with sslmode=${tls.mode}: ${error.message}` +
        (verifies ? ' (DATABASE_TLS_CA or sslrootcert names the authority of its certificate)' : ''),
    );
  }
}

/** Not of a connection that broke: a certificate that is not good enough, an alert, no version in common. */
function isVerdict(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof ConnectionLost) return false;
  const code = 'code' in error ? String(error.code) : '';
  return code === 'EPROTO' || !/^E(?!RR_)[A-Z]+$/.test(code);
}

/** Read for each connection: certificates are renewed while a process runs. */
async function certificates({
  ca,
  cert,
  key,
  keyPassword,
  minVersion,
  maxVersion,
}: TlsOptions): Promise<ConnectionOptions> {
  const [readCa, readCert, readKey] = await Promise.all([ca, cert, key].map(pem));
  return {
    ...(readCa === undefined ? {} : { ca: readCa }),
    ...(readCert === undefined ? {} : { cert: readCert }),
    ...(readKey === undefined ? {} : { key: readKey }),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
  };
}

async function pem(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || given.includes('-----BEGIN ')) return given;
  try {
    return await Bun.file(given).text();
  } catch (error) {
    throw new PostgresRefusal(`${given} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** The event's arguments. An end without an error is one too: Bun and TLS both have it. */
async function heard(
  emitter: EventEmitter & (Socket | TLSSocket),
  event: string,
  signal: AbortSignal,
): Promise<unknown[]> {
  const over = new AbortController();
  const closed = once(emitter, 'close', { signal: over.signal }).then(() => {
    throw new ConnectionLost('the server closed the connection');
  });
  try {
    return await Promise.race([once(emitter, event, { signal }), closed]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    over.abort();
  }
}
