import { now } from './clock.ts';
import type { Post } from './history.ts';

/** What counts as full flow: nearly all that is sent is accepted within a second and shown to somebody within another. */
export const acceptedWithinMs = 1_000;
export const shownWithinMs = 2_000;
export const fullShare = 0.95;
/** Of all clients; some are always away by their own will. */
export const connectedShare = 0.9;

/** Watches the flow while the run goes on, so that the next faults wait for it. */
export interface FlowWatch {
  /** The first attempt at a message begins; what is returned is told of its end. */
  begin(): (post: Post) => void;
  shown(messageId: string): void;
  /** Whether the second that ended when everything in it had its time to be shown was one of full flow. */
  full(): boolean;
}

export function createFlowWatch(): FlowWatch {
  const shownAt = new Map<string, number>();
  let recent: { begunAt: number; post?: Post }[] = [];
  return {
    begin() {
      const entry: (typeof recent)[number] = { begunAt: now() };
      recent.push(entry);
      return (post) => {
        entry.post = post;
      };
    },
    shown(messageId) {
      if (!shownAt.has(messageId)) shownAt.set(messageId, now());
    },
    full() {
      const to = now() - shownWithinMs;
      const from = to - 1_000;
      recent = recent.filter(({ begunAt }) => begunAt >= from - 10_000);
      const within = recent.filter(
        ({ begunAt, post }) => begunAt >= from && begunAt < to && !isRefused(post?.status),
      );
      if (within.length === 0) return false;
      const flowed = within.filter(
        ({ post }) => post && flows(post, shownAt.get(post.brokerMessageId ?? '')),
      );
      return flowed.length >= within.length * fullShare;
    },
  };
}

/** Who takes no part, or may not post just now, has tried. */
export const isRefused = (status: number | undefined): boolean => status === 403 || status === 404;

export const flows = (post: Post, shownAt: number | undefined): boolean =>
  post.status === 202 &&
  post.endedAt - post.begunAt <= acceptedWithinMs &&
  shownAt !== undefined &&
  shownAt - post.begunAt <= shownWithinMs;
