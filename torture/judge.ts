import { createEvidence } from './evidence.ts';
import type { History } from './history.ts';
import { acceptedIsKept } from './invariants/accepted-is-kept.ts';
import { baselines } from './invariants/baselines.ts';
import { confirmFirst } from './invariants/confirm-first.ts';
import { connectedOrder } from './invariants/connected-order.ts';
import { deletedChats } from './invariants/deleted-chats.ts';
import { numbering } from './invariants/numbering.ts';
import { oneRowAKey } from './invariants/one-row-a-key.ts';
import { presence } from './invariants/presence.ts';
import { queuesAreEmpty } from './invariants/queues-are-empty.ts';
import { removedHearNothing } from './invariants/removed-hear-nothing.ts';
import { rowsHaveACause } from './invariants/rows-have-a-cause.ts';
import { settledReactions } from './invariants/settled-reactions.ts';
import { settledViews } from './invariants/settled-views.ts';
import { unreadCounts } from './invariants/unread-counts.ts';
import type { Verdict } from './verdict.ts';

/** I1 to I14, in this order. Pure: the same history gets the same verdicts. */
export function judge(history: History): Verdict[] {
  const evidence = createEvidence(history);
  return [
    acceptedIsKept,
    rowsHaveACause,
    oneRowAKey,
    numbering,
    settledViews,
    connectedOrder,
    removedHearNothing,
    queuesAreEmpty,
    baselines,
    confirmFirst,
    unreadCounts,
    settledReactions,
    deletedChats,
    presence,
  ].map((holds) => holds(evidence));
}
