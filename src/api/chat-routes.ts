import { createAnnounce } from '../changes/announce.ts';
import { kinds } from '../changes/kinds.ts';
import { createReadChanges } from '../changes/read-changes.ts';
import { createAddParticipants } from '../chat/add-participants.ts';
import { createChangeMembership } from '../chat/change-membership.ts';
import { createCreateChat } from '../chat/create-chat.ts';
import { createDeleteChat } from '../chat/delete-chat.ts';
import { createDeleteMessage } from '../chat/delete-message.ts';
import { createEditMessage } from '../chat/edit-message.ts';
import { createGatherReactions } from '../chat/gather-reactions.ts';
import { createGetChanges } from '../chat/get-changes.ts';
import { createGetChat } from '../chat/get-chat.ts';
import { createGetHistory } from '../chat/get-history.ts';
import { createGetMessage } from '../chat/get-message.ts';
import { createGetPresence } from '../chat/get-presence.ts';
import { createGetUnread } from '../chat/get-unread.ts';
import { createListChats } from '../chat/list-chats.ts';
import { createListParticipants } from '../chat/list-participants.ts';
import { createListReactions } from '../chat/list-reactions.ts';
import { createRemoveParticipant } from '../chat/remove-participant.ts';
import type { SendMessage } from '../chat/send-message.ts';
import { createSetRole } from '../chat/set-role.ts';
import { createSetTyping } from '../chat/set-typing.ts';
import { createUpdateChat } from '../chat/update-chat.ts';
import type { Database } from '../db/database.ts';
import type { Route } from '../process/http/route.ts';
import type { Audit } from '../shared/audit.ts';
import type { Logger } from '../shared/log.ts';
import type { Facts } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import type { Presence } from '../shared/ports/presence.ts';
import type { Needs } from './needs.ts';
import { changeRoutes } from './routes/changes.ts';
import { chatRoutes } from './routes/chats.ts';
import { membershipRoutes } from './routes/memberships.ts';
import { messageRoutes } from './routes/messages.ts';
import { participantRoutes } from './routes/participants.ts';
import { presenceRoutes } from './routes/presence.ts';
import { reactionRoutes } from './routes/reactions.ts';

export interface ChatRoutesDependencies {
  database: Database;
  facts: Facts;
  presence: Presence;
  notifier: Notifier;
  sendMessage: SendMessage;
  /** Chats of more participants are not told who has read, or types, and less often who has reacted. */
  liveMax: number;
  /** Of one chat. */
  maxParticipants: number;
  /** Undefined: always. */
  editWindowSeconds?: number | undefined;
  log: Logger;
}

/** Everything about chats, with its verbs. */
export function createChatRoutes(deps: ChatRoutesDependencies): (needs: Needs, audit: Audit) => Route[] {
  const { database, facts, presence, notifier, sendMessage, liveMax, maxParticipants, log } = deps;
  const announce = createAnnounce(notifier, log);
  const getChat = createGetChat({ database, presence });
  const chatVerbs = {
    getChat,
    listChats: createListChats({ database, presence }),
    createChat: createCreateChat({ database, getChat, announce, maxParticipants }),
    updateChat: createUpdateChat({ database, getChat, announce }),
    deleteChat: createDeleteChat({ database, facts, announce }),
  };
  const participantVerbs = {
    listParticipants: createListParticipants({ database, presence }),
    addParticipants: createAddParticipants({ database, facts, presence, announce, maxParticipants }),
    removeParticipant: createRemoveParticipant({ database, facts, announce }),
    setRole: createSetRole({ database, facts, presence, announce }),
  };
  const messageVerbs = {
    sendMessage,
    editMessage: createEditMessage({ database, announce, windowSeconds: deps.editWindowSeconds }),
    deleteMessage: createDeleteMessage({ database, announce }),
    getHistory: createGetHistory({ database }),
    getMessage: createGetMessage({ database }),
  };

  const reactionVerbs = {
    react: createGatherReactions({ database, announce, liveMax }),
    listReactions: createListReactions(database),
  };
  const membershipVerbs = {
    ...createChangeMembership({ database, announce, liveMax }),
    getUnread: createGetUnread(database),
  };

  const presenceVerbs = {
    setTyping: createSetTyping({ database, facts, announce, liveMax }),
    getPresence: createGetPresence({ database, presence }),
  };

  const getChanges = createGetChanges(createReadChanges(kinds, { database, presence }));

  return (needs, audit) => [
    ...membershipRoutes(needs, membershipVerbs),
    ...presenceRoutes(needs, presenceVerbs),
    ...chatRoutes(needs, chatVerbs, audit),
    ...participantRoutes(needs, participantVerbs, audit),
    ...messageRoutes(needs, messageVerbs, log),
    ...reactionRoutes(needs, reactionVerbs),
    ...changeRoutes(needs, getChanges),
  ];
}
