import { connect as connectTcp } from 'node:net';
import type { RedisConfig } from '../../shared/config.ts';
import { speaksTls } from '../../shared/tls.ts';

/** What no waiting mends: how it is said, by Redis or by what is there instead, and what mends it. */
const refusals: readonly (readonly [pattern: RegExp, mend: string])[] = [
  [/^(WRONGPASS|NOAUTH) |^ERR invalid password/, 'set REDIS_PASSWORD'],
  [/^NOPERM /, 'give its user the right to all commands on keys and channels of CHAT_NOTIFICATION_CHANNEL'],
  [/^DENIED /, 'give it a password, and set REDIS_PASSWORD'],
  [/^NOPROTO |^ERR unknown command .?hello/i, 'Redis 6 or later is needed'],
  [
    /^ERR unknown command /,
    'a Sentinel is no Redis: REDIS_HOST and REDIS_PORT must be those of the server itself',
  ],
  [/^(CLUSTERDOWN|CROSSSLOT|MOVED|ASK) /, 'nodes of a cluster cannot be used: a single server is needed'],
  [/DB index|^ERR SELECT /, 'set REDIS_DB'],
  [/^TLS |^Unknown RESP type 21 /, 'REDIS_HOST and REDIS_PORT must be those of a port without TLS'],
  // So ioredis ends what it says of bytes that are not Redis's protocol.
  [/ Please report this\.$/, 'no Redis listens there: set REDIS_HOST and REDIS_PORT'],
];

/** @returns the reason with what mends it; undefined for what may pass by itself */
export function refusalOf(reason: string): string | undefined {
  const mend = refusals.find(([pattern]) => pattern.test(reason))?.[1];
  return mend === undefined ? undefined : `${reason.replace(/\.? Please report this\.$/, '')} (${mend})`;
}

const lookMs = 1_000;

/**
 * Of a server that ended a connection before it answered: the reason, if it gives one. Redis says why it takes no more
 * connections, or none from elsewhere, before anything is asked, and what it said is lost when it ends a connection on which
 * something was; a port with TLS waits for a greeting of another kind.
 */
export async function askWhyCut({ host, port }: RedisConfig): Promise<string | undefined> {
  return (await firstLine(host, port)) ?? ((await speaksTls(host, port)) ? 'TLS is spoken there' : undefined);
}

function firstLine(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    socket.setTimeout(lookMs);
    socket.once('data', (piece) => end(/^-([^\r\n]+)/.exec(piece.toString())?.[1]));
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(undefined));
    function end(line: string | undefined): void {
      socket.destroy();
      resolve(line);
    }
  });
}
