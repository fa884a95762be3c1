import type { Message } from '../src/shared/contract.ts';
import {
  type ChangeAttempt,
  type ClientRecord,
  type FaultRecord,
  type Interval,
  type MembershipChange,
  type Post,
  reactionsText,
  type SeenMessage,
} from './history.ts';

/** Gathers a history while the run goes on. */
export interface Recorder {
  readonly posts: Post[];
  readonly clients: { name: string; userId: string; records: ClientRecord[] }[];
  readonly changes: ChangeAttempt[];
  /** The last messages that somebody saw for the first time. */
  readonly recent: readonly Message[];
  readonly memberships: MembershipChange[];
  readonly poison: { id: string; body: string; at: number }[];
  readonly brokerSilent: Interval[];
  readonly faults: FaultRecord[];
  /** A message as seen; equal texts are kept once, a million deliveries of them. */
  seen(message: Message): SeenMessage;
  /** One string for equal strings. */
  intern(text: string): string;
}

const mostRecent = 300;

/** @param onFirstSight of a message, by its id */
export function createRecorder(onFirstSight: (messageId: string) => void = () => {}): Recorder {
  const strings = new Map<string, string>();
  /** Of each message the first sight; equal ones are that object again. */
  const messages = new Map<string, SeenMessage>();
  const recent: Message[] = [];
  const intern = (text: string): string => {
    const known = strings.get(text);
    if (known !== undefined) return known;
    strings.set(text, text);
    return text;
  };
  return {
    posts: [],
    clients: [],
    changes: [],
    recent,
    memberships: [],
    poison: [],
    brokerSilent: [],
    faults: [],
    intern,
    seen(message) {
      const { id, senderId, clientMessageId, content, sequence, sentAt, version, deletedAt, ...more } =
        message;
      const { replyTo, mentions } = more;
      const reactions = message.reactions && intern(reactionsText(message.reactions));
      const known = messages.get(id);
      const same =
        known?.senderId === senderId &&
        known.clientMessageId === clientMessageId &&
        known.content === content &&
        known.version === version &&
        known.deletedAt === deletedAt &&
        known.reactions === reactions &&
        alike(known.replyTo, replyTo) &&
        alike(known.mentions, mentions) &&
        known.sequence === sequence &&
        known.sentAt === sentAt;
      if (known && same) return known;
      const seen: SeenMessage = {
        id,
        senderId: intern(senderId),
        clientMessageId,
        content,
        sequence,
        sentAt,
        ...(version === undefined ? {} : { version }),
        ...(deletedAt === undefined ? {} : { deletedAt }),
        ...(reactions === undefined ? {} : { reactions }),
        ...(replyTo === undefined ? {} : { replyTo }),
        ...(mentions === undefined ? {} : { mentions }),
      };
      messages.set(id, seen);
      if (!known) {
        recent.push(message);
        if (recent.length > mostRecent) recent.shift();
        onFirstSight(id);
      }
      return seen;
    },
  };
}

/** Most messages have neither. */
const alike = (one: object | undefined, other: object | undefined): boolean =>
  one === other || Bun.deepEquals(one, other);
