import type { Chat, Participant, ParticipantEvent } from '../contract.ts';

/** Who takes part, as a chat object says it, and what was told since. */
export interface People {
  /** The first of them, and how many there are, as of `at`. */
  readonly first: readonly Participant[];
  readonly count: number;
  readonly at: number;
  readonly told: ReadonlyMap<string, Told>;
}

interface Told {
  readonly participant: Participant;
  readonly present: boolean;
  readonly at: number;
}

/** A chat shows so many. */
const mostShown = 20;
/** After so many that came or went the chat is read. */
const mostTold = 200;

export const noPeople: People = { first: [], count: 0, at: 0, told: new Map() };

export function takePeople(people: People, { participants, participantCount, eventSequence }: Chat): People {
  if (eventSequence < people.at) return people;
  return {
    first: participants,
    count: participantCount,
    at: eventSequence,
    told: new Map([...people.told].filter(([, { at }]) => at > eventSequence)),
  };
}

export function takePersonEvent(people: People, event: ParticipantEvent, present: boolean): People {
  const { eventSequence: at } = event;
  const told = new Map(people.told);
  for (const participant of event.participants ?? [event.participant]) {
    const { userId } = participant;
    if (at > people.at && at >= (told.get(userId)?.at ?? 0)) told.set(userId, { participant, present, at });
  }
  return { ...people, told };
}

/** What somebody has changed of themselves, which has no number. */
export function renamePerson(people: People, { id, displayName, avatarUrl }: NewName): People {
  if (!people.first.some(({ userId }) => userId === id)) return people;
  const first = people.first.map((one) => {
    if (one.userId !== id) return one;
    const { avatarUrl: _, ...rest } = one;
    return { ...rest, displayName, ...(avatarUrl === undefined ? {} : { avatarUrl }) };
  });
  return { ...people, first };
}

interface NewName {
  id: string;
  displayName: string;
  avatarUrl?: string;
}

export interface PeopleNow {
  participants: Participant[];
  participantCount: number;
  /** Nobody knows whether somebody came, or was there and has another role: the chat has to be read. */
  unknown: boolean;
}

export function peopleNow({ first, count, told }: People): PeopleNow {
  const whole = first.length === count;
  let [participantCount, unknown] = [count, told.size > mostTold];
  const byId = new Map(first.map((one) => [one.userId, one]));
  for (const [userId, { participant, present }] of told) {
    const known = byId.has(userId);
    if (!known && !whole) unknown = true;
    else if (present !== known) participantCount += present ? 1 : -1;
    if (!present) byId.delete(userId);
    else if (known || whole) byId.set(userId, participant);
  }
  if (participantCount > byId.size && byId.size < mostShown) unknown = true;
  return { participants: [...byId.values()].slice(0, mostShown), participantCount, unknown };
}
