import { fullJitterMs } from '../shared/backoff.ts';
import { ConnectionLost, takesNoMore } from './errors.ts';
import type { Pooled } from './slot.ts';

export interface OpenerOptions<Item extends Pooled> {
  /** Gives up when the signal is aborted. */
  open: (signal: AbortSignal) => Promise<Item>;
  /** Nothing is opened after it, and what still comes is destroyed. */
  closing: AbortSignal;
  /** Whether one more is wanted beside those that are being opened. */
  isWanted: (opening: number) => boolean;
  /** How many there are. */
  count: () => number;
  onOpen: (item: Item) => void;
  /** Each time that none could be opened and there is no other. */
  onNone: (reason: unknown) => void;
  /** The first such time, and the end of it. */
  onAway: (reason: unknown) => void;
  onBack: () => void;
}

export interface Opener {
  openMore(): void;
  /** How many are being opened. */
  opening(): number;
}

const longestPauseMs = 500;

/** Opens connections as they are wanted; after a failure there is a pause, the longer the more follow each other. */
export function createOpener<Item extends Pooled>(options: OpenerOptions<Item>): Opener {
  const { open, closing, isWanted, count, onOpen, onNone, onAway, onBack } = options;
  let opening = 0;
  let failures = 0;
  let away = false;
  let pause: ReturnType<typeof setTimeout> | undefined;

  function openMore(): void {
    while (isWanted(opening) && !pause && !closing.aborted) {
      opening += 1;
      open(closing).then(opened, failed);
    }
  }

  function opened(item: Item): void {
    if (item.closed) {
      failed(new ConnectionLost('the server closed the connection'));
      return;
    }
    opening -= 1;
    if (closing.aborted) {
      item.destroy();
      return;
    }
    failures = 0;
    if (away) onBack();
    away = false;
    onOpen(item);
    openMore();
  }

  function failed(error: unknown): void {
    opening -= 1;
    if (closing.aborted) return;
    // Where the server only takes no more, whoever waits gets another that is in use or about to be opened.
    const others = count() + (takesNoMore(error) ? opening : 0);
    if (others === 0) {
      if (!away) onAway(error);
      away = true;
      onNone(error);
    }
    pause ??= setTimeout(
      () => {
        pause = undefined;
        openMore();
      },
      fullJitterMs(failures++, 50, longestPauseMs),
    );
  }

  closing.addEventListener('abort', () => clearTimeout(pause));
  return { openMore, opening: () => opening };
}
