import { connect as connectTcp } from 'node:net';
import type { RedisAddress } from '../../shared/config/redis-address.ts';
import type { ServerNode } from '../../shared/config/server-address.ts';
import { reasonOf } from '../../shared/loggable.ts';
import { isTlsRefusal, speaksTls } from '../../shared/tls.ts';

const useSentinels = 'a Sentinel is no Redis: name it in REDIS_SENTINELS';
const useCluster = 'a node of a cluster: set REDIS_CLUSTER=true';
const sentinelCalled = 'sentinel \\S+ because';

/** What no waiting mends: how it is said, by Redis or by what is there instead, and what mends it. */
const refusals: readonly (readonly [pattern: RegExp, mend: string])[] = [
  [/^(WRONGPASS|NOAUTH) |^ERR invalid password/, 'set REDIS_PASSWORD, and REDIS_USERNAME if it has one'],
  [/^NOPERM /, 'give its user the right to all commands on keys and channels of CHAT_NOTIFICATION_CHANNEL'],
  [/^DENIED /, 'give it a password, and set REDIS_PASSWORD'],
  [/^NOPROTO |^ERR unknown command .?hello/i, 'Redis 6 or later is needed'],
  [/^ERR unknown command /, useSentinels],
  [/^(CROSSSLOT|MOVED|ASK) /, useCluster],
  [/cluster support disabled/, 'a single server: unset REDIS_CLUSTER'],
  [new RegExp(`${sentinelCalled} (WRONGPASS|NOAUTH) `), 'set REDIS_SENTINEL_PASSWORD'],
  [new RegExp(`${sentinelCalled} ERR unknown command`), 'no Sentinel listens there: set REDIS_SENTINELS'],
  [new RegExp(`${sentinelCalled} ERR No such master`), 'set REDIS_SENTINEL_NAME'],
  [/DB index|^ERR SELECT /, 'set REDIS_DB'],
  [/^TLS is spoken |^Protocol error, got .\\u0015/, 'rediss:// in REDIS_URL, or REDIS_TLS=true'],
  [/^TLS is not spoken /, 'redis:// in REDIS_URL, or REDIS_TLS=false and no certificates'],
  [/WRONG_VERSION_NUMBER/i, 'what answers there does not speak TLS'],
  // So ioredis ends what it says of bytes that are not Redis's protocol.
  [/ Please report this\.$/, 'no Redis listens there: set REDIS_HOST and REDIS_PORT'],
];

/** @returns the reason with what mends it; undefined for what may pass by itself */
export function refusalOf(error: unknown, { kind }: RedisAddress): string | undefined {
  const reason = reasonOf(error);
  const mend =
    refusals.find(([pattern]) => pattern.test(reason))?.[1] ??
    // A cluster that is no node's fault may mend itself.
    (kind === 'server' && reason.startsWith('CLUSTERDOWN ') ? useCluster : undefined) ??
    (isTlsRefusal(error) ? 'REDIS_TLS_CA takes a CA of your own' : undefined);
  return mend === undefined ? undefined : `${reason.replace(/\.? Please report this\.$/, '')} (${mend})`;
}

const lookMs = 1_000;

/**
 * Of a server that ended a connection before it answered, or never did: the reason, if it gives one. Redis says why it takes
 * no more connections, or none from elsewhere, before anything is asked, and what it said is lost when it ends a connection on which
 * something was; a port with TLS waits for a greeting of another kind, and one without for the end of a line.
 */
export async function askWhyCut(node: ServerNode, encrypted: boolean): Promise<string | undefined> {
  if (encrypted) return (await firstLine(node, 'PING\r\n')) && 'TLS is not spoken there';
  const line = await firstLine(node, '');
  return (
    /^-(.+)/.exec(line ?? '')?.[1] ??
    ((await speaksTls(node.host, node.port)) ? 'TLS is spoken there' : undefined)
  );
}

/** Of what Redis answers, or says by itself. */
function firstLine({ host, port }: ServerNode, question: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port }, () => socket.write(question));
    socket.setTimeout(lookMs);
    socket.once('data', (piece) => end(/^[-+][^\r\n]+/.exec(piece.toString())?.[0]));
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(undefined));
    function end(line: string | undefined): void {
      socket.destroy();
      resolve(line);
    }
  });
}
