/**
 * So long small batches that are done wait for one acknowledgement of all. To a quorum queue each is a command of its own,
 * written and synced: at a message or two a batch that was a tenth of RabbitMQ's processor time in `bun run bench end-to-end`.
 */
const longestWaitMs = 20;

export interface Acknowledgements<Message> {
  /** Everything up to `last`, `count` messages more than before, may be forgotten: now, or together with what follows. */
  done(last: Message, count: number, at: 'once' | 'leisure'): void;
  /** Acknowledges what waits. */
  flush(): void;
  /** Forgets what waits: it comes again. */
  drop(): void;
}

/**
 * Gathers the acknowledgements of one channel. Who dies meanwhile has these batches repeated, as any other that is done and
 * not acknowledged.
 * @param acknowledge everything up to this message; may throw, as a channel does that is closing
 * @param most so many messages do not wait
 * @param onRefused when `acknowledge` threw
 */
export function createAcknowledgements<Message>(options: {
  acknowledge: (last: Message) => void;
  most: number;
  onRefused: (error: unknown) => void;
  waitMs?: number;
}): Acknowledgements<Message> {
  const { acknowledge, most, onRefused, waitMs = longestWaitMs } = options;
  let waiting: { last: Message; count: number } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function take(): Message | undefined {
    clearTimeout(timer);
    timer = undefined;
    const last = waiting?.last;
    waiting = undefined;
    return last;
  }

  function flush(): void {
    const last = take();
    if (last === undefined) return;
    try {
      acknowledge(last);
    } catch (error) {
      onRefused(error);
    }
  }

  return {
    done(last, count, at) {
      waiting = { last, count: (waiting?.count ?? 0) + count };
      if (at === 'once' || waiting.count >= most) flush();
      else timer ??= setTimeout(flush, waitMs);
    },
    flush,
    drop: take,
  };
}
