import { connect, type Socket } from 'node:net';

/**
 * A connection to PostgreSQL that is destroyed when something was written to it and nothing came back for so long. A peer
 * that has vanished without a word (a fail-over, a firewall that forgot) is otherwise noticed by TCP alone, after a
 * quarter of an hour, and until then queries are put onto such a connection behind one another.
 *
 * It is handed out while it still connects: what is written meanwhile waits in it. Below TLS, where the program does not see
 * the writes, it watches no more than the handshake.
 */
export function answeringSocket(
  options: { host: string; port: number } | { path: string },
  mostSilentMs: number,
): Socket {
  const socket = connect(options);
  let silent: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silent);
    silent = undefined;
  };
  const write = socket.write;
  socket.write = (...given: unknown[]) => {
    // Without an error: postgres.js then rejects all that waits with CONNECTION_CLOSED, else only what came before it.
    silent ??= setTimeout(() => socket.destroy(), mostSilentMs);
    return Reflect.apply(write, socket, given);
  };
  socket.on('data', heard);
  socket.on('close', heard);
  socket.once('connect', () => socket.setKeepAlive(true, 60_000));
  return socket;
}
