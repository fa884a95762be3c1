import type { MessageEdit } from '../src/shared/contract.ts';
import { now } from './clock.ts';
import type { Extras } from './extras.ts';
import type { Population } from './population.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Rest } from './rest.ts';

export interface Changing {
  /** Edits, deletes and reacts at the rate until `stop`. */
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const tickMs = 50;
const deletionShare = 0.3;
/** Of the edits, those that another tab of the sender makes at the same time. */
const twiceShare = 0.1;
/** Of the deletions in groups, those by the owner. */
const byOwnerShare = 0.3;
/** For each edit and deletion. */
const reactionsEach = 2;
const takenBackShare = 0.4;
const keys = ['👍', '❤️', ':party:'];
const mostTries = 3;
const pauseMs = 400;

/** Of messages that somebody has been shown of late, by who may. What became of a change without an answer is unknown. */
export function createChanging(options: {
  random: Random;
  population: Population;
  rest: Rest;
  recorder: Recorder;
  changesASecond: number;
  /** Absent: edits leave the mentions. */
  extras?: Extras;
}): Changing {
  const { random, population, rest, recorder, changesASecond, extras } = options;
  const chats = new Map(population.chats.map((chat) => [chat.id, chat]));
  const underWay = new Set<Promise<unknown>>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let count = 0;

  async function attempt(actorId: string, chatId: string, messageId: string, edit?: MessageEdit) {
    const token = await population.token(actorId);
    for (let tries = 0; tries < mostTries; tries += 1) {
      const begunAt = now();
      const { status } = await (edit
        ? rest.edit(token, chatId, messageId, edit)
        : rest.delete(token, chatId, messageId));
      recorder.changes.push({ chatId, messageId, ...edit, begunAt, endedAt: now(), status });
      if (status !== undefined && status < 500 && status !== 429) return;
      await Bun.sleep(pauseMs);
    }
  }

  function change(): void {
    if (recorder.recent.length === 0) return;
    const { id, chatId, senderId } = random.pick(recorder.recent);
    const chat = chats.get(chatId);
    const edit = () => {
      count += 1;
      const mentions = chat && extras?.ofEdit(chat);
      begin(attempt(senderId, chatId, id, { content: `edit ${count}`, ...(mentions && { mentions }) }));
    };
    if (random.next() < deletionShare) {
      const byOwner = chat?.isGroup === true && random.next() < byOwnerShare;
      begin(attempt(byOwner ? chat.ownerId : senderId, chatId, id));
    } else {
      edit();
      if (random.next() < twiceShare) edit();
    }
  }

  /** By anybody in the chat. What comes without an answer may have been done: it is the same again. */
  async function react(): Promise<void> {
    const message = recorder.recent.length > 0 ? random.pick(recorder.recent) : undefined;
    const members = message && chats.get(message.chatId)?.members;
    if (!message || !members) return;
    const present = random.next() >= takenBackShare;
    const [userId, key] = [random.pick([...members]), random.pick(keys)];
    const token = await population.token(userId);
    for (let tries = 0; tries < mostTries; tries += 1) {
      const { status } = await rest.react(token, message.chatId, message.id, key, present);
      if (status !== undefined && status < 500 && status !== 429) return;
      await Bun.sleep(pauseMs);
    }
  }

  function begin(attempted: Promise<unknown>): void {
    const work = attempted.finally(() => underWay.delete(work));
    underWay.add(work);
  }

  return {
    start() {
      timer = setInterval(() => {
        if (random.next() < (changesASecond * tickMs) / 1_000) change();
        if (random.next() < (reactionsEach * changesASecond * tickMs) / 1_000) begin(react());
      }, tickMs);
    },
    async stop() {
      clearInterval(timer);
      await Promise.allSettled(underWay);
    },
  };
}
