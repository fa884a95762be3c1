import type { Page, Participant, ParticipantEvent, ReadEvent } from './contract.ts';
import type { Requests } from './request.ts';
import { createCell, storeOf } from './store.ts';
import { shared } from './turns.ts';

const mostPages = 10;

/** Who takes part, and how far they have read: the list is the truth, events make it current. */
export function createParticipants(deps: {
  chatId: string;
  me: () => string;
  requests: Requests;
  canLoad: () => boolean;
}) {
  const { chatId, me, requests } = deps;
  /** Read by `load()`; else they are those of the chat. `old`: before something was missed. */
  let loaded: 'not' | 'now' | 'old' = 'not';
  /** What was told while the list was being read, which has no number. */
  let meanwhile: (() => void)[] | undefined;
  const people = createCell<readonly Participant[]>([], (isWatched) => {
    if (isWatched && loaded === 'old') loadSoon();
  });
  const reads = createCell<ReadonlyMap<string, number>>(new Map(), (isWatched) => {
    if (isWatched) loadSoon();
  });

  function takeReads(given: Iterable<{ userId: string; lastReadSequence?: number }>): void {
    const next = new Map(reads.getSnapshot());
    for (const { userId, lastReadSequence: upTo = -1 } of given)
      if (userId !== me() && upTo > (next.get(userId) ?? -1)) next.set(userId, upTo);
    reads.set(next);
  }

  function takeEvent({ participant, participants = [participant] }: ParticipantEvent, present: boolean) {
    const take = () => {
      const byId = new Map(people.getSnapshot().map((one) => [one.userId, one]));
      for (const one of participants) {
        if (present) byId.set(one.userId, { ...byId.get(one.userId), ...one });
        else byId.delete(one.userId);
      }
      people.set([...byId.values()]);
    };
    meanwhile?.push(take);
    if (loaded !== 'not') take();
  }

  async function read(): Promise<void> {
    const whose = me();
    const told: (() => void)[] = [];
    meanwhile = told;
    const all: Participant[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < mostPages; pages += 1) {
      const from: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/chats/${chatId}/participants?limit=100${from}`;
      const page: Page<Participant> = await requests.patiently('GET', path);
      all.push(...page.data);
      cursor = page.nextCursor;
    }
    if (me() !== whose) return read();
    loaded = 'now';
    people.set(all);
    takeReads(all);
    for (const again of told) again();
  }
  const load = shared(() =>
    read().finally(() => {
      meanwhile = undefined;
    }),
  );

  function loadSoon(): void {
    if (deps.canLoad()) load().catch(() => {});
  }

  return {
    people: { ...storeOf(people), load },
    reads: storeOf(reads),
    takeEvent,
    takeReads: ({ reads: given }: Pick<ReadEvent, 'reads'>) => takeReads(given),
    /** Of the chat, which shows the first. */
    takeChat(first: readonly Participant[] = []): void {
      if (loaded === 'not') people.set(first);
    },
    /** What was told while the connection was away has been told now, but not who has read how far. */
    refresh(): void {
      if (loaded === 'now') loaded = 'old';
      if (reads.isWatched() || (loaded === 'old' && people.isWatched())) loadSoon();
    },
    forget(): void {
      loaded = 'not';
      people.set([]);
      reads.set(new Map());
    },
  };
}
