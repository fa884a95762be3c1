import type { Socket } from 'bun';
import { createPipe, type Flow, type Pipe } from './tcp-pipe.ts';

export type Direction = 'toServer' | 'toClient';

/** What a fault does to connections. */
export interface Lines {
  flow(change: Partial<Record<Direction, Flow>>): void;
  /** Ends every connection with a reset, on both sides. */
  cut(): void;
  /** Of the connections there are, nothing gets through ever again, and neither side is told; new ones are not touched. */
  strand(): void;
  /** New connections are reset at once, until it is taken back. */
  refuse(on: boolean): void;
}

/** All connections to one server. */
export interface Link extends Lines {
  readonly port: number;
  readonly connections: number;
}

export interface TcpProxy {
  readonly port: number;
  close(): Promise<void>;
}

const pass: Flow = { kind: 'pass' };

interface LinkState extends Link {
  readonly flows: Record<Direction, Flow>;
  readonly refusing: boolean;
  readonly pairs: Set<Pair>;
}

/** @param port of the server, on 127.0.0.1 */
export function createLink(port: number): Link {
  const flows: Record<Direction, Flow> = { toServer: pass, toClient: pass };
  const pairs = new Set<Pair>();
  let refusing = false;
  const link: LinkState = {
    port,
    flows,
    pairs,
    get refusing() {
      return refusing;
    },
    get connections() {
      return pairs.size;
    },
    flow(change) {
      Object.assign(flows, change);
      for (const pair of [...pairs]) pair.flowChanged();
    },
    cut() {
      for (const pair of [...pairs]) pair.reset();
    },
    strand() {
      for (const pair of [...pairs]) pair.strand();
      pairs.clear();
    },
    refuse(on) {
      refusing = on;
    },
  };
  return link;
}

/** To several servers as to one. */
export function joined(links: readonly Link[]): Lines {
  const each = (work: (link: Link) => void) => links.forEach(work);
  return {
    flow: (change) => each((link) => link.flow(change)),
    cut: () => each((link) => link.cut()),
    strand: () => each((link) => link.strand()),
    refuse: (on) => each((link) => link.refuse(on)),
  };
}

/**
 * Passes bytes on, with what is being done to the link.
 * @param choose the links to try, in this order, for a new connection; the first that accepts gets it
 */
export function createTcpProxy(choose: () => readonly Link[], port = 0): TcpProxy {
  const open = new Set<Pair>();
  const listener = Bun.listen<Pair>({
    hostname: '127.0.0.1',
    port,
    allowHalfOpen: true,
    socket: {
      open(client) {
        const pair = createPair(client, choose() as readonly LinkState[], () => open.delete(pair));
        client.data = pair;
        open.add(pair);
      },
      data: (client, bytes) => client.data.toServer.push(bytes),
      drain: (client) => client.data.toClient.flush(),
      end: (client) => client.data.finished('client'),
      close: (client, error) => client.data.closed('client', error),
      error: (client, error) => client.data.closed('client', error),
    },
  });
  return {
    port: listener.port,
    async close() {
      listener.stop(true);
      for (const pair of [...open]) pair.reset();
    },
  };
}

interface Pair {
  readonly toServer: Pipe;
  readonly toClient: Pipe;
  flowChanged(): void;
  /** No byte passes any more. When the client has gone the server is told: by its own keep-alive it would notice, later. */
  strand(): void;
  reset(): void;
  /** A side has sent all it will. */
  finished(side: 'client' | 'server'): void;
  closed(side: 'client' | 'server', error: Error | undefined): void;
}

function createPair(client: Socket<Pair>, links: readonly LinkState[], onEnd: () => void): Pair {
  let link: LinkState | undefined;
  let server: Socket<Pair> | undefined;
  let ended = false;
  /** A side that vanished while the link held: the other side hears of it when the link passes again. */
  let vanished = false;
  let stranded = false;

  /** The side that is gone in good order. */
  let closed: 'client' | 'server' | undefined;

  const forget = (): void => {
    ended = true;
    link?.pairs.delete(pair);
    pair.toServer.stop();
    pair.toClient.stop();
    onEnd();
  };
  const onFinished = (): void => {
    const orderly = pair.toServer.finished() && pair.toClient.finished();
    const out = closed === 'client' ? pair.toServer : pair.toClient;
    if (ended || !(orderly || (closed && out.finished()))) return;
    forget();
    client.end();
    server?.end();
  };
  const flowOf = (direction: Direction): Flow =>
    stranded ? { kind: 'drop' } : (link?.flows[direction] ?? pass);
  const pair: Pair = {
    toServer: createPipe({
      source: () => client,
      target: () => server,
      flow: () => flowOf('toServer'),
      onFinished,
    }),
    toClient: createPipe({
      source: () => server,
      target: () => client,
      flow: () => flowOf('toClient'),
      onFinished,
    }),
    flowChanged() {
      if (vanished && !holds()) return pair.reset();
      pair.toServer.flowChanged();
      pair.toClient.flowChanged();
    },
    strand() {
      stranded = true;
      pair.flowChanged();
    },
    finished(side) {
      if (!stranded) (side === 'client' ? pair.toServer : pair.toClient).finish();
      else if (side === 'client') pair.reset();
    },
    reset() {
      if (ended) return;
      forget();
      client.terminate();
      server?.terminate();
    },
    closed(side, error) {
      if (ended) return;
      if (stranded) {
        if (side === 'client') pair.reset();
      } else if (holds()) {
        vanished = true;
      } else if (error) {
        pair.reset();
      } else {
        // What had been sent before an orderly end still arrives.
        closed = side;
        (side === 'client' ? pair.toServer : pair.toClient).finish();
      }
    },
  };
  const holds = () => flowOf('toServer').kind === 'hold' || flowOf('toClient').kind === 'hold';

  const connect = async (): Promise<void> => {
    for (const candidate of links) {
      if (candidate.refusing) continue;
      try {
        const connected = await Bun.connect<Pair>({
          hostname: '127.0.0.1',
          port: candidate.port,
          allowHalfOpen: true,
          data: pair,
          socket: {
            data: (_, bytes) => pair.toClient.push(bytes),
            drain: () => pair.toServer.flush(),
            end: () => pair.finished('server'),
            close: (_, error) => pair.closed('server', error),
            error: (_, error) => pair.closed('server', error),
          },
        });
        if (ended) return void connected.terminate();
        server = connected;
        link = candidate;
        candidate.pairs.add(pair);
        if (candidate.refusing) return pair.reset();
        return pair.flowChanged();
      } catch {
        // Refused: the next one.
      }
    }
    pair.reset();
  };
  // Not within `open`: a reset there would meet a socket that has no pair yet.
  queueMicrotask(() => connect().catch(() => pair.reset()));
  return pair;
}
