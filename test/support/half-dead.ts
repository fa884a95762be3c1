import { describe, expect, test } from 'bun:test';
import type { Flow } from '../../torture/tcp-pipe.ts';
import { createLink, createTcpProxy, type Link } from '../../torture/tcp-proxy.ts';
import { eventually } from './eventually.ts';

/** A client of a server, as the product opens it. */
export interface HalfDeadClient {
  name: string;
  /** Opens it through this port of 127.0.0.1. It may be that nobody answers there yet. */
  open(port: number): OpenedClient | Promise<OpenedClient>;
}

export interface OpenedClient {
  /** One real operation, to its end. Rejects, or does not end, while the server can't be used. */
  use(): Promise<unknown>;
  /** Writes 16 MiB or so, more than all buffers on the way hold. What becomes of it is nobody's business. */
  fill(): void;
  close(): unknown;
}

/** How soon each client works again. */
export interface HalfDeadLimits {
  afterItsEndMs?: number;
  /** Of a fault that has no end. */
  afterItsBeginningMs?: number;
}

/** What lies between a client and the server. */
interface Wire {
  readonly port: number;
  /** Connections that are as good as any. */
  connections(): number;
  flow(change: Parameters<Link['flow']>[0]): void;
  cut(): void;
  refuse(on: boolean): void;
  /** What is connected stays as it is, with what is done to it, for ever; new connections are as good as any. */
  leaveBehind(): void;
  close(): Promise<void>;
}

interface Fault {
  name: string;
  begin(wire: Wire, fill: () => void): void;
  /** How long it lasts; undefined when it has no end. */
  forMs: number | undefined;
  end?(wire: Wire): void;
  /** The client is opened while it lasts. */
  fromTheStart?: true;
  /** The client may work all the same. */
  mild?: true;
}

const hold: Flow = { kind: 'hold' };
const pass: Flow = { kind: 'pass' };
export const freeze = (wire: Wire) => wire.flow({ toServer: hold, toClient: hold });
const thaw = (wire: Wire) => wire.flow({ toServer: pass, toClient: pass });

/** The longest come first: all run at the same time. */
const faults: readonly Fault[] = [
  {
    name: 'frozen for good with full send buffers, new connections work',
    begin(wire, fill) {
      freeze(wire);
      fill();
      wire.leaveBehind();
    },
    forMs: undefined,
  },
  {
    name: 'frozen for good, new connections work',
    begin(wire) {
      freeze(wire);
      wire.leaveBehind();
    },
    forMs: undefined,
  },
  {
    name: 'hears and never answers any more, new connections work',
    begin(wire) {
      wire.flow({ toClient: hold });
      wire.leaveBehind();
    },
    forMs: undefined,
  },
  {
    name: 'frozen for good when it was connected to, later connections work',
    fromTheStart: true,
    begin(wire) {
      freeze(wire);
      setTimeout(wire.leaveBehind, 500);
    },
    forMs: undefined,
  },
  // Longer than any client waits before it gives a connection up.
  { name: 'frozen for long', begin: freeze, forMs: 8_000, end: thaw },
  {
    name: 'frozen for some seconds with full send buffers',
    begin(wire, fill) {
      freeze(wire);
      fill();
    },
    forMs: 4_600,
    end: thaw,
  },
  // Shorter than any client waits.
  { name: 'frozen for a moment', begin: freeze, forMs: 1_500, end: thaw },
  {
    name: 'gone',
    begin(wire) {
      wire.refuse(true);
      wire.cut();
    },
    forMs: 3_000,
    end: (wire) => wire.refuse(false),
  },
  {
    name: 'not there yet',
    fromTheStart: true,
    begin: (wire) => wire.refuse(true),
    forMs: 3_000,
    end: (wire) => wire.refuse(false),
  },
  { name: 'cut once', begin: (wire) => wire.cut(), forMs: 0, mild: true },
  {
    name: 'slow',
    begin: (wire) =>
      wire.flow({ toServer: { kind: 'delay', ms: 400 }, toClient: { kind: 'delay', ms: 400 } }),
    forMs: 3_000,
    end: thaw,
    mild: true,
  },
];

/**
 * What becomes of the clients of a server that is neither well nor gone. The server itself is not touched, only what lies between:
 * so all cases share it, and run at the same time.
 */
export function halfDeadSuite(
  server: string,
  port: number,
  clients: readonly HalfDeadClient[],
  { afterItsEndMs = 2_000, afterItsBeginningMs = 10_000 }: HalfDeadLimits = {},
): void {
  for (const fault of faults) {
    const withinMs = fault.forMs === undefined ? afterItsBeginningMs : afterItsEndMs;
    describe(`${server} ${fault.name}`, () => {
      test.concurrent.each(clients.map((client) => [client.name, client] as const))(
        `%s works again within ${withinMs / 1000} s`,
        async (_, client) => {
          const tookMs = await timeToWorkAgain(fault, client, port, withinMs);
          expect(tookMs).toBeLessThan(withinMs);
        },
        40_000,
      );
    });
  }
}

/** While a fault lasts its client is used all the time, as it would be. */
const useEveryMs = 200;

async function timeToWorkAgain(
  fault: Fault,
  client: HalfDeadClient,
  port: number,
  withinMs: number,
): Promise<number> {
  const wire = createWire(port);
  const before = fault.fromTheStart ? undefined : await client.open(wire.port);
  // What is under way at the beginning of the fault is done with.
  if (before) await eventually('it works', () => succeeds(before));
  const began = performance.now();
  fault.begin(wire, () => before?.fill());
  const opened = before ?? (await client.open(wire.port));

  let workedAt: number | undefined;
  const using = setInterval(() => {
    opened.use().then(
      () => {
        workedAt ??= performance.now();
      },
      () => {},
    );
  }, useEveryMs);
  try {
    let from = began;
    if (fault.forMs !== undefined) {
      await Bun.sleep(fault.forMs);
      if (workedAt !== undefined && !fault.mild) throw new Error('the fault did nothing');
      workedAt = undefined;
      from = performance.now();
      fault.end?.(wire);
    }
    await eventually('it works again', () => workedAt !== undefined, withinMs + 5_000);
    return (workedAt ?? Number.POSITIVE_INFINITY) - from;
  } finally {
    clearInterval(using);
    await opened.close();
    await wire.close();
  }
}

const succeeds = (client: OpenedClient): Promise<boolean> =>
  client.use().then(
    () => true,
    () => false,
  );

/** @param port of the server, on 127.0.0.1 */
export function createWire(port: number): Wire {
  let link = createLink(port);
  const proxy = createTcpProxy(() => [link]);
  return {
    port: proxy.port,
    connections: () => link.connections,
    flow: (change) => link.flow(change),
    cut: () => link.cut(),
    refuse: (on) => link.refuse(on),
    leaveBehind() {
      link = createLink(port);
    },
    close: () => proxy.close(),
  };
}
