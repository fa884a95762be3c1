import type { Socket } from 'bun';

/**
 * `hold`: nothing gets through, nothing is lost, nobody notices (a black hole). `drop`: bytes vanish, so the connections
 * are good for nothing after it and have to be cut. `delay`: each byte this much later.
 */
export type Flow = { kind: 'pass' } | { kind: 'hold' } | { kind: 'drop' } | { kind: 'delay'; ms: number };

/** Above this a direction stops reading until it has fallen to a quarter. */
const mostBufferedBytes = 256 * 1024;

type End = Pick<Socket, 'pause' | 'resume' | 'write' | 'shutdown'>;

export interface Pipe {
  push(bytes: Uint8Array): void;
  /** The source has sent all it will. */
  finish(): void;
  /** Whether everything, the end included, has been passed on. */
  finished(): boolean;
  flush(): void;
  flowChanged(): void;
  stop(): void;
}

/** One direction of a connection. */
export function createPipe(ends: {
  source: () => End | undefined;
  target: () => End | undefined;
  flow: () => Flow;
  onFinished: () => void;
}): Pipe {
  const queue: { bytes: Uint8Array; due: number }[] = [];
  let buffered = 0;
  let paused = false;
  let ending = false;
  let ended = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Reads on while there is room; a held direction does not read at all, so that the sender's own buffers fill. */
  function steer(): void {
    const limit = paused ? mostBufferedBytes / 4 : mostBufferedBytes;
    const stop = ends.flow().kind === 'hold' || buffered > limit;
    if (stop === paused) return;
    paused = stop;
    if (stop) ends.source()?.pause();
    else ends.source()?.resume();
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const target = ends.target();
    if (!target || ends.flow().kind === 'hold') {
      steer();
      return;
    }
    const now = performance.now();
    while (queue.length > 0) {
      const head = queue[0];
      if (!head) break;
      if (head.due > now) {
        timer = setTimeout(flush, head.due - now);
        break;
      }
      const written = Math.max(0, target.write(head.bytes));
      buffered -= written;
      if (written < head.bytes.length) {
        head.bytes = head.bytes.subarray(written);
        break;
      }
      queue.shift();
    }
    if (ending && !ended && queue.length === 0) {
      ended = true;
      target.shutdown();
      ends.onFinished();
    }
    steer();
  }

  return {
    push(bytes) {
      const flow = ends.flow();
      if (flow.kind === 'drop') return;
      const last = queue.at(-1);
      const due = flow.kind === 'delay' ? performance.now() + flow.ms : 0;
      // The chunk is Bun's own memory, good for this call alone.
      queue.push({ bytes: bytes.slice(), due: Math.max(due, last?.due ?? 0) });
      buffered += bytes.length;
      if (queue.length === 1 || timer === undefined) flush();
      else steer();
    },
    finish() {
      ending = true;
      flush();
    },
    finished: () => ended,
    flush,
    flowChanged() {
      if (ends.flow().kind === 'pass') for (const each of queue) each.due = 0;
      flush();
    },
    stop() {
      clearTimeout(timer);
      queue.length = 0;
    },
  };
}
