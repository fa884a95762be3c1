import type { Chat, ErrorCode } from '../../src/shared/contract.ts';
import type { TestUser } from '../support/chat-api.ts';

/**
 * In a direct chat nobody leads, whoever of the two began it, and nobody is removed. Where admins post, the rows about posting are other
 * ones than in any group.
 */
export const columns = {
  group: ['owner', 'admin', 'member', 'removed', 'stranger'],
  direct: ['owner', 'member', 'stranger'],
  closed: ['owner', 'admin', 'member'],
} as const;
export type Kind = keyof typeof columns;
export const kinds: readonly Kind[] = ['group', 'direct', 'closed'];
export type Role = (typeof columns)[Kind][number];

/** A status, or the code of a problem; of a list, whether it has the chat. */
export type Outcome = 200 | 201 | 202 | 204 | 'listed' | 'not listed' | ErrorCode;
type Outcomes = readonly Outcome[];

/** A chat of one row. All who take part in it have said something, the removed too. */
export interface Scene {
  chat: Chat;
  /** Of a group, the rival is another admin. */
  people: Partial<Record<Role | 'rival', TestUser>>;
  /** Of a group: a member for each column. */
  guests: readonly TestUser[];
  /** Ids of messages, by who sent them. */
  said: Partial<Record<Role | 'rival', string>>;
}
export interface Asked {
  /** Of the path, beside the chat's. */
  params?: Record<string, string | undefined>;
  query?: string;
  body?: object;
}
export interface Row {
  route: string;
  /** Of several rows of one route. */
  what?: string;
  ask?: (scene: Scene, me: TestUser, column: number) => Asked;
  /** In the order of the columns; left out where the kind of chat has no such thing. */
  group?: Outcomes;
  direct?: Outcomes;
  /** Where admins post, members are refused. */
  posts?: true;
  /** For the host's backend, as each of them, where it is not what they may themselves. */
  service?: { group: Outcomes; direct: Outcomes };
  /** For the host's backend as itself. */
  itself?: Outcome;
}

/** Of one that exists. */
export const newcomer = '0198c0de-0000-7000-8000-000000000001';
export const hidden = 'chat_not_found';
const refused = 'not_allowed';
const notOwner = 'not_owner';
const all = (yes: Outcome, no: Outcome = hidden) => ({
  group: [yes, yes, yes, no, no],
  direct: [yes, yes, no],
});
const listed = all('listed', 'not listed');
const fixed = { direct: ['chat_is_direct', 'chat_is_direct', hidden] } as const;

const body = (given: object) => () => ({ body: given });
const of =
  (sender: Role | 'rival', given?: object) =>
  ({ said }: Scene) => ({
    params: { messageId: said[sender] },
    ...(given ? { body: given } : {}),
  });
const person =
  (name: Role | 'rival', given?: object) =>
  ({ people }: Scene) => ({
    params: { userId: people[name]?.id },
    ...(given ? { body: given } : {}),
  });
const guest =
  (given?: object) =>
  ({ guests }: Scene, _: TestUser, column: number) => ({
    params: { userId: guests[column]?.id ?? newcomer },
    ...(given ? { body: given } : {}),
  });
const oneself = (given?: object) => (_: Scene, me: TestUser) => ({
  params: { userId: me.id },
  ...(given ? { body: given } : {}),
});
const outsider = (given?: object) => () => ({
  params: { userId: newcomer },
  ...(given ? { body: given } : {}),
});
const edit = { content: 'edited' };
const after = () => ({ query: '?after=0' });
const thumb = ({ said }: Scene) => ({ params: { messageId: said.owner, key: '👍' } });
const toAll = { content: 'all', mentions: { userIds: [], everyone: true } };
const system = { content: 'by the system', messageType: 'system' };
const messages = '/chats/:chatId/messages';
const message = '/chats/:chatId/messages/:messageId';
const participant = 'DELETE /chats/:chatId/participants/:userId';
const role = 'PATCH /chats/:chatId/participants/:userId';
const participants = 'POST /chats/:chatId/participants';

// biome-ignore format: a table reads by its rows
export const rows: readonly Row[] = [
  { route: 'GET /chats', ...listed },
  { route: 'GET /chats/unread', ...listed },
  { route: 'GET /chats/:chatId', ...all(200) },
  { route: 'GET /chats/:chatId/participants', ...all(200) },
  { route: `GET ${messages}`, ...all(200) },
  { route: `GET ${messages}`, what: 'after a number', ask: after, ...all(200) },
  { route: `GET ${message}`, ask: of('owner'), ...all(200) },
  { route: 'GET /chats/:chatId/changes', ask: after, ...all(200) },
  { route: `PUT ${message}/reactions/:key`, ask: thumb, ...all(200) },
  { route: `DELETE ${message}/reactions/:key`, ask: thumb, ...all(200) },
  { route: `GET ${message}/reactions`, ask: of('owner'), ...all(200) },
  { route: 'PUT /chats/:chatId/typing', ask: body({ typing: true }), posts: true, ...all(204) },
  { route: 'PUT /chats/:chatId/read', ask: body({ sequence: 1 }), ...all(200) },
  { route: 'PUT /chats/:chatId/unread', ask: body({ sequence: 1 }), ...all(200) },
  { route: 'PATCH /chats/:chatId/membership', ask: body({ pinned: true }), ...all(200) },
  { route: `POST ${messages}`, ask: body({ content: 'sent' }), posts: true, ...all(202) },
  { route: `POST ${messages}`, what: 'to everyone', ask: body(toAll), posts: true, ...all(202) },
  { route: `POST ${messages}`, what: 'of the system', ask: body(system), posts: true, ...all(refused, refused), service: all(202) },
  //                                                                                     owner    admin    member   removed stranger       owner    member   stranger
  { route: `PATCH ${message}`, what: 'of the owner', ask: of('owner', edit), posts: true, group: [200, refused, refused, hidden, hidden], direct: [200, refused, hidden] },
  { route: `PATCH ${message}`, what: 'of the admin', ask: of('admin', edit), posts: true, group: [refused, 200, refused, hidden, hidden] },
  { route: `PATCH ${message}`, what: 'of another admin', ask: of('rival', edit), group: [refused, refused, refused, hidden, hidden] },
  { route: `PATCH ${message}`, what: 'of the member', ask: of('member', edit), posts: true, group: [refused, refused, 200, hidden, hidden], direct: [refused, 200, hidden] },
  { route: `PATCH ${message}`, what: 'of the removed', ask: of('removed', edit), group: [refused, refused, refused, hidden, hidden] },
  { route: `DELETE ${message}`, what: 'of the owner', ask: of('owner'), group: [204, 204, refused, hidden, hidden], direct: [204, refused, hidden], itself: 204 },
  { route: `DELETE ${message}`, what: 'of the admin', ask: of('admin'), group: [204, 204, refused, hidden, hidden], itself: 204 },
  { route: `DELETE ${message}`, what: 'of another admin', ask: of('rival'), group: [204, 204, refused, hidden, hidden], itself: 204 },
  { route: `DELETE ${message}`, what: 'of the member', ask: of('member'), group: [204, 204, 204, hidden, hidden], direct: [refused, 204, hidden], itself: 204 },
  { route: `DELETE ${message}`, what: 'of the removed', ask: of('removed'), group: [204, 204, refused, hidden, hidden], itself: 204 },
  { route: participants, what: 'another', ask: body({ userIds: [newcomer] }), group: [200, 200, notOwner, hidden, hidden], ...fixed },
  { route: participants, what: 'oneself', ask: (_, { id }) => ({ body: { userIds: [id] } }), group: [200, 200, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'a member', ask: guest(), group: [204, 204, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'who is not in it', ask: outsider(), group: ['user_not_found', 'user_not_found', notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'the owner', ask: person('owner'), group: [204, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: participant, what: 'another admin', ask: person('rival'), group: [204, notOwner, notOwner, hidden, hidden] },
  { route: participant, what: 'oneself', ask: oneself(), group: [204, 204, 204, hidden, hidden], ...fixed },
  { route: role, what: 'of a member', ask: guest({ role: 'admin' }), group: [200, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of who is not in it', ask: outsider({ role: 'member' }), group: ['user_not_found', notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of the owner', ask: person('owner', { role: 'admin' }), group: ['last_owner', notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of another admin', ask: person('rival', { role: 'member' }), group: [200, notOwner, notOwner, hidden, hidden] },
  { route: role, what: 'of oneself, up', ask: oneself({ role: 'owner' }), group: [200, notOwner, notOwner, hidden, hidden], ...fixed },
  { route: role, what: 'of oneself, down', ask: oneself({ role: 'member' }), group: ['last_owner', notOwner, notOwner, hidden, hidden], ...fixed },
  { route: 'PATCH /chats/:chatId', ask: body({ name: 'Lunch', posting: 'admins' }), group: [200, 200, refused, hidden, hidden], ...fixed },
  { route: 'DELETE /chats/:chatId', group: [204, notOwner, notOwner, hidden, hidden], ...fixed },
];

/** About no chat that is there already: with what anybody is answered. */
// biome-ignore format: a table reads by its rows
export const rowsOfAnybody: readonly (Row & { anybody: Outcome; asSomebody?: Outcome })[] = [
  { route: 'GET /auth/me', anybody: 200 },
  { route: 'POST /auth/logout', anybody: 204, asSomebody: 'token_invalid' },
  { route: 'PATCH /users/me', ask: body({ displayName: 'Me' }), anybody: 200 },
  { route: 'GET /users', ask: () => ({ query: '?email=nobody@example.com' }), anybody: 200 },
  { route: 'GET /users/:userId', ask: outsider(), anybody: 200 },
  { route: 'GET /presence', ask: () => ({ query: `?userIds=${newcomer}` }), anybody: 200 },
  { route: 'POST /chats', ask: body({ participantUserIds: [newcomer], isGroup: true }), anybody: 201 },
];

/** Of a row in a kind of chat, in the order of its columns; none where there is no such thing. */
export function outcomesOf(row: Row, kind: Kind, byService = false): Outcomes {
  const given = (byService && row.service) || row;
  if (kind !== 'closed') return given[kind] ?? [];
  return row.posts ? [...(given.group ?? []).slice(0, 2), refused] : [];
}
