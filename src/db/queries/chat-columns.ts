/** Columns of `chats` under the names of the contract's `ChatSettings`. */
export const settingsColumns = (chats: string): string =>
  `${chats}.id, ${chats}.is_group AS "isGroup", ${chats}.name, ${chats}.avatar_url AS "avatarUrl", ${chats}.metadata,
  coalesce(${chats}.posting, 'all') AS posting`;
