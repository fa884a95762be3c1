/**
 * SQL for the name that everybody sees. An id at an outside provider is none: it may be an email, or open a door elsewhere. It
 * stands in the name's place in rows that were made before names were made up, and where a version of then still makes
 * them; one that was given as a name, and is the same by chance, is shown.
 */
export const shownName = (users: string): string =>
  `CASE WHEN ${users}.display_name = ${users}.external_id AND NOT ${users}.display_name_given
    THEN 'User ' || right(${users}.id::text, 6) ELSE ${users}.display_name END`;

/** The same name, for a row that is made. */
export const neutralName = (userId: string): string => `User ${userId.slice(-6)}`;
