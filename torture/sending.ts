import { now } from './clock.ts';
import type { FlowWatch } from './flow.ts';
import type { Post } from './history.ts';
import type { Population, TortureChat } from './population.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Credential, Rest } from './rest.ts';

export interface Sending {
  /** Offers new messages at the rate until `stop`. */
  start(): void;
  /** Offers nothing new; what is under way goes on. */
  stop(): void;
  /** Long messages to one chat, to fill a slow client's way. */
  burst(chat: TortureChat, count: number): void;
  /** Resolves when nothing is under way any more, at the latest after the time given. */
  settled(deadlineMs: number): Promise<void>;
  readonly figures: { offered: number; heldBack: number };
}

const tickMs = 20;
const usualMostUnderWay = 4_000;
const giveUpMs = 45_000;
const usualMostPauseMs = 10_000;
const repeatShare = 0.01;
const conflictShare = 0.002;
const forgedShare = 0.003;
const strangerShare = 0.002;

export function createSending(options: {
  random: Random;
  population: Population;
  rest: Rest;
  recorder: Recorder;
  flow: FlowWatch;
  messagesASecond: number;
  /** The longest pause before an attempt under the same key. */
  mostPauseMs?: number;
  /** With more than this under way a client's own queue would hold the rest: here they are not offered. */
  mostUnderWay?: number;
}): Sending {
  const { random, population, rest, recorder, flow, messagesASecond } = options;
  const { mostPauseMs = usualMostPauseMs, mostUnderWay = usualMostUnderWay } = options;
  const { chats } = population;
  const figures = { offered: 0, heldBack: 0 };
  const underWay = new Set<Promise<void>>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let ending = false;
  let owed = 0;
  let last = 0;

  const filler = 'The quick brown fox jumps over the lazy dog. '.repeat(200);
  const text = (length: number): string => `${figures.offered} ${filler.slice(0, length)}`;

  async function attempt(
    post: Omit<Post, 'begunAt' | 'endedAt' | 'status'>,
    as: Credential,
  ): Promise<{ done: Post; retryAfterMs: number }> {
    const { chatId, content, clientMessageId } = post;
    const begunAt = now();
    const { status, code, body, retryAfter = 0 } = await rest.send(as, chatId, { content, clientMessageId });
    const done: Post = {
      ...post,
      begunAt,
      endedAt: now(),
      status,
      ...(code === undefined ? {} : { code }),
      ...(body === undefined ? {} : { brokerMessageId: body.brokerMessageId }),
    };
    recorder.posts.push(done);
    return { done, retryAfterMs: retryAfter * 1000 * (1 + Math.random() / 4) };
  }

  /** Until it is accepted or refused for good: 5xx, 429 and no answer at all are tried again under the same key. */
  async function insist(post: Omit<Post, 'begunAt' | 'endedAt' | 'status'>): Promise<void> {
    const credential = await population.credential(post.senderId);
    const deadline = now() + giveUpMs;
    for (let tries = 0; now() < deadline; tries += 1) {
      const ended = tries === 0 ? flow.begin() : undefined;
      const { done, retryAfterMs } = await attempt(post, credential);
      ended?.(done);
      const { status } = done;
      if (status !== undefined && status < 500 && status !== 429) return;
      if (ending && tries > 2) return;
      const pauseMs = Math.min(mostPauseMs, 250 * 2 ** tries) * (0.5 + Math.random() / 2);
      await Bun.sleep(ending ? pauseMs : Math.max(pauseMs, retryAfterMs));
    }
  }

  async function offer(chat: TortureChat, length: number): Promise<void> {
    figures.offered += 1;
    const stranger = random.next() < strangerShare && chat.floating.length > 0;
    const senderId = random.pick(stranger ? chat.floating : [...chat.members]);
    const post = {
      chatId: chat.id,
      senderId,
      clientMessageId: random.uuid(),
      content: text(length),
      authenticated: true,
    };
    const dice = random.next();
    if (dice < forgedShare) {
      await attempt({ ...post, authenticated: false }, await population.forgedToken(senderId));
    } else if (dice < forgedShare + repeatShare) {
      await Promise.all([insist(post), insist(post), insist(post)]);
      await insist(post);
    } else if (dice < forgedShare + repeatShare + conflictShare) {
      await insist(post);
      await insist({ ...post, content: `${post.content} (another)` });
    } else {
      await insist(post);
    }
  }

  function begin(chat: TortureChat, length: number): void {
    const work = offer(chat, length).finally(() => underWay.delete(work));
    underWay.add(work);
  }

  return {
    figures,
    start() {
      ending = false;
      last = now();
      owed = 0;
      timer = setInterval(() => {
        const at = now();
        owed += ((at - last) / 1000) * messagesASecond;
        last = at;
        for (; owed >= 1; owed -= 1) {
          if (underWay.size >= mostUnderWay) figures.heldBack += 1;
          else begin(random.pick(chats), random.integer(10, 300));
        }
      }, tickMs);
    },
    stop() {
      clearInterval(timer);
      ending = true;
    },
    burst(chat, count) {
      for (let at = 0; at < count; at += 1) begin(chat, 7_900);
    },
    async settled(deadlineMs) {
      const deadline = now() + deadlineMs;
      while (underWay.size > 0 && now() < deadline) await Bun.sleep(50);
    },
  };
}
