import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import type { Caller, PublishOptions } from './callers.ts';
import { closeChannel, openChannel } from './channel.ts';

/** A channel with confirms. */
export interface Line {
  readonly channel: ConfirmChannel;
  /** By all queues that are well; the others have one each. */
  readonly shared: boolean;
  closed: boolean;
}

/** A queue that is published to. */
export interface Target {
  exchange: string;
  routingKey: string;
  /** The queue that is bound to it. */
  queue: string;
  /** As people are told of it: `partition 3`. */
  label: string;
}

/** What one connection has for one queue: its messages, in the order of the calls. */
export interface Lane {
  readonly on: Attached;
  readonly label: string;
  publish(content: Buffer, options: PublishOptions): Promise<void>;
  /** When the oldest caller's time is over; undefined where nobody waits. */
  expiresAt(): number | undefined;
  /** @param why has not confirmed, for one */
  fallSilent(why: string): void;
  rejectAll(reason: string): void;
  uses(line: Line): boolean;
  abandon(line: Line): void;
  onReturned(message: Message): void;
  onClosed(line: Line, error: unknown): void;
  /** What is wrong, or was after `since`, by `performance.now()`. */
  problem(since: number): string | undefined;
}

/** What belongs to one connection and ends with it. */
export interface Attached {
  readonly connection: ChannelModel;
  readonly lanes: Set<Lane>;
  shared: Line | undefined;
  ended: boolean;
  /** The broker's reason for taking nothing. */
  blocked: string | undefined;
  lost: string | undefined;
  /** Why the broker takes nothing of what is published; until it has confirmed a message. */
  refusal: string | undefined;
  /** Of whichever queue. */
  lastConfirmed: Caller | undefined;
  share(): Promise<Line>;
  openLine(deadlineMs?: number): Promise<Line>;
  /** All leave it: what is never confirmed on it would be kept in mind for ever. */
  abandon(line: Line): void;
  /** Closes it when the last lane has left it. */
  release(line: Line): void;
}

export function attachedTo(connection: ChannelModel): Attached {
  const lanes = new Set<Lane>();
  let sharing: Promise<Line> | undefined;

  async function open(shared: boolean, deadlineMs?: number): Promise<Line> {
    const channel = await openChannel(() => connection.createConfirmChannel(), deadlineMs);
    const line: Line = { channel, shared, closed: false };
    let error: unknown;
    channel.on('error', (reason) => (error = reason));
    channel.on('return', (message) => {
      for (const lane of lanes) lane.onReturned(message);
    });
    // Before amqplib's own listener, which gives each confirm that is missing an error that does not say why.
    channel.prependListener('close', () => {
      line.closed = true;
      if (attached.shared === line) attached.shared = undefined;
      for (const lane of lanes) lane.onClosed(line, error);
    });
    return line;
  }

  function release(line: Line): void {
    for (const lane of lanes) if (lane.uses(line)) return;
    void closeChannel(line.channel);
  }

  const attached: Attached = {
    connection,
    lanes,
    shared: undefined,
    ended: false,
    blocked: undefined,
    lost: undefined,
    refusal: undefined,
    lastConfirmed: undefined,

    share() {
      if (attached.shared) return Promise.resolve(attached.shared);
      sharing ??= open(true)
        .then((line) => {
          attached.shared = line;
          return line;
        })
        .finally(() => {
          sharing = undefined;
        });
      return sharing;
    },

    openLine: (deadlineMs) => open(false, deadlineMs),

    abandon(line) {
      if (attached.shared === line) attached.shared = undefined;
      for (const lane of lanes) lane.abandon(line);
      release(line);
    },

    release,
  };
  return attached;
}
