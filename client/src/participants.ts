import type { Page, Participant, ParticipantEvent, ReadEvent } from './contract.ts';
import type { Requests } from './request.ts';
import { createCell } from './store.ts';

const mostPages = 10;

/** Who takes part, and how far they have read: the list is the truth, events make it current. */
export function createParticipants(deps: {
  chatId: string;
  me: () => string;
  requests: Requests;
  canLoad: () => boolean;
}) {
  const { chatId, requests } = deps;
  /** Read by `load()`; else they are those of the chat. */
  let loaded = false;
  let loading: Promise<void> | undefined;
  /** What was told while the list was being read, which has no number. */
  let meanwhile: (() => void)[] | undefined;
  const looked = (isWatched: boolean) => {
    if (isWatched && deps.canLoad()) load().catch(() => {});
  };
  const people = createCell<readonly Participant[]>([]);
  const reads = createCell<ReadonlyMap<string, number>>(new Map(), looked);

  function takeReads(given: Iterable<{ userId: string; lastReadSequence?: number }>): void {
    const before = reads.getSnapshot();
    const next = new Map(before);
    for (const { userId, lastReadSequence } of given) {
      if (lastReadSequence === undefined || userId === deps.me()) continue;
      if (lastReadSequence > (next.get(userId) ?? -1)) next.set(userId, lastReadSequence);
    }
    if ([...next].some(([userId, sequence]) => before.get(userId) !== sequence)) reads.set(next);
  }

  function takeEvent(
    { participant, participants = [participant] }: ParticipantEvent,
    present: boolean,
  ): void {
    meanwhile?.push(() => takeEvent({ participant, participants } as ParticipantEvent, present));
    if (!loaded) return;
    const byId = new Map(people.getSnapshot().map((one) => [one.userId, one]));
    for (const one of participants) {
      if (present) byId.set(one.userId, { ...byId.get(one.userId), ...one });
      else byId.delete(one.userId);
    }
    people.set([...byId.values()]);
  }

  async function read(): Promise<void> {
    const events: (() => void)[] = [];
    meanwhile = events;
    try {
      const all: Participant[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null && pages < mostPages; pages += 1) {
        const from: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
        const path = `/chats/${chatId}/participants?limit=100${from}`;
        const page: Page<Participant> = await requests.patiently('GET', path);
        all.push(...page.data);
        cursor = page.nextCursor;
      }
      loaded = true;
      people.set(all);
      takeReads(all);
    } finally {
      meanwhile = undefined;
      for (const again of events) again();
    }
  }

  function load(): Promise<void> {
    loading ??= read().finally(() => {
      loading = undefined;
    });
    return loading;
  }

  return {
    people: { subscribe: people.subscribe, getSnapshot: people.getSnapshot, load },
    reads: { subscribe: reads.subscribe, getSnapshot: reads.getSnapshot },
    takeEvent,
    takeReads: ({ reads: given }: Pick<ReadEvent, 'reads'>) => takeReads(given),
    /** Of the chat, which shows the first. */
    takeChat(first: readonly Participant[] | undefined): void {
      if (!loaded) people.set(first ?? none);
    },
    /** What was told while the connection was away has been told now, but not who has read how far. */
    refresh(): void {
      if (loaded || reads.isWatched()) load().catch(() => {});
    },
    forget(): void {
      loaded = false;
      people.set(none);
      reads.set(new Map());
    },
  };
}

const none: readonly Participant[] = [];
